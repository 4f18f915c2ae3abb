"""The report of a sync operation: computed from the stored outcomes, compared with what Airflow says of its tasks."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from contactsync.errors import OperationFailedError, OperationMissingError, OvertakenError
from contactsync.sync.operation import (
    AccountOutcome,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    sync_id_of,
)
from contactsync.sync.ports import Clock, Configurations, Operations

FAILED_TASK_STATES = frozenset({"failed", "upstream_failed"})


@dataclass
class Tally:
    """Outcomes counted by status and by detail, in any order."""

    counts: Counter[str] = field(default_factory=Counter)
    details: Counter[str] = field(default_factory=Counter)
    failures: int = 0

    def add(self, outcome: AccountOutcome) -> None:
        """Count one outcome."""
        self.counts[outcome.status] += 1
        self.details[outcome.detail or outcome.status] += 1
        self.failures += is_failure(outcome)


@dataclass(frozen=True)
class Report:
    """What an operation did, in numbers; its rows are the operation's outcomes."""

    operation: SyncOperation
    tally: Tally
    threshold: int

    @property
    def total(self) -> int:
        """How many outcomes there are: accounts times contact types."""
        return self.tally.counts.total()

    @property
    def duration(self) -> timedelta:
        """The time from the plan to the report."""
        return (self.operation.finished or self.operation.timestamp) - self.operation.timestamp

    def check(self) -> None:
        """Raise OperationFailedError when as many outcomes failed as the configuration's threshold."""
        if self.operation.status is OperationStatus.FAILED:
            raise OperationFailedError(failed=self.tally.failures, threshold=self.threshold, total=self.total)


def is_failure(outcome: AccountOutcome) -> bool:
    """Tell whether an outcome counts against the threshold: failed, or forbidden by AWS."""
    return outcome.status is OutcomeStatus.FAILED or outcome.detail is OutcomeDetail.PERMISSION_DENIED


@dataclass(frozen=True)
class Reporter:
    """Builds and stores reports; holds the ports that this needs."""

    configurations: Configurations
    operations: Operations
    clock: Clock

    def report(
        self,
        dag_run_id: str,
        task_states: Mapping[str, str],
        *,
        planned: bool,
        show: Callable[[AccountOutcome], None] = lambda _: None,
    ) -> Report:
        """Settle what no task settled, count, store status and counts, and return the report.

        `planned` tells whether the run's plan has succeeded: without it nothing is known, and the operation is failed.
        `task_states` maps account ids to Airflow's states of their tasks. `show` is called with every outcome, so that
        a caller can print them without holding them all.
        """
        operation = self.operations.get(sync_id_of(dag_run_id))
        if operation is None:
            raise OperationMissingError(dag_run_id=dag_run_id)
        if not planned or operation.status is OperationStatus.PENDING:
            self.operations.update(replace(operation, status=OperationStatus.FAILED, finished=self.clock.now()))
            raise OperationMissingError(dag_run_id=dag_run_id)
        tally = Tally()
        for outcome in self._judged(operation, task_states):
            tally.add(outcome)
            show(outcome)
        report = self._concluded(operation, tally)
        self.operations.update(report.operation)
        return report

    def _judged(self, operation: SyncOperation, task_states: Mapping[str, str]) -> Iterator[AccountOutcome]:
        blamed = self._blamed(operation, task_states)
        for outcome in self.operations.outcomes(operation.sync_id):
            judged = judge(outcome, blamed=outcome.account_id in blamed, now=self.clock.now())
            yield outcome if judged is outcome else self._settled(operation, judged)

    def _settled(self, operation: SyncOperation, judged: AccountOutcome) -> AccountOutcome:
        """Store a judgement, and return it; or what a task has recorded meanwhile, which is better."""
        try:
            self.operations.settle_outcome(operation, judged)
        except OvertakenError:
            return self.operations.outcomes_of(operation.sync_id, judged.account_id)[judged.contact_type]
        return judged

    def _blamed(self, operation: SyncOperation, task_states: Mapping[str, str]) -> set[str]:
        """Return accounts whose task Airflow calls failed although none of their outcomes says why."""
        failed = {account for account, state in task_states.items() if state in FAILED_TASK_STATES}
        if not failed:
            return failed
        explained = {
            outcome.account_id
            for outcome in self.operations.outcomes(operation.sync_id)
            if is_failure(outcome) or outcome.status is OutcomeStatus.PENDING
        }
        return failed - explained

    def _concluded(self, operation: SyncOperation, tally: Tally) -> Report:
        settings = self.configurations.version(operation.config_version).settings
        threshold = settings.notification_settings.failure_threshold
        finished = replace(
            operation,
            status=OperationStatus.FAILED if tally.failures >= threshold else OperationStatus.COMPLETED,
            counts=dict(tally.counts),
            finished=self.clock.now(),
        )
        return Report(finished, tally, threshold)


def stored_report(operation: SyncOperation, outcomes: Iterable[AccountOutcome], threshold: int) -> Report:
    """Return the report of an operation as it is stored, finished or not."""
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome)
    return Report(operation, tally, threshold)


def judge(outcome: AccountOutcome, *, blamed: bool, now: datetime) -> AccountOutcome:
    """Return the outcome as the report counts it: one that no task settled, or whose task failed later, is failed."""
    if outcome.status is OutcomeStatus.PENDING:
        sentence = "No task settled this account: it was not started, or its process ended before it could record."
    elif blamed:
        sentence = "Airflow calls the task failed although an earlier try had settled this account."
    else:
        return outcome
    return replace(
        outcome,
        status=OutcomeStatus.FAILED,
        detail=OutcomeDetail.NO_OUTCOME,
        error_code="NoOutcome",
        error_message=f"{sentence} See the task's log, then clear it.",
        timestamp=now,
    )
