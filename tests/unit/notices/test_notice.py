"""The notice that is built from a request and an operation: numbers, causes, what to do, links."""

import csv
import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from contactsync.bus.events import NoticeRequested
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    ConfigurationMissingError,
    EventInvalidError,
    MappingLimitError,
    RequestInvalidError,
    ServiceUnavailableError,
    TrustedAccessOffError,
)
from contactsync.notices.failures import LISTED, failure_rows, failures_csv, figures_of
from contactsync.notices.notice import Notice, NoticeOrigin, notice_of
from contactsync.notices.remedies import BY_DETAIL, UNKNOWN, remedy_of_error, remedy_of_outcome
from contactsync.notices.scenarios import Scenario
from contactsync.operations.operation import (
    AccountOutcome,
    Decision,
    Halt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
    Verdict,
)
from tests.support.builders import RUN, account, operation
from tests.support.fakes.surroundings import START, Fault
from tests.support.worlds.world import World

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
ORIGIN = NoticeOrigin("test", "correlation-1", START)
DENIED = (OutcomeStatus.SKIPPED, OutcomeDetail.PERMISSION_DENIED, "AccessDeniedException")
BROKEN = (OutcomeStatus.FAILED, OutcomeDetail.UNAVAILABLE, "InternalServerException")
FINE = (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED, None)
EXCLUDED = (OutcomeStatus.SKIPPED, OutcomeDetail.EXCLUDED, None)

Outcome = tuple[OutcomeStatus, OutcomeDetail, str | None]


def outcomes(*ends: Outcome, contact_type: ContactType = SECURITY) -> list[AccountOutcome]:
    """Return an outcome per member, in their order."""
    return [
        AccountOutcome(account(number).account_id, account(number).name, contact_type, status, detail, error_code=code)
        for number, (status, detail, code) in enumerate(ends, start=1)
    ]


def request(scenario: Scenario, **parts: Any) -> NoticeRequested:
    """Return the request for a notice."""
    values = {"notice_id": "notice-1", "scenario": scenario, "priority": "high", **parts}
    return NoticeRequested.model_validate(values)


def built(scenario: Scenario, *ends: Outcome, **parts: Any) -> Notice:
    """Return the notice of an operation about the security contact with these outcomes."""
    ended = operation(SECURITY, **{"status": OperationStatus.FAILED, "finished": START, **parts})
    return notice_of(request(scenario), ORIGIN, ended, outcomes(*ends))


@pytest.mark.parametrize(
    ("scenario", "ends", "expected"),
    [
        (Scenario.COMPLETE_FAILURE, [BROKEN, BROKEN, EXCLUDED], "All 2 accounts failed: security"),
        (Scenario.COMPLETE_FAILURE, [BROKEN], "1 of 1 account failed: security"),
        (Scenario.PARTIAL_FAILURE, [BROKEN, FINE, FINE], "1 of 3 accounts failed: security"),
        (Scenario.PERMISSION_ERRORS, [DENIED, FINE, FINE], "AWS denies the permission for 1 of 3 accounts: security"),
        (Scenario.SYSTEM_ERRORS, [BROKEN, FINE, FINE], "System errors in 1 of 3 accounts: security"),
        (
            Scenario.PERMISSION_ERRORS,
            [DENIED, BROKEN, FINE],
            "AWS denies the permission for 1 of 3 accounts, 2 failed in all: security",
        ),
        (Scenario.SYSTEM_ERRORS, [DENIED, BROKEN, FINE], "System errors in 1 of 3 accounts, 2 failed in all: security"),
        (Scenario.SUCCESS_COMPLETION, [FINE, FINE, EXCLUDED], "Completed in all 2 accounts: security"),
        (Scenario.SUCCESS_COMPLETION, [FINE, BROKEN], "Completed in 1 of 2 accounts: security"),
        (Scenario.CONFIGURATION_ERRORS, [FINE, BROKEN], "A configuration error stopped the run: security"),
    ],
)
def test_headlines(scenario: Scenario, ends: list[Outcome], expected: str) -> None:
    """A headline has the numbers that matter for its scenario."""
    assert built(scenario, *ends).headline == expected


def test_headline_of_several_types() -> None:
    """Accounts are counted once, and one of whose contacts only some failed is not said to have failed as a whole."""
    both = [*outcomes(BROKEN, FINE), *outcomes(FINE, BROKEN, contact_type=BILLING)]
    ended = operation(SECURITY, BILLING, status=OperationStatus.FAILED)
    notice = notice_of(request(Scenario.PARTIAL_FAILURE), ORIGIN, ended, both)
    assert notice.headline == "2 of 2 accounts failed in part: security, billing"
    assert notice.causes[0].accounts == 2
    assert notice.failures_total == 2


