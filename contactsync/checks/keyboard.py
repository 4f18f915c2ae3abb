"""The checks for the person at the keyboard: what this machine, its settings and its credentials can and cannot do."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from contactsync.checks.findings import Finding, State, failed, ok, unknown
from contactsync.errors import AwsCallError, ClockWrongError, ContactSyncError, Reader, SettingsError

MWAA_PYTHON: Final = (3, 12)
SANDBOX: Final = "sandbox"
AIRFLOW: Final = "airflow"
"""The extras of the package that demo and sandbox need."""

SKEW: Final = timedelta(minutes=1)
"""How far this machine's clock may be from AWS's; beyond five minutes AWS refuses the signatures."""

NOT_SET: Final = "is not set"
ASK_A_DEPLOYMENT: Final = "Name a deployment (`contactsync --environment NAME doctor`), or set it (docs/settings.md)."
NO_CREDENTIALS: Final = "Not looked at, because the credentials cannot be used."
NO_REGION: Final = "Not looked at, because no region is set."

REQUIREMENT: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?(?:[^;]*?[>=]=(?P<least>[0-9][0-9.]*))?"
    r"[^;]*(?:;.*extra == ['\"](?P<extra>\w+)['\"])?.*"
)
"""A requirement in the form that our pyproject.toml has, whose limits may stand in any order."""


@dataclass(frozen=True)
class Machine:
    """What is installed here."""

    python: tuple[int, int, int]
    product: str
    """The version of contactsync."""
    clone: Path | None
    """The clone that contactsync runs from; None for an installed wheel."""
    requirements: Sequence[str]
    """What the package requires, as its metadata say."""
    version_of: Callable[[str], str | None]
    """Returns a package's version, or None when it is not installed."""


@dataclass(frozen=True)
class KnownSettings:
    """The settings that are set, and where each comes from."""

    origins: Mapping[str, str]
    """By variable, in words."""
    environment: str | None = None
    """The deployment that `--environment` names."""
    error: ContactSyncError | None = None
    """Why that deployment's settings could not be found."""


@dataclass(frozen=True)
class Identity:
    """Who calls AWS."""

    account: str
    arn: str
    source: str
    """Where the credentials come from, in botocore's word."""
    skew: timedelta | None
    """How far this machine's clock is ahead of AWS's; None when AWS did not say its time."""


@dataclass(frozen=True)
class Look:
    """One read with these settings and credentials."""

    name: str
    read: Callable[[], str]
    """Returns what was found, as a sentence; raises a ContactSyncError."""
    needs_aws: bool = True


class Keyboard(Protocol):
    """The machine, and AWS as it is seen from there."""

    @property
    def machine(self) -> Machine:
        """What is installed."""

    @property
    def settings(self) -> KnownSettings:
        """What is set."""

    def region(self) -> str:
        """Return the region; raise SettingsError when none is set."""

    def identity(self) -> Identity:
        """Ask AWS whose credentials are used; raises an AwsCallError."""

    def looks(self) -> Iterable[Look]:
        """Return the reads."""


def check_keyboard(keyboard: Keyboard) -> Iterator[Finding]:
    """Make all checks, one after the other; nothing is changed."""
    yield from check_machine(keyboard.machine)
    yield check_settings(keyboard.settings)
    region = check_region(keyboard)
    yield region
    if region.is_ok:
        identified = list(check_identity(keyboard))
        yield from identified
        unusable = "" if all(one.is_ok or one.state is State.UNKNOWN for one in identified) else NO_CREDENTIALS
    else:
        yield unknown("credentials", NO_REGION, "")
        unusable = NO_REGION
    for look in keyboard.looks():
        yield unknown(look.name, unusable, "") if unusable and look.needs_aws else _looked(look)


def check_machine(machine: Machine) -> Iterator[Finding]:
    """Look at Python and its packages."""
    yield _python(machine)
    where = f"the clone {machine.clone}" if machine.clone else "an installed wheel"
    yield ok("contactsync", f"contactsync {machine.product}, from {where}.")
    lacking = list(_lacking(machine, ""))
    if lacking:
        yield failed("packages", f"Missing or too old: {_listed(lacking)}.", _install(machine, lacking))
    else:
        yield ok("packages", "What commands on a deployment need is installed.")
    yield _extra(machine, SANDBOX, "sandbox", "`contactsync sandbox`")
    yield _demo(machine)


def check_settings(settings: KnownSettings) -> Finding:
    """Say which settings there are, and where they come from."""
    if settings.error is not None:
        return failed("settings", *_said(settings.error))
    if not settings.origins:
        return unknown("settings", "No setting is set.", ASK_A_DEPLOYMENT)
    named: dict[str, list[str]] = {}
    for variable, origin in sorted(settings.origins.items()):
        named.setdefault(origin, []).append(variable)
    said = "; ".join(f"{len(variables)} from {origin} ({', '.join(variables)})" for origin, variables in named.items())
    return ok("settings", f"{said}.")


