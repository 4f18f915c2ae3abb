"""Deleted contacts on a real Airflow: nothing is deleted in a member account without an approval or a policy."""

import json
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from contactsync.account_management.api_operations import ApiOperation
from contactsync.account_management.quotas import RatesConfig
from contactsync.cli.local.local_system import DAG_ID
from contactsync.operations.operation import OperationStatus, OutcomeDetail, Verdict
from contactsync.pacing.rates import Rate
from tests.e2e import accidents
from tests.e2e.accidents import operation, wait_for
from tests.e2e.test_runs import contactsync

if TYPE_CHECKING:
    from tests.e2e.conftest import World

TYPE = "OPERATIONS"
TASK = "approve_deletions"
DETAILS = "/dags/{dag}/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails"

FAST_DELETES = RatesConfig(operations={ApiOperation.DELETE_ALTERNATE_CONTACT: Rate(rate=50, burst=100)})
"""The sandbox's quotas are off in this world, and a second per account would make the tests slow."""


def configured(world: "World", *, excluded: tuple[str, ...] = (), **deletion: Any) -> AbstractContextManager[None]:
    """Change the configuration for a while."""
    settings = world.system.services.configurations.latest().configuration
    return accidents.configured(
        world,
        deletion=deletion,
        rates=FAST_DELETES.model_dump(mode="json"),
        excluded_accounts=[*settings.excluded_accounts, *excluded],
    )


@pytest.fixture
def carried(world: "World") -> "World":
    """Let the management account and all targets carry one contact."""
    contact = world.new_contact()
    _, state = world.change(contact, TYPE)
    assert state == "success"
    assert all(world.member_contact(account, TYPE) == contact for account in world.targets)
    return world


def delete(world: "World") -> str:
    """Delete the contact of the management account, and return the id of the run that this starts."""
    before = world.run_ids()
    world.management.delete_alternate_contact(AlternateContactType=TYPE)
    return world.wait_for_new_run(before)


def wait_for_question(world: "World", run_id: str) -> dict[str, Any]:
    """Wait until the run waits for a person, and return what Airflow shows that person.

    No person answers before the scheduler has seen the task's process end, so a test must not either: Airflow would
    take the task for killed, and ask again.
    """
    log = world.system.airflow.home / "components" / "scheduler.log"

    def parked(task: dict[str, Any]) -> bool:
        seen = (f"run_id={run_id},", "state=awaiting_input", f"try_number={task['try_number']},")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return any("TaskInstance Finished" in line and all(part in line for part in seen) for line in lines)

    def waiting() -> dict[str, Any] | None:
        (task,) = world.api.task_instances(DAG_ID, run_id, task_id=TASK)
        return dict(task) if task["state"] == "awaiting_input" and parked(task) else None

    world.api.wait_until(waiting, "the run waits for a person", seconds=60)
    return dict(world.api.call("GET", DETAILS.format(dag=DAG_ID, run=run_id, task=TASK)))


def answer(world: "World", run_id: str, option: str) -> None:
    """Answer as the button of Airflow's screen does."""
    path = DETAILS.format(dag=DAG_ID, run=run_id, task=TASK)
    world.api.call("PATCH", path, {"chosen_options": [option], "params_input": {}})


def has_contact(world: "World", account: str) -> bool:
    """Tell whether an account has the contact."""
    try:
        world.member_contact(account, TYPE)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return False
        raise
    return True


def carrying(world: "World") -> set[str]:
    """Return the targets that have the contact."""
    return {account for account in world.targets if has_contact(world, account)}


def deletes(world: "World", start: int) -> list[str | None]:
    """Return the accounts whose contact was deleted since a point of the call log, one for each call."""
    calls = world.call_log.query(service="account", operation="DeleteAlternateContact", since=start)
    return [call.target_account for call in calls if call.target_account]


def decision(world: "World", run_id: str) -> tuple[Verdict, str] | None:
    """Return who decided what."""
    (plan,) = operation(world, run_id).plans.values()
    return (plan.decision.verdict, plan.decision.by) if plan.decision else None


