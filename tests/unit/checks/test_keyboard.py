"""The checks for the person at the keyboard, with a machine and an AWS in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from contactsync.checks.findings import Finding, State
from contactsync.checks.keyboard import Identity, KnownSettings, Look, Machine, check_keyboard
from contactsync.errors import (
    AccessDeniedError,
    ClockWrongError,
    ContactSyncError,
    CredentialsExpiredError,
    EnvironmentUnknownError,
    SettingsError,
    ThrottledError,
)

REQUIRED = (
    "boto3>=1.43",
    "typer<0.28,>=0.27",
    'apache-airflow==3.3.1; extra == "airflow"',
    'moto[server]>=5.2.5; extra == "sandbox"',
)
INSTALLED = {"boto3": "1.43.56", "typer": "0.27.0", "apache-airflow": "3.3.1", "moto": "5.2.5"}
MACHINE = Machine((3, 12, 13), "0.1.0", Path("/clone"), REQUIRED, INSTALLED.get)
ARN = "arn:aws:sts::111122223333:assumed-role/operators/sam"
SAM = Identity("111122223333", ARN, "sso", timedelta(seconds=1))
NO_REGION = SettingsError(variable="AWS_REGION", problem="is not set, and no AWS profile names a region")


def raising(error: ContactSyncError) -> Callable[[], str]:
    """Return a read that fails."""

    def read() -> str:
        raise error

    return read


@dataclass
class FakeKeyboard:
    """A machine on which everything is right, unless it is changed."""

    machine: Machine = MACHINE
    settings: KnownSettings = field(default_factory=lambda: KnownSettings({"CONTACTSYNC_STATE_TABLE": "variables"}))
    known_region: str | SettingsError = "eu-west-1"
    caller: Identity | ContactSyncError = SAM
    reads: list[Look] = field(default_factory=lambda: [Look("operations", lambda: "There is none yet.")])
    asked: list[str] = field(default_factory=list)

    def region(self) -> str:
        """Return the region."""
        if isinstance(self.known_region, SettingsError):
            raise self.known_region
        return self.known_region

    def identity(self) -> Identity:
        """Return the caller."""
        self.asked.append("identity")
        if isinstance(self.caller, ContactSyncError):
            raise self.caller
        return self.caller

    def looks(self) -> list[Look]:
        """Return the reads."""
        return self.reads


def findings(keyboard: FakeKeyboard) -> dict[str, Finding]:
    """Return what was found, by the check's name."""
    found = list(check_keyboard(keyboard))
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


def found_for(name: str, **parts: object) -> tuple[State, str]:
    """Return the state and the words of one check."""
    one = findings(FakeKeyboard(**parts))[name]  # type: ignore[arg-type]
    return one.state, f"{one.sentence} {one.remedy}"


def test_all_right() -> None:
    """Where nothing is missing every check is good, and none has a remedy."""
    found = findings(FakeKeyboard())
    assert list(found) == [
        *("python", "contactsync", "packages", "sandbox", "demo"),
        *("settings", "region", "credentials", "clock", "operations"),
    ]
    assert {one.state for one in found.values()} == {State.OK}
    assert not any(one.remedy for one in found.values())
    assert found["credentials"].sentence == f"{ARN} in account 111122223333 (from sso)."


@pytest.mark.parametrize(
    ("version", "state"),
    [
        (None, State.FAILED),
        ("1.42.99", State.FAILED),
        ("1", State.FAILED),
        ("1.43", State.OK),
        ("1.43.0", State.OK),
        ("1.100", State.OK),
        ("2.0rc1", State.OK),
        ("2", State.OK),
        ("unreadable", State.FAILED),
    ],
)
def test_versions(version: str | None, state: State) -> None:
    """A package that is missing or too old is named with its version, and how to get it."""
    machine = replace(MACHINE, version_of={**INSTALLED, "boto3": version}.get)
    found, words = found_for("packages", machine=machine)
    assert found is state
    assert ("boto3" in words) is (state is State.FAILED)
    assert ("make setup" in words) is (state is State.FAILED)


def test_limits() -> None:
    """The least version is found also behind a highest one."""
    machine = replace(MACHINE, version_of={**INSTALLED, "typer": "0.26"}.get)
    assert "typer 0.26" in found_for("packages", machine=machine)[1]


def test_wheel() -> None:
    """An installed wheel without extras can do all but sandbox and demo, and is told how to get these."""
    machine = replace(MACHINE, clone=None, version_of={"boto3": "2", "typer": "1"}.get)
    found = findings(FakeKeyboard(machine=machine))
    assert (found["packages"].state, found["sandbox"].state, found["demo"].state) == (
        State.OK,
        State.UNKNOWN,
        State.UNKNOWN,
    )
    assert "moto" in found["sandbox"].sentence
    assert found["sandbox"].remedy == "Run `pip install 'moto[server]>=5.2.5'`."
    assert "Clone the repository" in found["demo"].remedy


