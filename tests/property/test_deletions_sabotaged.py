"""With any one protection taken away, the search for wrong deletions finds one that nobody allowed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from contactsync.configuration.schema import DeletionPolicy
from contactsync.operations.operation import SyncOperation, Verdict, sync_id_of
from contactsync.sync.account.apply import AccountSync
from contactsync.sync.account.exclusions import Exclusions
from contactsync.sync.account.write import ContactWriter, WriteResult, WriteTarget
from contactsync.sync.approval import ApprovalRequest, Approvals
from tests.property.test_convergence import FAST
from tests.property.test_deletions import Deletions
from tests.support.simulation.airflow import Tamper


class AnybodysWriter(ContactWriter):
    """Carries out the latest desired contact, also when it is another operation's deletion."""

    __module__ = ContactWriter.__module__  # the harness looks for ports inside of the product's classes

    def write_newest(self, target: WriteTarget) -> WriteResult:
        """Take every target for one whose operation may delete."""
        return super().write_newest(replace(target, may_delete=True))


class AnybodysSync(AccountSync):
    """Does not ask whose deletion it is."""

    __module__ = AccountSync.__module__

    def _is_deletion_allowed(self, task: Any, contact_type: Any) -> bool:
        del task, contact_type
        return True


class OwnSync(AccountSync):
    """Believes what it read of its operation when it began."""

    __module__ = AccountSync.__module__

    def _is_deletion_allowed(self, task: Any, contact_type: Any) -> bool:
        policy = self.configurations.latest().configuration.deletion.policy
        plan = task.operation.plans[contact_type]
        return policy is not DeletionPolicy.IGNORE and (plan.decision or policy is DeletionPolicy.PROPAGATE)


class PinnedSync(AccountSync):
    """Takes no notice of a policy that has changed since the plan."""

    __module__ = AccountSync.__module__

    def _is_deletion_allowed(self, task: Any, contact_type: Any) -> bool:
        operation = self.operations.get(task.operation.sync_id)
        return bool(
            operation and operation.planned == task.operation.planned and operation.plans[contact_type].approved
        )


class OldExclusions(Exclusions):
    """Believes that accounts are where the plan found them."""

    __module__ = Exclusions.__module__

    def excludes(self, *args: Any, again: bool = False, **kwargs: Any) -> bool:
        """Ask no more than for any other write."""
        del again
        return super().excludes(*args, **kwargs)


class AnyPlansApprovals(Approvals):
    """Takes an answer for one about whatever is planned now."""

    __module__ = Approvals.__module__

    def decide(self, dag_run_id: str, verdict: Verdict, *, planned: datetime, by: str, at: datetime) -> SyncOperation:
        """Record it for the plan that is stored now."""
        operation = self.operations.get(sync_id_of(dag_run_id))
        return super().decide(dag_run_id, verdict, planned=operation.planned if operation else planned, by=by, at=at)


class CountingApprovals(Approvals):
    """Compares how many accounts the first question counted, and not which."""

    __module__ = Approvals.__module__

    def ask(
        self, dag_run_id: str, *, shown: Mapping[str, int] | None = None, accounts: Mapping[str, str] | None = None
    ) -> ApprovalRequest | None:
        """Ask when there are no more accounts than before."""
        del accounts
        return super().ask(dag_run_id, shown=shown)


def without_owner(step: Any) -> Any:
    """Let anybody carry out any deletion."""
    if not isinstance(step, AccountSync):
        return step
    return AnybodysSync(**{**vars(step), "contact_writer": AnybodysWriter(**vars(step.contact_writer))})


def as_another(old: type, new: type) -> Tamper:
    """Replace a step by one of another class."""
    return lambda step: new(**vars(step)) if isinstance(step, old) else step


def with_old_exclusions(step: Any) -> Any:
    """Let nothing be asked again."""
    if not isinstance(step, AccountSync):
        return step
    return replace(step, exclusions=OldExclusions(**vars(step.exclusions)))


SABOTAGES: dict[str, Tamper] = {
    "any run carries out an approved deletion": without_owner,
    "an account's task believes what it read at its beginning": as_another(AccountSync, OwnSync),
    "the policy in force is not asked": as_another(AccountSync, PinnedSync),
    "an account that moved is not asked about again": with_old_exclusions,
    "an answer counts for a later plan": as_another(Approvals, AnyPlansApprovals),
    "a question is repeated for other accounts": as_another(Approvals, CountingApprovals),
}


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_sabotage(sabotage: str) -> None:
    """A protection that is taken away is missed."""
    machine = type("Sabotaged", (Deletions,), {"tamper": staticmethod(SABOTAGES[sabotage])})
    chosen = settings(FAST, max_examples=6000, phases=[Phase.generate], database=None, report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=chosen)
