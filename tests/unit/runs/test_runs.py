"""Runs of contact_sync through Airflow's REST API."""

from collections import Counter

import pytest

from contactsync.errors import AirflowRefusedError, DagPausedError, NoRunsError, RunUnknownError
from contactsync.runs.runs import COUNTED, PAGE, Runs
from tests.support.fakes.airflow import FakeAirflow

RUN = "manual__2026-11-21T10:00:00_abc123"
LONG = "a-run-with-a-long-id-that-somebody-typed_in-2026-11-21T10:00:00+00:00"


def test_start() -> None:
    """A run is started once, however often the command repeats the call, with what the person asked for."""
    airflow = FakeAirflow()
    for _ in range(2):
        Runs(airflow).start(RUN, {"dry_run": True})
    assert {run_id: run["conf"] for run_id, run in airflow.runs.items()} == {RUN: {"dry_run": True}}


def test_start_while_paused() -> None:
    """Nothing is started while the DAG is paused: the run would only wait."""
    airflow = FakeAirflow()
    airflow.paused = True
    with pytest.raises(DagPausedError, match="switch the DAG on"):
        Runs(airflow).start(RUN, {})
    assert airflow.runs == {}


def test_start_without_the_dag() -> None:
    """A missing DAG is said, with where to look."""
    airflow = FakeAirflow()
    airflow.has_dag = False
    with pytest.raises(AirflowRefusedError, match=r"status 404: The Dag.*import error") as caught:
        Runs(airflow).start(RUN, {})
    assert not caught.value.retryable


def test_newest() -> None:
    """The newest run is that which was started last."""
    airflow = FakeAirflow()
    with pytest.raises(NoRunsError, match="contactsync sync"):
        Runs(airflow).newest()
    for run_id in ("first", "second"):
        Runs(airflow).start(run_id, {})
    assert Runs(airflow).newest() == "second"


@pytest.mark.parametrize("run_id", [RUN, LONG, "with/slash"])
def test_progress(run_id: str) -> None:
    """Account tasks are counted by state, the other tasks are named, whatever the length of the id."""
    airflow = FakeAirflow()
    airflow.add(f"{run_id}-and-more", "failed", accounts=[], plan="failed")
    accounts = ["success", "failed", "up_for_retry", None]
    airflow.add(run_id, accounts=accounts, plan="success", approve_deletions="skipped", report=None)
    seen = Runs(airflow).progress(run_id)
    assert (seen.run_id, seen.state, seen.has_ended) == (run_id, "running", False)
    assert seen.accounts == Counter(success=1, failed=1, up_for_retry=1, none=1)
    assert seen.tasks == {"plan": "success", "approve_deletions": "skipped", "report": "none"}
    assert seen.ended_accounts == 2


def test_progress_before_the_plan() -> None:
    """The account task that is not mapped yet is no account."""
    airflow = FakeAirflow()
    airflow.add(RUN, accounts=[], plan="running", sync_account=None)
    seen = Runs(airflow).progress(RUN)
    assert (seen.accounts, seen.tasks) == (Counter(), {"plan": "running"})


def test_progress_of_a_big_run() -> None:
    """A run of ten thousand accounts is counted with as many calls as one of a few hundred and some more."""
    airflow = FakeAirflow()
    accounts: list[str | None] = ["success"] * 7000 + ["running"] * 12 + ["up_for_reschedule"] * 100
    accounts += ["scheduled"] * 88 + [None] * 2800
    airflow.add(RUN, accounts=accounts, plan="success", report=None)
    seen = Runs(airflow).progress(RUN)
    assert seen.accounts == Counter(success=7000, running=12, up_for_reschedule=100, none=2888)
    assert seen.tasks == {"plan": "success", "report": "none"}
    assert len(airflow.calls) == 4 + len(COUNTED)


@pytest.mark.parametrize("more", [0, 1])
def test_both_ways_to_count(more: int) -> None:
    """The numbers are the same on both sides of the page's size."""
    airflow = FakeAirflow()
    accounts: list[str | None] = ["success"] * (PAGE - 2 + more)
    airflow.add(RUN, accounts=accounts, plan="success", report="running")
    seen = Runs(airflow).progress(RUN)
    assert (seen.accounts, seen.tasks) == (Counter(success=len(accounts)), {"plan": "success", "report": "running"})


@pytest.mark.parametrize("run_id", [RUN, LONG])
def test_unknown(run_id: str) -> None:
    """An id that Airflow does not know is refused, also when another run's id begins with it."""
    airflow = FakeAirflow()
    airflow.add(f"{run_id}-and-more", accounts=[])
    for command in (Runs(airflow).progress, Runs(airflow).retry):
        with pytest.raises(RunUnknownError, match="contactsync operations list"):
            command(run_id)


def test_retry() -> None:
    """Failed tasks are cleared with those that waited for them; the others are left alone."""
    airflow = FakeAirflow()
    airflow.add(RUN, "failed", accounts=["success", "failed", "failed"], plan="success", report="failed")
    assert Counter(Runs(airflow).retry(RUN)) == Counter(sync_account=2, report=1)
    assert Runs(airflow).progress(RUN).accounts == Counter(success=1, none=2)
    assert Runs(airflow).retry(RUN) == []


@pytest.mark.parametrize(("status", "retryable"), [(None, True), (503, True), (403, False), (422, False)])
def test_which_refusals_pass(status: int | None, *, retryable: bool) -> None:
    """Only Airflow's own failures may pass by themselves."""
    assert AirflowRefusedError("GET /dags", status, "x").retryable is retryable