def details(world: "World", run_id: str) -> set[OutcomeDetail | None]:
    """Return the details of the targets' outcomes."""
    outcomes = world.outcomes(run_id)
    return {outcomes[account].detail for account in world.targets}


def test_approved(carried: "World") -> None:
    """The run waits with the number of accounts, deletes nothing before the approval, and then everywhere."""
    world = carried
    with configured(world):
        start = world.mark()
        run_id = delete(world)
        question = wait_for_question(world, run_id)
        number = len(world.targets)
        assert question["subject"] == f"Delete the operations contact in up to {number} accounts?"
        assert f"| operations | {number} |" in question["body"]
        assert operation(world, run_id).initiating_user in question["body"]
        assert deletes(world, start) == []
        assert carrying(world) == set(world.targets)

        answer(world, run_id, "Approve")
        assert world.finish(run_id) == "success"
    assert carrying(world) == set()
    assert sorted(map(str, deletes(world, start))) == sorted(world.targets)
    assert details(world, run_id) == {OutcomeDetail.DELETED}
    assert decision(world, run_id) == (Verdict.APPROVED, "airflow:admin")
    assert "airflow:admin approved the deletion" in world.api.log(DAG_ID, run_id, "report")


def test_answered_from_a_terminal(carried: "World") -> None:
    """A question is listed through InvokeRestApi, cannot be answered through it, and is answered at Airflow itself."""
    world = carried
    with configured(world):
        run_id = delete(world)
        question = wait_for_question(world, run_id)
        listed = contactsync(world, "approvals", "list", "-o", "json")
        assert listed.returncode == 0, listed.stderr
        found = {row["run_id"]: (row["subject"], row["question"]) for row in json.loads(listed.stdout)}
        assert found[run_id] == (question["subject"], question["body"])
        refused = contactsync(world, "approvals", "reject", run_id, "--yes")
        assert (refused.returncode, "Nothing was answered." in refused.stderr) == (4, True), refused.stderr
        rejected = contactsync(world, "approvals", "reject", run_id, "--yes", direct=True)
        assert rejected.returncode == 0, rejected.stderr
        assert world.finish(run_id) == "success"
    assert decision(world, run_id) == (Verdict.REJECTED, "airflow:admin")
    assert carrying(world) == set(world.targets)
    again = contactsync(world, "approvals", "approve", run_id, "--yes", direct=True)
    assert (again.returncode, "does not wait for an answer" in again.stderr) == (1, True), again.stderr


@pytest.mark.long
def test_rejected(carried: "World") -> None:
    """A rejection deletes nothing; the run is green and its report says who rejected; the next change goes on."""
    world = carried
    with configured(world):
        start = world.mark()
        run_id = delete(world)
        wait_for_question(world, run_id)
        answer(world, run_id, "Reject")
        assert world.finish(run_id) == "success"
    _deleted_nowhere(world, run_id, start)
    assert decision(world, run_id) == (Verdict.REJECTED, "airflow:admin")
    assert "airflow:admin rejected the deletion" in world.api.log(DAG_ID, run_id, "report")
    contact = world.new_contact()
    assert world.change(contact, TYPE)[1] == "success"
    assert all(world.member_contact(account, TYPE) == contact for account in world.targets)


def _deleted_nowhere(world: "World", run_id: str, start: int) -> None:
    assert deletes(world, start) == []
    assert carrying(world) == set(world.targets)
    assert details(world, run_id) == {OutcomeDetail.NOT_APPROVED}
    found = operation(world, run_id)
    assert found.status is OperationStatus.COMPLETED
    assert found.counts["skipped"] == len(world.members)
    states = {task["task_id"]: task["state"] for task in world.api.task_instances(DAG_ID, run_id)}
    assert states["sync_account"] == "success"