def test_dry_run() -> None:
    """A dry run is called one."""
    assert built(Scenario.PARTIAL_FAILURE, BROKEN, FINE, dry_run=True).headline.startswith("Dry run: 1 of 2")


def test_mended_meanwhile() -> None:
    """A notice that comes late does not claim failures that are gone."""
    late = built(Scenario.COMPLETE_FAILURE, FINE, FINE, status=OperationStatus.COMPLETED)
    assert late.headline == "Fixed meanwhile, no failure is left in 2 accounts: security"
    assert (late.causes, late.afterwards, late.failures) == ((), (), ())


@pytest.mark.parametrize("code", ["TrustedAccessOff", None])
def test_task_of_a_cleared_run(code: str | None) -> None:
    """A task that fails after an earlier try ended well is not told as fixed: the numbers stored are not its own."""
    asked = request(Scenario.PERMISSION_ERRORS, code=code, of_task=True, dag_run_id=RUN)
    before = operation(SECURITY, status=OperationStatus.COMPLETED, finished=START)
    notice = notice_of(asked, ORIGIN, before, outcomes(FINE, FINE))
    assert notice.headline == f"AWS denies the permission, the run stopped{f' ({code})' if code else ''}"
    assert notice.what_happened[0] == f"Run {RUN} of the DAG contact_sync."
    assert notice.what_happened[1].startswith("Stored before that: Sync operation ")
    assert len(notice.causes) == 1
    assert "clear the failed task" in notice.afterwards[0].say


@pytest.mark.parametrize(
    ("code", "cleared", "again"), [("RunRequest", False, True), ("ScopeEmpty", True, True), ("RunClaim", True, False)]
)
def test_wrong_parameters(code: str, cleared: bool, again: bool) -> None:  # noqa: FBT001 -- columns of the table
    """A cleared run keeps its parameters, so wrong ones are not answered by clearing it."""
    notice = notice_of(request(Scenario.CONFIGURATION_ERRORS, code=code, of_task=True, dag_run_id=RUN), ORIGIN)
    (last,) = notice.afterwards
    assert ("in Airflow clear the failed task" in last.say) is cleared
    assert ("do not clear" in last.say.lower() and "trigger contact_sync again" in last.say) is again


def plan_of_deletion(verdict: Verdict | None) -> TypePlan:
    """Return the plan of a deletion that a person decided so about, or that waits."""
    decision = Decision(verdict, "", START) if verdict else None
    return TypePlan(1, absent=True, approved=False, needs_approval=True, decision=decision)


def test_waiting_for_approval() -> None:
    """The headline of a question counts the accounts and types that it is about, as Airflow's screen does."""
    plans = {SECURITY: TypePlan(1, absent=False, approved=True), BILLING: plan_of_deletion(None)}
    pending = (OutcomeStatus.PENDING, None, None)
    both = [
        *outcomes(pending, pending, pending),
        *outcomes(pending, EXCLUDED, EXCLUDED, contact_type=BILLING),
    ]
    notice = notice_of(request(Scenario.APPROVAL_WAITING), ORIGIN, operation(plans=plans), both)
    assert notice.headline == "A deletion in up to 1 account waits for approval: billing"


def test_refused_beside_success() -> None:
    """A notice that goes out because a deletion was refused says so in its headline."""
    plans = {SECURITY: TypePlan(1, absent=False, approved=True), BILLING: plan_of_deletion(Verdict.REJECTED)}
    ended = operation(plans=plans, status=OperationStatus.COMPLETED, finished=START)
    notice = notice_of(request(Scenario.SUCCESS_COMPLETION), ORIGIN, ended, outcomes(FINE, FINE))
    expected = "Completed in all 2 accounts, a deletion was not approved (rejected): security, billing"
    assert notice.headline == expected


def test_success_below_the_threshold() -> None:
    """A green run with a few failures is not said to turn green."""
    notice = built(Scenario.SUCCESS_COMPLETION, FINE, BROKEN, status=OperationStatus.COMPLETED)
    assert "Downstream" in notice.afterwards[0].say
    assert "turns green" not in notice.afterwards[0].say


def test_unsettled() -> None:
    """The task of an unsettled account can be green, so that clearing only failed tasks would not reach it."""
    unsettled = (OutcomeStatus.FAILED, OutcomeDetail.UNSETTLED, "Unsettled")
    notice = built(Scenario.SYSTEM_ERRORS, FINE, BROKEN, unsettled, status=OperationStatus.FAILED)
    (step,) = notice.afterwards
    assert "the failed accounts' tasks with Downstream selected" in step.say


