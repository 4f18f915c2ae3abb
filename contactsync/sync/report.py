"""The report of a sync operation: computed from the stored outcomes and the states of Airflow's tasks."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Final

from contactsync.bus.ports import Metrics
from contactsync.clock import Clock
from contactsync.configuration.ports import Configurations
from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.errors import (
    ContactSyncError,
    HaltedError,
    ItemUnreadableError,
    OperationFailedError,
    OperationMissingError,
    OvertakenError,
)
from contactsync.operations.announcements import ended
from contactsync.operations.counting import DENIED, is_failure
from contactsync.operations.operation import (
    UNPLANNED,
    AccountOutcome,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    sync_id_of,
)
from contactsync.operations.outcome_counts import OutcomeCounts
from contactsync.operations.ports import AccountRecords, Announcer, Operations
from contactsync.operations.remarks import remarks_of
from contactsync.pacing.guarded_calls import CallGuard
from contactsync.sync.judgement import FAILED_TASK_STATES, LOST, as_failed, is_of_earlier_plan, judge, what_to_clear
from contactsync.sync.outcome_announcements import announce_outcomes
from contactsync.sync.second_look import FollowUp, SecondLook

BATCH: Final = 100
"""Number of outcomes that are judged at a time."""

_EVERYTHING: Final[Mapping[str, Sequence[str]]] = {}
"""What a run asks for that was not started for certain accounts or units."""


@dataclass(frozen=True)
class Report:
    """What an operation did, in numbers; its rows are the operation's outcomes."""

    operation: SyncOperation
    outcome_counts: OutcomeCounts
    threshold: int
    """Number of failed outcomes from which on the run counts as failed."""
    follow_up: FollowUp | None = None
    remarks: tuple[str, ...] = ()
    """Sentences in addition to the operation's own, such as what the circuit breaker did."""

    @property
    def total(self) -> int:
        """Number of outcomes: accounts times contact types."""
        return self.outcome_counts.counts.total()

    @property
    def duration(self) -> timedelta:
        """The time from the plan to the report."""
        return (self.operation.finished or self.operation.timestamp) - self.operation.timestamp

    def check(self) -> None:
        """Raise HaltedError, or OperationFailedError when as many outcomes failed as the configuration's threshold."""
        if self.operation.halt:
            raise HaltedError(self.operation.halt.code, self.operation.halt.message)
        if self.operation.status is OperationStatus.FAILED:
            raise OperationFailedError(
                failed=self.outcome_counts.failures,
                denied=self.outcome_counts.counts[DENIED],
                threshold=self.threshold,
                total=self.total,
                first=tuple(self.outcome_counts.first_failures),
                unsettled=self.outcome_counts.details[OutcomeDetail.UNSETTLED],
            )


