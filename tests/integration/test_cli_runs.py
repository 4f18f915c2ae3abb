"""`contactsync sync`, `watch` and `retry` with a small Airflow: through the sandbox's InvokeRestApi, and directly."""

from collections.abc import Iterator

import pytest

from contactsync.cli import runs
from contactsync.sandbox.server import Sandbox
from tests.integration.conftest import Command, misused, refused
from tests.support.fakes.airflow import FakeAirflow, served

ONE, TWO = "222233330001", "222233330002"
RUN = "manual__2026-11-21T10:00:00_abc123"


@pytest.fixture(params=["MWAA", "address"])
def airflow(
    deployment: Sandbox, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[FakeAirflow]:
    """Give an Airflow, as the MWAA environment of the deployment or at an address; its runs are looked at at once."""
    monkeypatch.setattr(runs, "POLL", 0.01)
    fake = FakeAirflow()
    with served(fake) as url:
        if request.param == "MWAA":
            deployment.register_airflow(url, "user", "password")
        else:
            monkeypatch.delenv("CONTACTSYNC_MWAA_ENVIRONMENT")
            monkeypatch.setenv("CONTACTSYNC_AIRFLOW_URL", url)
        yield fake


def test_sync(contactsync: Command, airflow: FakeAirflow) -> None:
    """The output is the run's id and nothing else; the run gets what was asked for."""
    answer = contactsync("sync", "--contact-type", "security", "--account", ONE, "--account", TWO, "--ou", "Workloads")
    (run_id,) = airflow.runs
    assert (answer.code, answer.out) == (0, f"{run_id}\n")
    assert f"contactsync watch {run_id}" in answer.err
    assert airflow.runs[run_id]["conf"] == {
        "contact_types": ["security"],
        "accounts": [ONE, TWO],
        "organizational_units": ["Workloads"],
        "dry_run": False,
    }


def test_sync_of_everything(contactsync: Command, airflow: FakeAirflow) -> None:
    """Without options, everything is synchronized; each command starts a run of its own."""
    contactsync("sync")
    contactsync("sync", "--dry-run", "--reason", "after the move")
    first, second = (run["conf"] for run in airflow.runs.values())
    assert first == {"contact_types": [], "accounts": [], "organizational_units": [], "dry_run": False}
    assert second == {**first, "dry_run": True, "reason": "after the move"}


def test_sync_and_wait(contactsync: Command, airflow: FakeAirflow) -> None:
    """With --wait the command follows the run; the output stays the id."""
    airflow.looks = 3
    answer = contactsync("sync", "--wait")
    (run_id,) = airflow.runs
    assert (answer.code, answer.out) == (0, f"{run_id}\n")
    assert f"The run ended: success. See every account with: contactsync report {run_id}" in answer.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--account", "12"], "'12' is not an account id of 12 digits"),
        (["--account", ONE, "--account", "x"], "'x' is not an account id"),
        (["--contact-type", "legal"], "'legal' is not one of"),
    ],
)
def test_misused(contactsync: Command, airflow: FakeAirflow, arguments: list[str], text: str) -> None:
    """Wrong values are refused before anything is called."""
    misused(contactsync("sync", *arguments), text)
    assert airflow.calls == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["--ou", ""], "organizational_units.0"), (["--reason", "x" * 1001], "reason: String should have at most 1000")],
)
def test_refused_parameters(contactsync: Command, airflow: FakeAirflow, arguments: list[str], text: str) -> None:
    """What the run itself would refuse is refused before it is started."""
    refused(contactsync("sync", *arguments), text)
    assert airflow.calls == []


def test_paused(contactsync: Command, airflow: FakeAirflow) -> None:
    """A paused DAG is named, and no run is started."""
    airflow.paused = True
    refused(contactsync("sync", "--wait"), "The DAG contact_sync is paused in Airflow")
    assert airflow.runs == {}


