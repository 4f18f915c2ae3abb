"""One word for each outcome in every number that people see."""

import csv
import io
import json

import pytest

from contactsync.contacts import ContactType
from contactsync.errors import AccessDeniedError, AccountsFailedError, OperationFailedError, ServiceUnavailableError
from contactsync.notices.failures import figures_of
from contactsync.notices.scenarios import Scenario
from contactsync.notices.wording import headline
from contactsync.operations.counting import DENIED, Comparison, counted_as, ordered
from contactsync.operations.operation import AccountOutcome, OperationStatus, OutcomeDetail, OutcomeStatus
from contactsync.views.export import operations_csv, operations_json
from contactsync.views.report_table import report_text
from tests.support.builders import RUN, account, alternate, request
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.world import World
from tests.unit.notices.test_notice import request as notice_request

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
ONE, TWO, THREE = (account(number).account_id for number in (1, 2, 3))
REFUSED = AccessDeniedError("GetAlternateContact", "AccessDeniedException", ONE)
DOWN = ServiceUnavailableError("PutAlternateContact", "InternalServerException", TWO)


def outcome(status: OutcomeStatus, detail: OutcomeDetail | None = None, *fields: str) -> AccountOutcome:
    """Return an outcome of an account."""
    return AccountOutcome(ONE, "a name", SECURITY, status, detail, changed_fields=fields)


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (outcome(OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED), "success"),
        (outcome(OutcomeStatus.FAILED, OutcomeDetail.HALTED), "failed"),
        (outcome(OutcomeStatus.SKIPPED, OutcomeDetail.PERMISSION_DENIED), "denied"),
        (outcome(OutcomeStatus.SKIPPED, OutcomeDetail.EXCLUDED), "skipped"),
        (outcome(OutcomeStatus.SKIPPED, OutcomeDetail.WOULD_UPDATE, "Title"), "would_change"),
        (outcome(OutcomeStatus.SKIPPED, OutcomeDetail.WOULD_DELETE, "Title"), "would_change"),
        (outcome(OutcomeStatus.SKIPPED, OutcomeDetail.WOULD_NOT_CHANGE), "would_not_change"),
        (outcome(OutcomeStatus.SKIPPED, OutcomeDetail.DRY_RUN, "Title"), "would_change"),
        (outcome(OutcomeStatus.SKIPPED, OutcomeDetail.DRY_RUN), "would_not_change"),
        (outcome(OutcomeStatus.PENDING), "pending"),
    ],
)
def test_words(found: AccountOutcome, word: str) -> None:
    """Each outcome has one word, those that an earlier version stored too."""
    assert counted_as(found) == word
    assert ordered({word: 1}) == {word: 1}


def failing() -> World:
    """Return a world whose first account is denied and whose second fails."""
    world = World.of(3, contact_types=["security"])
    world.contacts.faults += [Fault(REFUSED, "read", ONE), Fault(DOWN, "write", TWO)]
    states = {}
    for account_id in world.plan():
        states[account_id] = "failed" if account_id in {ONE, TWO} else "success"
        try:
            world.sync(account_id)
        except AccountsFailedError:
            continue
    world.reporter.report(RUN, states, has_plan=True)
    return world


def test_denied_everywhere() -> None:
    """Report, error, stored counts, notice and both exports give the same two failures, one of them denied."""
    world = failing()
    operation, outcomes = world.operation(), list(world.outcomes().values())
    assert (operation.status, operation.counts) == (OperationStatus.FAILED, {"success": 1, "failed": 1, "denied": 1})
    report = world.reporter.report(RUN, {}, has_plan=True)
    assert ": 1 success, 1 failed, 1 denied, 0 skipped (" in report_text(report, outcomes).splitlines()[0]
    with pytest.raises(OperationFailedError) as caught:
        report.check()
    assert "2 of 3 account outcomes failed (1 denied)" in str(caught.value)
    assert all(account_id in str(caught.value) for account_id in (ONE, TWO))
    assert THREE not in str(caught.value)
    assert figures_of(outcomes).outcome_counts.counts == operation.counts
    (exported,) = json.loads("".join(operations_json([operation], lambda _: outcomes)))
    assert exported["counts"] == operation.counts
    lines = "".join(operations_csv([operation], lambda _: outcomes))
    rows = list(csv.DictReader(io.StringIO(lines, newline="")))
    assert {row["account_id"] for row in rows if row["counts_as"] == "failed"} == {ONE, TWO}


def test_failed_is_never_without_a_failure() -> None:
    """When only what AWS denies is left, the stored numbers still say why the operation is failed."""
    world = World.of(2, contact_types=["security"])
    world.contacts.faults.append(Fault(REFUSED, "read", ONE))
    for account_id in world.plan():
        if account_id == ONE:
            with pytest.raises(AccountsFailedError):
                world.sync(account_id)
        else:
            world.sync(account_id)
    world.reporter.report(RUN, {ONE: "failed", TWO: "success"}, has_plan=True)
    assert world.operation().status is OperationStatus.FAILED
    assert world.operation().counts[DENIED] == 1


def test_first_five() -> None:
    """The error at a run's end names five failures, and how many more there are."""
    error = OperationFailedError(failed=7, threshold=1, total=9, first=[f"team-{n}" for n in range(5)])
    assert "team-0; team-1; team-2; team-3; team-4; and 2 more. " in str(error)


def test_dry_run_answers_who_differs() -> None:
    """A dry run says how many accounts would change, per contact type, in report, stored operation and notice."""
    world = World.of(3, contact_types=["security", "billing"])
    world.contacts.stored[ONE, SECURITY] = alternate(Title="Other")
    world.contacts.stored[TWO, SECURITY] = alternate()
    for account_id in world.plan(request(dry_run=True)):
        world.sync(account_id)
    report = world.reporter.report(RUN, {}, has_plan=True)
    sentence = report.outcome_counts.comparison.sentence
    outcomes = list(world.outcomes().values())
    changing = [o for o in outcomes if o.detail is OutcomeDetail.WOULD_UPDATE]
    accounts = {o.account_id for o in changing}
    of_security = sum(o.contact_type is SECURITY for o in changing)
    assert f"{len(accounts)} of 3 accounts would change (" in sentence
    assert f"security {of_security}" in sentence
    assert sentence in report_text(report, outcomes).splitlines()[0]
    operation = world.operation()
    assert operation.would_change[SECURITY] == of_security
    assert operation.counts["would_change"] == len(changing)
    assert sum(operation.counts.values()) == len(outcomes)
    told = notice_request("success_completion")
    assert sentence in headline(Scenario.SUCCESS_COMPLETION, told, operation, figures_of(outcomes))


def test_nothing_compared() -> None:
    """An operation that wrote is no comparison."""
    found = Comparison()
    found.add(outcome(OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED, "Title"))
    assert found.sentence == ""