@dataclass(frozen=True)
class Reporter:
    """The step of the task `report`: it computes reports and stores the operation's end."""

    configurations: Configurations
    operations: Operations
    records: AccountRecords
    announcer: Announcer
    metrics: Metrics
    call_guard: CallGuard
    clock: Clock
    second_look: SecondLook

    def report(
        self,
        dag_run_id: str,
        task_states: Mapping[str, str],
        *,
        has_plan: bool,
        listed: Sequence[str] = (),
        run_filter: Mapping[str, Sequence[str]] = _EVERYTHING,
        show: Callable[[AccountOutcome], None] = lambda _: None,
    ) -> Report:
        """Settle what no task settled, count, read the source once more, store it all, and return the report.

        The caller starts `Report.follow_up`, if there is one; its run id is the same each time this is repeated.

        `planned` says whether the task `plan` succeeded: without a plan nothing is known, and the operation has failed.
        `task_states` maps account ids to Airflow's states of their tasks. `listed` are the accounts that the plan
        returned: one without any outcome has failed. `requested` are the `accounts` and `organizational_units` that a
        person started the run for; a follow-up run has the same limits. `show` is called with every outcome, so that a
        caller can print them without keeping them all in memory.
        """
        operation = self.operations.get(sync_id_of(dag_run_id))
        if operation is None:
            raise OperationMissingError(dag_run_id=dag_run_id)
        if not has_plan or operation.status is OperationStatus.PENDING:
            self._store_end(operation.ended_as(OperationStatus.FAILED, operation.counts, at=self.clock.now()))
            self.metrics.record({"RunsReported": 1.0, "RunsFailed": 1.0})
            raise OperationMissingError(dag_run_id=dag_run_id)
        outcome_counts = OutcomeCounts()
        for outcome in self.judged(operation, task_states, listed):
            outcome_counts.add(outcome)
            show(outcome)
        outcome_counts.complete(operation)
        configuration = self.configurations.version(operation.config_version).configuration
        report = self._concluded(operation, configuration, outcome_counts, run_filter)
        self.announce_outcomes(report.operation)
        self._store_end(report.operation)
        self.metrics.record(measured(report))
        return report

    def store_unplanned(self, dag_run_id: str, *, initiating_user: str, source_account: str, cause: str) -> None:
        """Store that a run failed before it had a plan, so that listings show it; the next plan replaces this.

        Nothing else is known about it: it has no contact types and no version of the configuration.
        """
        sync_id, now = sync_id_of(dag_run_id), self.clock.now()
        earlier = self.operations.get(sync_id)
        if earlier and earlier.config_version != UNPLANNED:
            return
        failed = SyncOperation(
            sync_id=sync_id,
            dag_run_id=dag_run_id,
            timestamp=earlier.timestamp if earlier else now,
            initiating_user=initiating_user,
            source_account=source_account,
            plans={},
            config_version=UNPLANNED,
            status=OperationStatus.FAILED,
            planned=now,
            note=f"The task `plan` failed: {cause}" if cause else "The task `plan` failed; its log says why.",
            finished=now,
        )
        self.operations.store_plan(failed, [])

    def _store_end(self, operation: SyncOperation) -> None:
        announced = [ended(operation)]
        self.operations.update(operation, announced)
        self.announcer.send(announced)

    def announce_outcomes(self, operation: SyncOperation) -> None:
        """Announce every failure and write that no earlier report has announced."""
        announce_outcomes(self.operations, self.announcer, operation)

    def judged(
        self, operation: SyncOperation, task_states: Mapping[str, str], listed: Sequence[str] = ()
    ) -> Iterator[AccountOutcome]:
        """Yield every outcome, after settling those that no task settled or that a task's state contradicts.

        A listed account without any outcome gets one for each contact type that lacks some.
        """
        there: Counter[ContactType] = Counter()
        accounts: set[str] = set()
        for outcome in self._judged_stored(operation, task_states):
            if not outcome.outside:
                there[outcome.contact_type] += 1
                accounts.add(outcome.account_id)
            yield outcome
        lost = (account_id for account_id in listed if account_id not in accounts)
        yield from self._missing(operation, lost, there)

    def _missing(
        self, operation: SyncOperation, account_ids: Iterable[str], there: Counter[ContactType]
    ) -> Iterator[AccountOutcome]:
        for account_id in account_ids:
            short = [
                t for t, plan in operation.plans.items() if plan.expected is None or there[t] < plan.expected
            ] or operation.contact_types
            for contact_type in short:
                there[contact_type] += 1
                outcome = as_failed(AccountOutcome(account_id, "", contact_type), LOST, now=self.clock.now())
                self.operations.store_outcomes(operation, [outcome])
                yield outcome

    def _judged_stored(self, operation: SyncOperation, task_states: Mapping[str, str]) -> Iterator[AccountOutcome]:
        blamed = self._blamed(operation, task_states)
        outcomes = self.operations.outcomes(operation.sync_id)
        while batch := list(islice(outcomes, BATCH)):
            marked, unreadable = self._left_behind(operation, batch)
            for outcome in batch:
                judged = judge(
                    outcome,
                    # What the plan settled is not blamed on a task: after a clear, no task may settle it.
                    blamed=outcome.account_id in blamed and not outcome.is_ruled_out(operation.planned),
                    earlier=is_of_earlier_plan(operation, outcome),
                    clear=what_to_clear(operation, task_states.get(outcome.account_id)),
                    marked=outcome.key in marked,
                    unreadable=outcome.key in unreadable,
                    now=self.clock.now(),
                )
                yield outcome if judged is outcome else self._settled(operation, judged)

    def _left_behind(
        self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]
    ) -> tuple[set[tuple[str, ContactType]], set[tuple[str, ContactType]]]:
        """Return outcomes whose record has a mark of this operation: a write that no task settled.

        The second set are those whose record cannot be read, and may have such a mark.
        """
        unreadable: set[tuple[str, ContactType]] = set()
        records = self.records.many((outcome.key for outcome in outcomes if not is_failure(outcome)), unreadable)
        marked = {
            (record.account_id, record.contact_type)
            for record in records
            if record.mark and record.mark.sync_id == operation.sync_id
        }
        return marked, set() if operation.dry_run else unreadable

    def _settled(self, operation: SyncOperation, judged: AccountOutcome) -> AccountOutcome:
        """Store a judged outcome and return it; if a task has recorded a newer one since, return that."""
        try:
            self.operations.settle_outcome(operation, judged)
        except OvertakenError:
            with suppress(ItemUnreadableError):  # another outcome of the account, which counts as missing
                return self.operations.outcomes_of(operation.sync_id, judged.account_id).get(
                    judged.contact_type, judged
                )
        return judged

    def _blamed(self, operation: SyncOperation, task_states: Mapping[str, str]) -> set[str]:
        """Return accounts whose task failed in Airflow although none of their outcomes is a failure."""
        failed = {account for account, state in task_states.items() if state in FAILED_TASK_STATES}
        if not failed:
            return failed
        explained = {
            outcome.account_id
            for outcome in self.operations.outcomes(operation.sync_id)
            if is_failure(outcome) or outcome.status is OutcomeStatus.PENDING
        }
        return failed - explained

    def _concluded(
        self,
        operation: SyncOperation,
        configuration: Configuration,
        outcome_counts: OutcomeCounts,
        run_filter: Mapping[str, Sequence[str]],
    ) -> Report:
        threshold = configuration.notification_settings.failure_threshold
        follow_up, remark = self.second_look.look(operation, configuration, run_filter)
        failed = operation.halt is not None or outcome_counts.failures >= threshold
        status = OperationStatus.FAILED if failed else OperationStatus.COMPLETED
        finished = replace(
            operation.ended_as(status, at=self.clock.now(), **outcome_counts.of_end()),
            followed_by=follow_up.run_id if follow_up else operation.followed_by,
        )
        remarks = [*remarks_of(finished, outcome_counts), *filter(None, [remark]), *self._transitions(operation)]
        return Report(finished, outcome_counts, threshold, follow_up, tuple(remarks))

    def _transitions(self, operation: SyncOperation) -> Iterator[str]:
        try:
            steps = self.call_guard.breakers.transitions(operation.timestamp)
        except ContactSyncError as error:  # the report is stored all the same
            yield f"What the circuit breakers did could not be read ({error.code})."
            return
        for step in steps:
            change = f"{step.before} -> {step.after} ({step.cause})"
            yield f"{step.time:%H:%M:%S} UTC: calls of {step.api_operation}: {change}"


def measured(report: Report) -> dict[str, float]:
    """Return the metrics of a run; a run that is cleared and reports again is counted again.

    `Outcomes` are all account outcomes. Those that failed include what AWS denied, and those that were throttled.
    """
    counts = report.outcome_counts
    return {
        "RunsReported": 1.0,
        "RunsFailed": float(report.operation.status is OperationStatus.FAILED),
        "Outcomes": float(report.total),
        "OutcomesSucceeded": float(counts.counts[OutcomeStatus.SUCCESS]),
        "OutcomesSkipped": float(counts.counts[OutcomeStatus.SKIPPED]),
        "OutcomesFailed": float(counts.failures),
        "OutcomesThrottled": float(counts.details[OutcomeDetail.THROTTLED]),
    }


def stored_report(operation: SyncOperation, outcomes: Iterable[AccountOutcome], threshold: int) -> Report:
    """Return the report of an operation as it is stored now, finished or not."""
    outcome_counts = OutcomeCounts()
    for outcome in outcomes:
        outcome_counts.add(outcome)
    if operation.is_planned:
        outcome_counts.complete(operation)
    return Report(operation, outcome_counts, threshold, remarks=tuple(remarks_of(operation, outcome_counts)))