def test_no_environment(contactsync: Command, deployment: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong name of the environment is an error of AWS, in one sentence."""
    assert deployment
    monkeypatch.setenv("CONTACTSYNC_MWAA_ENVIRONMENT", "contactsync-lokal")
    answer = contactsync("sync")
    refused(answer, "InvokeRestApi failed with ResourceNotFoundException (Amazon MWAA")
    assert "CONTACTSYNC_* settings" in answer.err


def test_no_settings(contactsync: Command, deployment: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both settings of the environment are named when they are missing."""
    assert deployment
    for name in ("CONTACTSYNC_MWAA_ENVIRONMENT", "CONTACTSYNC_MWAA_REGION"):
        monkeypatch.delenv(name)
    answer = contactsync("sync")
    assert answer.code == 1
    assert "CONTACTSYNC_MWAA_ENVIRONMENT" in answer.err
    assert "CONTACTSYNC_MWAA_REGION" in answer.err


def test_watch(contactsync: Command, airflow: FakeAirflow) -> None:
    """Each look prints a line without a terminal: the accounts, and what else is under way."""
    airflow.add(RUN, accounts=["success", "failed", "running", None], plan="success", approve_deletions="deferred")
    airflow.looks = 2
    answer = contactsync("watch")
    assert (answer.code, answer.out) == (0, "")
    assert f"Run {RUN}\n" in answer.err
    assert "  accounts 2/4: 1 failed, 1 running, 1 success; approve_deletions deferred\n" in answer.err


def test_watch_a_failed_run(contactsync: Command, airflow: FakeAirflow) -> None:
    """The exit code of a failed run is 1."""
    airflow.add(RUN, "failed", accounts=["success", "failed"], report="failed")
    answer = contactsync("watch", RUN)
    assert answer.code == 1
    assert "The run ended: failed." in answer.err


@pytest.mark.parametrize("command", ["watch", "retry"])
def test_unknown_run(contactsync: Command, airflow: FakeAirflow, command: str) -> None:
    """An unknown run is one sentence; so is an Airflow without runs."""
    answer = contactsync(command)
    assert answer.code == 1
    assert "Airflow has no run of the DAG contact_sync yet" in answer.err
    airflow.add(RUN, accounts=[])
    answer = contactsync(command, "another")
    assert answer.code == 1
    assert "Airflow has no run 'another' of the DAG contact_sync" in answer.err


def test_retry(contactsync: Command, airflow: FakeAirflow) -> None:
    """What is run again is counted by task; a second time nothing is left."""
    airflow.add(RUN, "failed", accounts=["success", "failed", "failed"], plan="success", report="failed")
    answer = contactsync("retry", RUN)
    assert answer.code == 0
    assert f"Tasks of run {RUN} that run again: 1 report, 2 sync_account." in answer.err
    assert "has failed, so nothing is run again" in contactsync("retry", RUN).err


def test_throttled_looks(contactsync: Command, airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that AWS throttles is repeated; so many in a row that it does not pass end the command."""
    monkeypatch.setattr(runs, "MOST_FAILURES", 3)
    airflow.add(RUN, "success", accounts=["success"])
    failures = iter([503, 503])
    answers = airflow.answer

    def answer(method: str, path: str, body: dict[str, object], parameters: dict[str, object]) -> tuple[int, object]:
        status = next(failures, None)
        return (status, {"detail": "restarting"}) if status else answers(method, path, body, parameters)

    monkeypatch.setattr(airflow, "answer", answer)
    seen = contactsync("watch", RUN)
    assert seen.code == 0
    assert seen.err.count("Looking again.") >= 1
    failures = iter([503] * 100)
    assert contactsync("watch", RUN).code == 1


def test_silent_airflow(contactsync: Command, airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """An Airflow that is not there is one sentence with its address, and nothing is asked of AWS."""
    monkeypatch.setenv("CONTACTSYNC_AIRFLOW_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("CONTACTSYNC_AIRFLOW_TOKEN", "made-up")
    answer = contactsync("sync")
    refused(answer, "No Airflow answers at http://127.0.0.1:9 (Connection refused)")
    assert "made-up" not in answer.err
    watched = contactsync("watch", RUN)
    assert (watched.code, "Looking again" in watched.err) == (1, False)
    assert airflow.calls == []