def check_region(keyboard: Keyboard) -> Finding:
    """Look whether a region is set."""
    try:
        return ok("region", f"{keyboard.region()}.")
    except SettingsError:
        return failed(
            "region",
            "No region is set.",
            "Name it with --region, with AWS_REGION or in the AWS profile (`aws configure`).",
        )
    except ContactSyncError as error:
        return failed("region", *_said(error))


def check_identity(keyboard: Keyboard) -> Iterator[Finding]:
    """Look whose credentials are used, and whether the clock is right."""
    try:
        identity = keyboard.identity()
    except ClockWrongError as error:
        yield failed("clock", "AWS refuses the time of this machine's signatures.", error.advice(Reader.COMMAND))
        return
    except ContactSyncError as error:
        yield failed("credentials", *_said(error))
        return
    yield ok("credentials", f"{identity.arn} in account {identity.account} (from {identity.source}).")
    if identity.skew is None:
        yield unknown("clock", "AWS's answer has no time.", "See with `date -u` whether this machine's clock is right.")
    elif abs(identity.skew) > SKEW:
        seconds = identity.skew.total_seconds()
        direction = "ahead of" if seconds > 0 else "behind"
        yield failed(
            "clock",
            f"This machine's clock is {abs(seconds):.0f} seconds {direction} AWS's.",
            "Set the clock (it should use NTP): beyond five minutes AWS refuses all calls.",
        )
    else:
        yield ok("clock", "This machine's clock agrees with AWS's.")


def _looked(look: Look) -> Finding:
    """Make a read; what is not there or denied has failed, what may pass by itself or is not set is unknown."""
    try:
        return ok(look.name, look.read())
    except SettingsError as error:
        absent = all(problem.startswith(NOT_SET) for problem in error.problems.values())
        said = "; ".join(f"{variable} {problem}" for variable, problem in error.problems.items())
        if absent:
            return unknown(look.name, f"{said}.", ASK_A_DEPLOYMENT)
        return failed(look.name, f"{said}.", "Correct it (docs/settings.md).")
    except ContactSyncError as error:
        if error.retryable:
            return unknown(look.name, *_said(error))
        return failed(look.name, *_said(error))


def _said(error: ContactSyncError) -> tuple[str, str]:
    """Return what happened and what to do, as two sentences where the error has two."""
    if isinstance(error, AwsCallError):
        return error.facts, error.advice(Reader.COMMAND)
    return error.sentence_for(Reader.COMMAND), ""


MAKE: Final = "Run `make setup`."


def _python(machine: Machine) -> Finding:
    version = ".".join(map(str, machine.python))
    note = "" if machine.python[:2] == MWAA_PYTHON else " (MWAA runs 3.12; this works too)"
    return ok("python", f"Python {version}{note}.")


def _extra(machine: Machine, extra: str, name: str, who: str) -> Finding:
    lacking = list(_lacking(machine, extra))
    if lacking:
        sentence = f"{who} needs what is missing here or too old: {_listed(lacking)}."
        return unknown(name, sentence, _install(machine, lacking))
    return ok(name, f"What {who} needs is installed.")


def _demo(machine: Machine) -> Finding:
    if machine.clone is None:
        sentence = "`contactsync demo` runs in a clone only: it needs the DAGs and the templates."
        return unknown("demo", sentence, "Clone the repository, and run `make run` there.")
    lacking = [*_lacking(machine, SANDBOX), *_lacking(machine, AIRFLOW)]
    if lacking:
        return unknown("demo", f"`contactsync demo` needs what is missing here or too old: {_listed(lacking)}.", MAKE)
    return ok("demo", "What `contactsync demo` needs is installed.")


def required(requirements: Iterable[str], extra: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Yield the requirements of an extra, or with an empty name those of everybody: as for pip, and in parts."""
    for text in requirements:
        found = REQUIREMENT.fullmatch(text)
        if found is not None and (found["extra"] or "") == extra:
            yield text.partition(";")[0].strip(), found


def how_to_install(requirements: Iterable[str], *, in_clone: bool) -> str:
    """Say how to get packages; each by its own name, because an index may have a foreign package named like ours."""
    return MAKE if in_clone else f"Run `pip install {shlex.join(requirements)}`."


def _install(machine: Machine, lacking: Iterable["_Lacking"]) -> str:
    return how_to_install((one.requirement for one in lacking), in_clone=machine.clone is not None)


@dataclass(frozen=True)
class _Lacking:
    """A required package that is not there, or too old."""

    requirement: str
    name: str
    version: str | None


def _lacking(machine: Machine, extra: str) -> Iterator[_Lacking]:
    for text, parts in required(machine.requirements, extra):
        version = machine.version_of(parts["name"])
        if version is None or _numbers(version) < _numbers(parts["least"] or "0"):
            yield _Lacking(text, parts["name"], version)


def _listed(lacking: Iterable[_Lacking]) -> str:
    return ", ".join(f"{one.name} {one.version}" if one.version else one.name for one in lacking)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers at a version's beginning, without zeros at the end: 2.0 is no newer than 2."""
    beginning = re.split(r"[^0-9.]", version, maxsplit=1)[0]
    numbers = [int(part) for part in beginning.split(".") if part]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
