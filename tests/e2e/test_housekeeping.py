"""Housekeeping on a real Airflow: operations whose run was deleted or marked failed get a true end."""

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from contactsync.cli.local.local_system import DAG_ID
from contactsync.operations.operation import OperationStatus, OutcomeDetail
from tests.e2e.accidents import operation, wait_for
from tests.e2e.test_deletion import TYPE, configured, delete, wait_for_question
from tests.e2e.test_notices import MAIL, notified

if TYPE_CHECKING:
    from tests.e2e.conftest import World

HOUSEKEEPING = "contact_housekeeping"

LOOKS = 20
"""So many looks in a row, a tenth of a second apart, must find the run failed: the scheduler passes in between."""


@pytest.fixture
def waiting(world: "World") -> Any:
    """Give a run that waits for an approval, so that it has not reported."""
    assert world.change(world.new_contact(), TYPE)[1] == "success"
    with configured(world):
        run_id = delete(world)
        wait_for_question(world, run_id)
    return run_id


def keep_house(world: "World") -> None:
    """Run the housekeeping as its schedule does."""
    run_id = str(world.api.trigger(HOUSEKEEPING)["dag_run_id"])
    assert world.api.wait_for_run(HOUSEKEEPING, run_id, seconds=120)["state"] == "success"


def mark_failed(world: "World", run_id: str) -> None:
    """Mark a run as failed, as an operator does, until it stays so.

    A pass of the scheduler that began before may call the run successful afterwards, since its tasks are skipped.
    """
    path, staying = f"/dags/{DAG_ID}/dagRuns/{run_id}", 0

    def stays() -> bool:
        nonlocal staying
        run = world.api.run(DAG_ID, run_id)
        staying = staying + 1 if run and run["state"] == "failed" else 0
        if not staying:
            world.api.call("PATCH", path, {"state": "failed"})
        return staying > LOOKS

    wait_for(world, stays, "the run stays failed")


def test_runs_by_itself(world: "World") -> None:
    """The DAG is parsed, not paused, and has a schedule."""
    world.system.airflow.wait_for_dag(HOUSEKEEPING)
    dag = world.api.dag(HOUSEKEEPING)
    assert dag is not None
    assert dag["next_dagrun_run_after"] is not None


@pytest.mark.long
def test_unplanned_run(world: "World") -> None:
    """Housekeeping sees a run that waits because the DAG is paused, and none when it is planned or cleared."""
    world.api.pause(DAG_ID)
    try:
        run_id = str(world.api.trigger(DAG_ID, {"dry_run": True})["dag_run_id"])  # which asks for no approval
        keep_house(world)
        assert unplanned(world)
    finally:
        world.api.pause(DAG_ID, paused=False)
    assert world.finish(run_id) == "success"
    keep_house(world)
    assert not unplanned(world)
    world.api.clear(DAG_ID, run_id, ["report"])
    keep_house(world)
    assert not unplanned(world)
    assert world.finish(run_id) == "success"


def unplanned(world: "World") -> bool:
    """Tell whether housekeeping has seen runs that are not planned, at its last look."""
    table: Any = boto3.resource("dynamodb").Table(world.system.environment["CONTACTSYNC_STATE_TABLE"])
    return "Item" in table.get_item(Key={"pk": "HOUSEKEEPING", "sk": "UNPLANNED"}, ConsistentRead=True)


@pytest.mark.long
def test_deleted_run(world: "World", waiting: str) -> None:
    """A run that waits is left alone; once it is deleted, its operation is failed, with a reason and its counts."""
    keep_house(world)
    assert operation(world, waiting).status is OperationStatus.IN_PROGRESS
    # Airflow deletes no active run; until somebody marks it failed, it stays.
    mark_failed(world, waiting)
    world.api.call("DELETE", f"/dags/{DAG_ID}/dagRuns/{waiting}")
    keep_house(world)
    found = operation(world, waiting)
    assert found.status is OperationStatus.FAILED
    assert found.finished is not None
    assert found.note == "Closed by housekeeping: Airflow no longer has its run."
    assert found.counts == {"failed": len(world.targets), "skipped": 2}
    assert {world.outcomes(waiting)[account].detail for account in world.targets} == {OutcomeDetail.NO_OUTCOME}
    keep_house(world)
    assert operation(world, waiting) == found
    # People heard of the question, and then of an end that no callback told.
    assert notified(world, waiting) == {"approval_waiting": {MAIL}, "complete_failure": {MAIL}}


@pytest.mark.long
def test_run_marked_failed(world: "World", waiting: str) -> None:
    """A run that somebody marked as failed gets a failed operation; once cleared, its report has the last word."""
    mark_failed(world, waiting)
    keep_house(world)
    found = operation(world, waiting)
    assert found.status is OperationStatus.FAILED
    assert "its run failed before it could report" in (found.note or "")

    assert world.change(world.new_contact(), TYPE)[1] == "success"
    world.api.clear(DAG_ID, waiting)
    assert world.finish(waiting) == "success"
    assert operation(world, waiting).status is OperationStatus.COMPLETED