def test_clone_without_airflow() -> None:
    """A clone whose environment has no Airflow is told to set it up."""
    machine = replace(MACHINE, version_of={**INSTALLED, "apache-airflow": None}.get)
    assert found_for("demo", machine=machine) == (
        State.UNKNOWN,
        "`contactsync demo` needs what is missing here or too old: apache-airflow. Run `make setup`.",
    )


def test_origins() -> None:
    """Settings are counted and named by where they come from."""
    origins = {
        "CONTACTSYNC_STATE_TABLE": "variables",
        "CONTACTSYNC_A": "the stacks of prod",
        "CONTACTSYNC_B": "variables",
    }
    state, words = found_for("settings", settings=KnownSettings(origins, "prod"))
    assert state is State.OK
    assert "1 from the stacks of prod (CONTACTSYNC_A)" in words
    assert "2 from variables (CONTACTSYNC_B, CONTACTSYNC_STATE_TABLE)" in words


def test_no_settings() -> None:
    """Without settings the person is told how to name a deployment; that alone is no failure."""
    state, words = found_for("settings", settings=KnownSettings({}))
    assert state is State.UNKNOWN
    assert "contactsync --environment NAME doctor" in words


def test_unknown_environment() -> None:
    """A deployment that is not there is a failure with those that are."""
    error = EnvironmentUnknownError("prud", ("eu-west-1",), ("prod",))
    state, words = found_for("settings", settings=KnownSettings({}, "prud", error))
    assert state is State.FAILED
    assert "did you mean prod?" in words


def test_no_region() -> None:
    """Without a region nothing is asked of AWS, and one check says what to do."""
    keyboard = FakeKeyboard(known_region=NO_REGION)
    found = findings(keyboard)
    assert found["region"].state is State.FAILED
    assert "AWS_REGION" in found["region"].remedy
    assert (found["credentials"].state, found["operations"].state) == (State.UNKNOWN, State.UNKNOWN)
    assert keyboard.asked == []


def test_expired() -> None:
    """With credentials that have expired no table is read, and one check says who renews them."""
    reads = [Look("operations", raising(AssertionError)), Look("airflow", lambda: "It answers.", needs_aws=False)]  # type: ignore[arg-type]
    found = findings(FakeKeyboard(caller=CredentialsExpiredError("GetCallerIdentity", "ExpiredToken"), reads=reads))
    assert found["credentials"].state is State.FAILED
    assert "expired" in found["credentials"].remedy
    assert (found["operations"].state, found["airflow"].state) == (State.UNKNOWN, State.OK)


@pytest.mark.parametrize(
    ("skew", "state", "words"),
    [
        (timedelta(seconds=200), State.FAILED, "200 seconds ahead of AWS's"),
        (timedelta(seconds=-61), State.FAILED, "61 seconds behind AWS's"),
        (timedelta(seconds=-59), State.OK, "agrees"),
        (None, State.UNKNOWN, "date -u"),
    ],
)
def test_clock(skew: timedelta | None, state: State, words: str) -> None:
    """A clock that is wrong by more than a minute is a failure; by how much is said."""
    keyboard = FakeKeyboard(caller=replace(SAM, skew=skew))
    found = findings(keyboard)
    assert found["clock"].state is state
    assert words in f"{found['clock'].sentence} {found['clock'].remedy}"
    assert (found["operations"].state is State.OK) is (state is not State.FAILED)


def test_refused_clock() -> None:
    """A clock that AWS refuses is the clock's failure, not that of the credentials."""
    found = findings(FakeKeyboard(caller=ClockWrongError("GetCallerIdentity", "RequestExpired")))
    assert found["clock"].state is State.FAILED
    assert "credentials" not in found


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (AccessDeniedError("Query", "AccessDeniedException"), State.FAILED, "AccessDenied"),
        (ThrottledError("Query", "ThrottlingException"), State.UNKNOWN, "Throttling"),
        (SettingsError(variable="CONTACTSYNC_STATE_TABLE", problem="is not set"), State.UNKNOWN, "--environment NAME"),
        (SettingsError(variable="CONTACTSYNC_X", problem="is not a number"), State.FAILED, "is not a number"),
    ],
)
def test_reads(error: ContactSyncError, state: State, words: str) -> None:
    """What is denied or wrong is a failure; what is not set, or may pass by itself, is not known."""
    found, said = found_for("operations", reads=[Look("operations", raising(error))])
    assert (found, words in said) == (state, True), said