def test_plan_failed() -> None:
    """A plan that fails before an operation exists gives a notice with its error, the remedy and the run."""
    error = ConfigurationMissingError("a-table", "default")
    origin = NoticeOrigin("test", "c", START, "https://airflow.example.com")
    asked = request(
        Scenario.CONFIGURATION_ERRORS, code=error.code, message=str(error), dag_id="contact_sync", dag_run_id="a/run +1"
    )
    notice = notice_of(asked, origin)
    assert notice.headline == "A configuration error stopped the run (ConfigurationMissing)"
    assert notice.what_happened == ("Run a/run +1 of the DAG contact_sync.", str(error))
    assert [step.command for step in notice.causes[0].steps] == ["contactsync config put configuration.json"]
    assert "clear the failed task" in notice.afterwards[0].say
    assert notice.links.run == "https://airflow.example.com/dags/contact_sync/runs/a%2Frun%20%2B1"
    assert (notice.links.operation, notice.counts_line) == (None, "")


def test_plan_failed_late() -> None:
    """A plan that fails after it has stored its operation is not taken for one whose accounts were fixed."""
    waiting = outcomes((OutcomeStatus.PENDING, OutcomeDetail.PAUSED, None))
    asked = request(Scenario.SYSTEM_ERRORS, code="ThrottlingException", message="GetItem failed.")
    notice = notice_of(asked, ORIGIN, operation(SECURITY, status=OperationStatus.PENDING), waiting)
    assert notice.headline == "A system error stopped the run (ThrottlingException): security"
    assert notice.causes[0].name == "ThrottlingException"


@pytest.mark.parametrize("stored", [None, operation(SECURITY, status=OperationStatus.FAILED)])
def test_killed(stored: SyncOperation | None) -> None:
    """A task that was killed leaves no error; people are told what to do all the same."""
    notice = notice_of(request(Scenario.SYSTEM_ERRORS, dag_run_id=RUN), ORIGIN, stored)
    assert notice.headline.startswith("A system error stopped the run")
    assert "killed" in notice.causes[0].meaning
    assert notice.causes[0].steps
    assert "clear the failed task" in notice.afterwards[0].say


def test_halted() -> None:
    """A halt names its cause first, with the command that fixes it."""
    error = TrustedAccessOffError()
    halted = (OutcomeStatus.FAILED, OutcomeDetail.HALTED, error.code)
    notice = built(Scenario.HALTED, halted, halted, FINE, halt=Halt(error.code, str(error), START))
    assert notice.headline == "Halted (TrustedAccessOff), 2 of 3 accounts failed: security"
    command = "aws organizations enable-aws-service-access --service-principal account.amazonaws.com"
    assert notice.causes[0].steps[0].command == command
    assert notice.causes[1].accounts == 2
    assert "only failed" in notice.afterwards[0].say


def test_deletion_not_approved() -> None:
    """A deletion that nobody approved says so, not that everything is well."""
    plan = TypePlan(1, absent=True, approved=False, decision=Decision(Verdict.TIMED_OUT, "", START))
    skipped = (OutcomeStatus.SKIPPED, OutcomeDetail.NOT_APPROVED, None)
    completed = {"plans": {SECURITY: plan}, "status": OperationStatus.COMPLETED, "note": "Nobody approved it in time."}
    notice = built(Scenario.SUCCESS_COMPLETION, skipped, skipped, **completed)
    assert notice.headline == "A deletion was not approved (timed_out), no account was changed: security"
    assert "Nobody approved it in time." in notice.what_happened


def test_denied_counts_as_failed() -> None:
    """What AWS denies has a number of its own, and counts as failed."""
    assert built(Scenario.PERMISSION_ERRORS, DENIED, FINE).counts_line == (
        "Account outcomes: 1 denied, 1 success (1 of them count as failed)."
    )


def test_causes() -> None:
    """Failures are grouped by detail and code, the most frequent first, with the command for one of the accounts."""
    notice = built(Scenario.PERMISSION_ERRORS, BROKEN, DENIED, DENIED, FINE)
    assert [(cause.name, cause.code, cause.accounts) for cause in notice.causes] == [
        ("permission_denied", "AccessDeniedException", 2),
        ("unavailable", "InternalServerException", 1),
    ]
    assert account(2).account_id in (notice.causes[0].steps[0].command or "")


def test_many_causes() -> None:
    """More kinds of failure than a notice explains are one, and no account is lost in the numbers."""
    ends = [(OutcomeStatus.FAILED, OutcomeDetail.ERROR, f"Code{number}") for number in range(30)]
    notice = built(Scenario.SYSTEM_ERRORS, *ends)
    assert len(notice.causes) == 11
    assert notice.causes[-1].name == "other"
    assert sum(cause.accounts for cause in notice.causes) == 30