@pytest.mark.long
def test_timed_out(carried: "World") -> None:
    """Without an answer in the configuration's time nothing is deleted, and the report says so."""
    world = carried
    with configured(world, approval_timeout=5):
        start = world.mark()
        run_id = delete(world)
        assert world.finish(run_id) == "success"
    _deleted_nowhere(world, run_id, start)
    assert decision(world, run_id) == (Verdict.TIMED_OUT, "")
    assert "Nobody approved the deletion" in world.api.log(DAG_ID, run_id, "report")


@pytest.mark.long
def test_restored_while_waiting(carried: "World") -> None:
    """A change that comes while a run waits is carried over at once; approving the deletion then deletes nothing."""
    world = carried
    with configured(world):
        start = world.mark()
        waiting = delete(world)
        wait_for_question(world, waiting)
        contact = world.new_contact()
        _, state = world.change(contact, TYPE)
        assert state == "success"
        assert all(world.member_contact(account, TYPE) == contact for account in world.targets)

        answer(world, waiting, "Approve")
        assert world.finish(waiting) == "success"
    _deleted_nowhere(world, waiting, start)
    assert all(world.member_contact(account, TYPE) == contact for account in world.targets)
    assert decision(world, waiting) == (Verdict.WITHDRAWN, "airflow:admin")
    assert "there again" in world.api.log(DAG_ID, waiting, "report")


@pytest.mark.long
def test_propagated(carried: "World") -> None:
    """With the policy `propagate` nobody is asked; AWS's 404 counts as success, whoever had deleted the contact.

    An account whose contact is gone although its record says otherwise is not trusted to be so: it is deleted again.
    """
    world = carried
    without, answered_404 = world.targets[0], world.targets[1]
    world.management.delete_alternate_contact(AccountId=without, AlternateContactType=TYPE)
    fault = {"operation": "DeleteAlternateContact", "account": answered_404, "error": "ResourceNotFoundException"}
    world.control("POST", "faults", {**fault, "stage": "after", "count": 1})
    try:
        with configured(world, policy="propagate"):
            start = world.mark()
            run_id = delete(world)
            assert world.finish(run_id) == "success"
    finally:
        world.control("DELETE", "faults")
    assert carrying(world) == set()
    assert sorted(map(str, deletes(world, start))) == sorted(world.targets)
    calls = world.call_log.query(service="account", operation="DeleteAlternateContact", since=start)
    refused = {call.target_account for call in calls if call.error_code == "ResourceNotFoundException"}
    assert refused == {without, answered_404}
    assert details(world, run_id) == {OutcomeDetail.DELETED}
    assert {len(world.outcomes(run_id)[account].attempts) for account in world.targets} == {1}
    assert decision(world, run_id) is None


def test_ignored(carried: "World") -> None:
    """With the policy `ignore` nobody is asked and nothing is deleted."""
    world = carried
    with configured(world, policy="ignore"):
        start = world.mark()
        run_id = delete(world)
        assert world.finish(run_id) == "success"
    _deleted_nowhere(world, run_id, start)
    assert decision(world, run_id) is None


@pytest.mark.long
def test_clear(carried: "World") -> None:
    """Failed accounts that are cleared delete without asking again; the approval that is cleared asks again."""
    world = carried
    denied = world.targets[3]
    fault = {"operation": "DeleteAlternateContact", "account": denied, "error": "AccessDeniedException"}
    world.control("POST", "faults", fault)
    try:
        with configured(world):
            run_id = delete(world)
            wait_for_question(world, run_id)
            answer(world, run_id, "Approve")
            assert world.finish(run_id) == "failed"
    finally:
        world.control("DELETE", "faults")
    assert carrying(world) == {denied}
    cleared = world.api.clear(DAG_ID, run_id, only_failed=True, downstream=True)
    assert {task["task_id"] for task in cleared} == {"sync_account", "report"}
    assert world.finish(run_id) == "success"
    assert carrying(world) == set()
    attempts = world.outcomes(run_id)[denied].attempts
    assert [attempt.detail for attempt in attempts] == [OutcomeDetail.PERMISSION_DENIED, OutcomeDetail.DELETED]
    assert len(world.api.tries(DAG_ID, run_id, TASK)) == 1

    world.api.clear(DAG_ID, run_id, [TASK], downstream=True)
    wait_for_question(world, run_id)
    assert decision(world, run_id) is None
    answer(world, run_id, "Reject")
    assert world.finish(run_id) == "success"
    assert decision(world, run_id) == (Verdict.REJECTED, "airflow:admin")


