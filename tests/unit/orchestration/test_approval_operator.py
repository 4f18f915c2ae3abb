"""The operator that asks for the approval of deletions in Airflow: it waits, passes, records, and loses no answer."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk import NEVER_EXPIRE
from airflow.sdk.exceptions import TaskAwaitingInput

from contactsync.errors import AccessDeniedError, OvertakenError
from contactsync.operations.operation import Verdict
from contactsync.orchestration import steps
from contactsync.orchestration.approval import DeletionApproval
from tests.support.builders import RUN, configuration, contact_of
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.approvals import AT, ONE, SECURITY, TWO, planned
from tests.support.worlds.world import World


class Store(dict[str, Any]):
    """Airflow's store of one task."""

    def set(self, key: str, value: Any, *, retention: object = None) -> None:
        """Keep a value; only what was asked is kept for as long as its run."""
        assert (retention is NEVER_EXPIRE) is (key in {steps.QUESTION_KEY, steps.ASKED_KEY})
        self[key] = value


def context(store: Store | None = None, *, try_number: int = 1, max_tries: int = 3) -> Any:
    """Return what Airflow gives the task."""
    ti = SimpleNamespace(id="an id", try_number=try_number, max_tries=max_tries, task=SimpleNamespace(retries=3))
    return {
        "dag_run": SimpleNamespace(run_id=RUN),
        "ti": ti,
        "task_instance": ti,
        "task_state_store": Store() if store is None else store,
    }


def answer(option: str = "Approve", *, user: str | None = "admin", timed_out: bool = False) -> dict[str, Any]:
    """Return the event with which Airflow resumes the task."""
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": AT,
        "responded_by_user": {"id": user, "name": user} if user else None,
        "timedout": timed_out,
    }


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> World:
    """Let the operator work on fakes, after the plan of a run that deletes; Airflow's database is left out."""
    world = planned(SECURITY)
    services = SimpleNamespace(steps=world.steps, clock=world.clock)
    monkeypatch.setattr(steps, "services", lambda: services)
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_: None)
    return world


def approval() -> DeletionApproval:
    """Return the operator."""
    return DeletionApproval(task_id="approve_deletions", retries=3)


def asked() -> Store:
    """Let the operator ask, and return the store of its task."""
    store = Store()
    with pytest.raises(TaskAwaitingInput):
        approval().execute(context(store))
    return store


def verdict_of(world: World) -> tuple[Verdict, str] | None:
    """Return what is stored about the deletion."""
    decision = world.operation().plans[SECURITY].decision
    return (decision.verdict, decision.by) if decision else None


def test_operator_waits(waiting: World) -> None:
    """The operator parks the task with what is asked and the configuration's time."""
    operator = approval()
    with pytest.raises(TaskAwaitingInput) as parked:
        operator.execute(context())
    assert parked.value.timeout == timedelta(hours=2)
    assert operator.defaults == ["Reject"]
    assert operator.subject == "Delete the security contact in up to 3 accounts?"
    assert verdict_of(waiting) is None


def test_operator_asks_no_more_than_is_shown(waiting: World) -> None:
    """A cleared task whose deletion has grown asks nobody, because the first question stays on the screen."""
    waiting.configurations.store(configuration(excluded_accounts=[ONE, TWO]))
    waiting.clock.sleep(60)
    waiting.plan()
    store = Store()
    with pytest.raises(TaskAwaitingInput):
        approval().execute(context(store))
    waiting.configurations.store(configuration(excluded_accounts=[ONE]))
    waiting.clock.sleep(60)
    waiting.plan()
    assert approval().execute(context(store, try_number=2, max_tries=4)) is None
    assert verdict_of(waiting) == (Verdict.NOT_ASKED, "")


def test_operator_passes(waiting: World) -> None:
    """Without a deletion the task ends at once."""
    waiting.contacts.stored[None, SECURITY] = contact_of(SECURITY)
    waiting.plan()
    assert approval().execute(context()) is None


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        (answer(), (Verdict.APPROVED, "airflow:admin")),
        (answer("Reject"), (Verdict.REJECTED, "airflow:admin")),
        (answer("Reject", user=None, timed_out=True), (Verdict.TIMED_OUT, "")),
        (answer("Approve", user=None, timed_out=True), (Verdict.TIMED_OUT, "")),
    ],
    ids=["approved", "rejected", "timed out", "default"],
)
def test_operator_records(waiting: World, event: dict[str, Any], verdict: tuple[Verdict, str]) -> None:
    """Every answer is recorded; none skips the next tasks, which raising or ApprovalOperator's own code would."""
    approval().execute_complete(context(asked()), event)
    assert verdict_of(waiting) == verdict


@pytest.mark.parametrize("event", [answer(), answer("Reject"), answer("Reject", user=None, timed_out=True)])
def test_planned_again_while_it_waits(waiting: World, event: dict[str, Any]) -> None:
    """An answer is about the plan that was asked about: after another one it decides nothing, however often tried."""
    waiting.configurations.store(configuration(excluded_accounts=[ONE, TWO]))
    waiting.clock.sleep(60)
    waiting.plan()
    store = asked()
    waiting.configurations.store(configuration())
    waiting.clock.sleep(60)
    waiting.plan()
    with pytest.raises(OvertakenError, match="approve_deletions") as refused:
        approval().execute_complete(context(store), event)
    assert not refused.value.retryable
    with pytest.raises(OvertakenError):
        approval().execute(context(store, try_number=2))
    assert verdict_of(waiting) is None
    assert SECURITY not in waiting.state.desired


def test_never_asked(waiting: World) -> None:
    """Nor does an answer to a question that this version has not put."""
    with pytest.raises(OvertakenError):
        approval().execute_complete(context(), answer())
    assert verdict_of(waiting) is None


def test_same_number_of_other_accounts(waiting: World) -> None:
    """A cleared task whose deletion touches as many accounts, but others, asks nobody."""
    waiting.configurations.store(configuration(excluded_accounts=[ONE]))
    waiting.clock.sleep(60)
    waiting.plan()
    store = asked()
    waiting.configurations.store(configuration(excluded_accounts=[TWO]))
    waiting.clock.sleep(60)
    waiting.plan()
    assert approval().execute(context(store, try_number=2, max_tries=4)) is None
    assert verdict_of(waiting) == (Verdict.NOT_ASKED, "")


def test_answer_survives_a_failure(waiting: World) -> None:
    """An answer that could not be recorded is recorded by the next try, and nobody is asked twice."""
    store = asked()
    waiting.contacts.faults.append(Fault(AccessDeniedError("GetAlternateContact", "AccessDeniedException"), times=1))
    with pytest.raises(AccessDeniedError):
        approval().execute_complete(context(store), answer())
    assert verdict_of(waiting) is None
    approval().execute(context(store, try_number=2))
    assert verdict_of(waiting) == (Verdict.APPROVED, "airflow:admin")


def test_clear_asks_again(waiting: World) -> None:
    """A cleared task asks again, whatever was answered before."""
    store = asked()
    approval().execute_complete(context(store), answer())
    with pytest.raises(TaskAwaitingInput):
        approval().execute(context(store, try_number=2, max_tries=4))
    assert verdict_of(waiting) is None