def test_remedies() -> None:
    """Every failing detail has a remedy of its own; a code decides only where the detail says nothing."""
    harmless = {"updated", "unchanged", "deleted", "superseded", "dry_run", "paused"}
    harmless |= {"would_update", "would_delete", "would_not_change"}
    untouched = {"excluded", "not_active", "not_approved"}
    assert set(BY_DETAIL) == set(OutcomeDetail) - harmless - untouched
    assert all(remedy.steps for remedy in [*BY_DETAIL.values(), UNKNOWN])
    table = remedy_of_outcome("error", "AccessDeniedException", "1")
    denied = remedy_of_outcome("permission_denied", "AccessDeniedException", "1")
    assert table.meaning != denied.meaning
    assert remedy_of_outcome(None, None, "1").meaning == BY_DETAIL[OutcomeDetail.ERROR].meaning
    assert remedy_of_error(None) is remedy_of_error("NeverHeardOf") is UNKNOWN
    assert remedy_of_error(MappingLimitError(2, 1).code) is not UNKNOWN
    assert "{account}" not in str([remedy_of_outcome(detail, None, "1") for detail in OutcomeDetail])


def test_unknown_scenario() -> None:
    """A request for a scenario that there is not is an invalid event that names those there are."""
    asked = NoticeRequested.model_validate({"notice_id": "n", "scenario": "party", "priority": "high"})
    with pytest.raises(EventInvalidError, match="complete_failure"):
        notice_of(asked, ORIGIN)


def many(number: int, ended: SyncOperation) -> Iterator[AccountOutcome]:
    """Make failed outcomes one by one, each with a long message, as a query gives them."""
    for index in range(number):
        yield AccountOutcome(
            f"{index:012}",
            f"account {number - index}",
            SECURITY,
            *(OutcomeStatus.FAILED, OutcomeDetail.ERROR),
            error_code="WriteNotSeen",
            error_message=f"{ended.sync_id} {index}" * 50,
        )


def test_ten_thousand() -> None:
    """Ten thousand outcomes are counted without being kept; 50 are listed and the full list has all of them."""
    ended = operation(SECURITY, status=OperationStatus.FAILED)
    notice_of(request(Scenario.COMPLETE_FAILURE), ORIGIN, ended, many(1, ended))  # so that nothing is loaded below
    tracemalloc.start()
    try:
        notice = notice_of(request(Scenario.COMPLETE_FAILURE), ORIGIN, ended, many(10_000, ended))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000  # the outcomes themselves take more than 20 MB
    assert notice.headline == "All 10000 accounts failed: security"
    assert (len(notice.failures), notice.failures_left_out) == (LISTED, 9950)
    assert sum(1 for _ in failure_rows(many(10_000, ended))) == 10_000


def test_full_list() -> None:
    """The full list has every failed outcome and no other, and a name is no formula in it."""
    given = [*outcomes(BROKEN, FINE, DENIED), AccountOutcome("9" * 12, "=1+1", SECURITY, OutcomeStatus.FAILED)]
    rows = list(csv.DictReader(io.StringIO("".join(failures_csv(given)), newline="")))
    assert [row["account_id"] for row in rows] == [account(1).account_id, account(3).account_id, "9" * 12]
    assert rows[1]["error_code"] == "AccessDeniedException"
    assert rows[2]["account_name"] == "'=1+1"


def test_order_does_not_matter() -> None:
    """Outcomes in another order give the same findings."""
    given = outcomes(BROKEN, FINE, DENIED, DENIED, EXCLUDED)
    assert figures_of(given) == figures_of(reversed(given))


@pytest.mark.parametrize("error", [AccessDeniedError, ServiceUnavailableError, RequestInvalidError])
def test_after_a_run(error: type[AccessDeniedError]) -> None:
    """What a run stores is enough for a notice: the account that failed, its code, and the remedy."""
    world = World.of(3, contact_types=["security"])
    failing = account(2).account_id
    world.contacts.faults.append(Fault(error("PutAlternateContact", "ScriptedException", failing), None, failing))
    states = {}
    for account_id in world.plan():
        try:
            world.sync(account_id)
            states[account_id] = "success"
        except AccountsFailedError:
            states[account_id] = "failed"
    report = world.reporter.report(RUN, states, has_plan=True)
    asked = request(Scenario.PARTIAL_FAILURE, sync_id=report.operation.sync_id)
    notice = notice_of(asked, ORIGIN, report.operation, world.operations.outcomes(report.operation.sync_id))
    assert [failure.account_id for failure in notice.failures] == [failing]
    assert notice.causes[0].code == "ScriptedException"
    assert notice.causes[0].steps
    assert notice.links.operation == f"contactsync operations show {report.operation.sync_id}"
