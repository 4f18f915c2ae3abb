"""Housekeeping: operations whose run can no longer report get an end with a true status."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from contactsync.bus.envelope import Announcement
from contactsync.clock import Clock
from contactsync.configuration.ports import Configurations
from contactsync.errors import ContactSyncError, HousekeepingError, ItemUnreadableError
from contactsync.operations.announcements import ended
from contactsync.operations.operation import OperationStatus, SyncOperation
from contactsync.operations.outcome_counts import OutcomeCounts
from contactsync.operations.ports import Announcer, Operations
from contactsync.sync.report import Reporter

log = logging.getLogger(__name__)


class RunState(StrEnum):
    """The state of a DAG run, in Airflow's words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


UNFINISHED: Final = frozenset({OperationStatus.PENDING, OperationStatus.IN_PROGRESS})
ACTIVE: Final = frozenset({RunState.QUEUED, RunState.RUNNING})

_WHY: Final = {
    None: "Airflow no longer has its run",
    RunState.FAILED: "its run failed before it could report",
    RunState.SUCCESS: "its run was marked as successful before it could report",
}


@dataclass(frozen=True)
class Unplanned:
    """Runs that do not have a finished plan yet."""

    number: int
    """How many there are now; at least 1."""
    since: datetime
    """Since when every look has found such runs; they need not be the same ones."""
    overdue: bool


@dataclass(frozen=True)
class Housekeeper:
    """The step of the DAG `contact_housekeeping` that ends abandoned operations and finds overdue ones."""

    configurations: Configurations
    operations: Operations
    reporter: Reporter
    announcer: Announcer
    clock: Clock
    overdue_after: float
    """Seconds after which an operation without an end is overdue."""
    abandoned_after: float
    """Seconds after which an operation whose run is still active gets a warning in the log."""

    def close_abandoned(
        self,
        state_of: Callable[[str], RunState | None],
        notices: Callable[[SyncOperation], Sequence[Announcement]] = lambda _: (),
        tell: Callable[[SyncOperation], object] = lambda _: None,
    ) -> list[SyncOperation]:
        """Store an end for operations whose run has ended or no longer exists, and return them.

        `state_of` returns the state of a run by its id, or None when Airflow has no such run. The announcements that
        `notices` returns for an operation are stored in one transaction with its end, so they are published even if
        `tell` fails. `tell` is called afterwards and may publish them at once; its errors are logged. If one operation
        fails, the others are closed all the same; then HousekeepingError names those that failed.
        """
        over: list[SyncOperation] = []
        errors = []
        unreadable: list[ItemUnreadableError] = []
        for listed in list(self.operations.unfinished(unreadable)):
            try:
                one = self._visit(listed, state_of, notices)
            except ContactSyncError as error:
                errors.append(f"{listed.sync_id}: {error}")
                continue
            if one:
                over.append(one)
                _tell(tell, one)
        errors.extend(str(error) for error in unreadable)
        if errors:
            raise HousekeepingError(problems=errors)
        return over

    def overdue(self, state_of: Callable[[str], RunState | None]) -> list[SyncOperation]:
        """Return the operations that are overdue while their run is active.

        Operations that wait for a person's approval do not count. Those whose run has ended are closed instead.
        """
        limit = self.clock.now() - timedelta(seconds=self.overdue_after)
        late = [listed for listed in self.operations.unfinished() if _set_going(listed) < limit and not _waits(listed)]
        return [listed for listed in late if state_of(listed.dag_run_id) in ACTIVE]

    def unplanned(self, number: int) -> "Unplanned | None":
        """Return since when every look has found runs without a finished plan; None when `number`, this look's, is 0.

        A plan takes moments. If there is always an unfinished one, nothing plans: the DAG is paused, no worker is free,
        or `plan` hangs.
        """
        if not number:
            self.operations.none_unplanned()
            return None
        now = self.clock.now()
        since = self.operations.unplanned_since(now)
        return Unplanned(number, since, overdue=now - since > timedelta(seconds=self.overdue_after))

    def _visit(
        self,
        listed: SyncOperation,
        state_of: Callable[[str], RunState | None],
        notices: Callable[[SyncOperation], Sequence[Announcement]],
    ) -> SyncOperation | None:
        state = state_of(listed.dag_run_id)
        if state in ACTIVE:
            self._warn(listed)
            return None
        # Read after Airflow's answer: a report stores the end before its run ends, and the listing may be old.
        operation = self.operations.get(listed.sync_id)
        if operation is None or operation.status not in UNFINISHED:
            return None
        over = self._concluded(operation, f"Closed by housekeeping: {_WHY[state]}.")
        self.reporter.announce_outcomes(over)
        announced = [ended(over)]
        if not self.operations.store_end(over, [*announced, *notices(over)]):
            return None
        self.announcer.send(announced)
        return over

    def _warn(self, operation: SyncOperation) -> None:
        age = self.clock.now() - operation.planned
        if age > timedelta(seconds=self.abandoned_after):
            log.warning(
                "Run %s has not ended %s days after its plan (sync operation %s): look at it in Airflow",
                operation.dag_run_id,
                age.days,
                operation.sync_id,
            )

    def _concluded(self, operation: SyncOperation, why: str) -> SyncOperation:
        configuration = self.configurations.version(operation.config_version).configuration
        outcome_counts = OutcomeCounts()
        for outcome in self.reporter.judged(operation, {}):
            outcome_counts.add(outcome)
        outcome_counts.complete(operation)
        # Without a finished plan it is not known which outcomes are missing.
        unplanned = operation.status is OperationStatus.PENDING
        too_many = outcome_counts.failures >= configuration.notification_settings.failure_threshold
        failed = unplanned or too_many or operation.halt is not None
        status = OperationStatus.FAILED if failed else OperationStatus.COMPLETED
        over = operation.ended_as(status, at=self.clock.now(), **outcome_counts.of_end())
        return replace(over, note=" ".join(filter(None, [operation.note, why])))


def _tell(tell: Callable[[SyncOperation], object], over: SyncOperation) -> None:
    try:
        tell(over)
    except ContactSyncError as error:
        log.warning("Notices of sync operation %s wait in the outbox: %s", over.sync_id, error)


def _set_going(operation: SyncOperation) -> datetime:
    """Return when the tasks of the accounts could begin: after the plan, and after the decision about a deletion."""
    return max([operation.planned, *(plan.decision.at for plan in operation.plans.values() if plan.decision)])


def _waits(operation: SyncOperation) -> bool:
    """Return whether a deletion waits for an approval; people have been told about it."""
    return any(plan.needs_approval and plan.decision is None for plan in operation.plans.values())