@pytest.mark.long
def test_question_stays_true(carried: "World") -> None:
    """Airflow keeps the first question of a run; when a repeated plan would delete more, nobody is asked."""
    world = carried
    start = world.mark()
    with configured(world, excluded=(world.targets[0],)):
        run_id = delete(world)
        question = wait_for_question(world, run_id)
        assert f"| operations | {len(world.targets) - 1} |" in question["body"]
        answer(world, run_id, "Reject")
        assert world.finish(run_id) == "success"
    with configured(world):
        world.api.clear(DAG_ID, run_id)
        assert world.finish(run_id) == "success"
    _deleted_nowhere(world, run_id, start)
    assert decision(world, run_id) == (Verdict.NOT_ASKED, "")
    assert "To be asked, start a run by hand" in world.api.log(DAG_ID, run_id, "report", try_number=2)


@pytest.mark.long
def test_cleared_run_of_an_earlier_change(carried: "World") -> None:
    """A run that failed in part, cleared after others' deletions were rejected and approved, deletes nowhere."""
    world = carried
    denied, approved = world.targets[3], world.targets[0]
    fault = {"operation": "PutAlternateContact", "account": denied, "error": "AccessDeniedException"}
    world.control("POST", "faults", fault)
    try:
        changed, state = world.change(world.new_contact(), TYPE)
    finally:
        world.control("DELETE", "faults")
    assert state == "failed"
    with configured(world):
        rejected = delete(world)
        wait_for_question(world, rejected)
        answer(world, rejected, "Reject")
        assert world.finish(rejected) == "success"
        start = world.mark()
        conf = {"accounts": [approved], "contact_types": ["operations"]}
        one = str(world.api.trigger(DAG_ID, conf)["dag_run_id"])
        assert wait_for_question(world, one)["subject"] == "Delete the operations contact in up to 1 account?"
        answer(world, one, "Approve")
        assert world.finish(one) == "success"
        assert deletes(world, start) == [approved]

        world.api.clear(DAG_ID, changed, only_failed=True, downstream=True)
        assert world.finish(changed) == "success"
        world.api.clear(DAG_ID, changed, ["sync_account"], downstream=True)
        assert world.finish(changed) == "success"
    assert deletes(world, start) == [approved]
    assert carrying(world) == set(world.targets) - {approved}
    assert world.outcomes(changed)[denied].detail is OutcomeDetail.SUPERSEDED


@pytest.mark.long
def test_plan_cleared_alone(carried: "World") -> None:
    """An answer to a question about one account deletes in none when the plan has thirteen by then."""
    world = carried
    start = world.mark()
    with configured(world, excluded=tuple(world.targets[1:])):
        run_id = delete(world)
        question = wait_for_question(world, run_id)
        assert question["subject"] == "Delete the operations contact in up to 1 account?"
    with configured(world):
        world.api.clear(DAG_ID, run_id, ["plan"], downstream=False)
        wait_for(world, lambda: _tries_of_plan(world, run_id) == ["success", "success"], "the plan has run again")
        answer(world, run_id, "Approve")
        assert world.finish(run_id) == "failed"
        assert "was planned again after its question was asked" in world.api.log(DAG_ID, run_id, TASK)
        assert decision(world, run_id) is None
        # As the error says.
        world.api.clear(DAG_ID, run_id, [TASK], downstream=True)
        assert world.finish(run_id) == "success"
    assert decision(world, run_id) == (Verdict.NOT_ASKED, "")
    assert deletes(world, start) == []
    assert carrying(world) == set(world.targets)


def _tries_of_plan(world: "World", run_id: str) -> list[str]:
    return [str(task["state"]) for task in world.api.tries(DAG_ID, run_id, "plan")]
