"""As much of Airflow as decides when a step is carried out, and as which try: for steps that are interleaved."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from contactsync.contacts import ContactType
from contactsync.errors import ContactSyncError, OvertakenError, WaitingError
from contactsync.intake.request import RunRequest
from contactsync.limits import FOLLOW_UPS_LIMIT
from contactsync.operations.operation import AccountOutcome, OperationStatus, OutcomeDetail, Verdict
from contactsync.sync.report import Report, Reporter
from tests.support.builders import request
from tests.support.simulation.schedule import Schedule, Task
from tests.support.simulation.stepped_ports import stepped
from tests.support.worlds.world import World

if TYPE_CHECKING:
    from contactsync.sync.approval import Approvals

RETRIES: Final = 3
PLAN, APPROVE, REPORT, SYNC = "plan", "approve_deletions", "report", "sync"

Touched = frozenset[tuple[str, ContactType]]
"""Accounts and contact types that a question counts."""

Tamper = Callable[[Any], Any]


@dataclass
class Run:
    """A DAG run; its task instances go by the names `plan` and `report`, and by account ids."""

    request: RunRequest
    states: dict[str, str] = field(default_factory=dict)
    """Of its accounts: queued, success or failed."""
    tries: dict[str, int] = field(default_factory=dict)
    first_tries: dict[str, int] = field(default_factory=dict)
    """The first tries since the last clear."""
    current: dict[str, Task] = field(default_factory=dict)
    """The processes that count; others are believed dead."""
    reported: Report | None = None
    plan_abandoned: bool = False
    """Whether a plan that was believed dead may still change the operation, whatever Airflow does."""
    planned_alone: bool = False
    """Whether its plan was repeated without what comes after it."""
    waiting: bool = False
    """Whether a question about deletions is to be answered."""
    asked: datetime | None = None
    """When the plan was made that was asked about last."""
    shown: dict[str, Any] = field(default_factory=dict)
    """The first question, which Airflow keeps on the screen."""
    screen: Touched = frozenset()
    """What the question on the screen counts."""
    answer: Verdict | None = None

    @property
    def run_id(self) -> str:
        """The DAG run's id."""
        return self.request.dag_run_id

    @property
    def is_red(self) -> bool:
        """Whether a task has failed: of an account, or the report, unless a plan that is believed dead may undo it."""
        reported = self.reported is not None and self.reported.operation.status is OperationStatus.FAILED
        return (reported and not self.plan_abandoned) or "failed" in self.states.values()


@dataclass
class AirflowModel:
    """The runs there are. Every task instance becomes a task of the schedule, which whoever drives that lets go on."""

    world: World
    schedule: Schedule
    tamper: Tamper
    runs: dict[str, Run] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    asks: bool = False
    """Whether runs have the task that asks for approvals."""
    approved: dict[tuple[str, datetime], Touched] = field(default_factory=dict)
    """What people have approved, by run and plan."""
    void: dict[tuple[str, datetime], int] = field(default_factory=dict)
    """At which step an approval ended."""
    looked: dict[ContactType, int] = field(default_factory=dict)
    """At which step a report that counts has last looked at the source."""
    _collected: set[int] = field(default_factory=set)

    def start(self, wanted: RunRequest) -> Run | None:
        """Start a run, unless one with its id is there."""
        if wanted.dag_run_id in self.runs:
            return None
        run = self.runs[wanted.dag_run_id] = Run(wanted)
        self.try_again(run, PLAN)
        return run

    def try_again(self, run: Run, name: str) -> None:
        """Queue the next try of a task; whatever became of the earlier one, it does not count any more."""
        number = run.tries[name] = run.tries.get(name, 0) + 1
        first = run.first_tries.setdefault(name, number)
        steps = {PLAN: self._plan_of(run), APPROVE: self._approval_of(run), REPORT: self._report_of(run)}
        step = steps.get(name) or self._sync_of(run, name, number, first)
        kind = name if name in steps else SYNC
        run.current[name] = self.schedule.add(Task(f"{run.run_id}/{name}#{number}", step, kind, (run, name, number)))

    def clear(self, run: Run, names: list[str]) -> None:
        """Clear tasks with everything downstream, and queue them; what runs is ended."""
        first = next((name for name in (PLAN, APPROVE) if name in names), None)
        cleared = [first] if first else names
        downstream = [APPROVE, *run.states, REPORT] if first == PLAN else [*run.states, REPORT] if first else [REPORT]
        for name in (*cleared, *downstream):
            if task := run.current.pop(name, None):
                self.schedule.kill(task)
            run.first_tries.pop(name, None)
        run.reported = None
        if first:
            run.waiting, run.answer = False, None
            run.states = {} if first == PLAN else dict.fromkeys(run.states, "upstream")
        else:
            run.states |= dict.fromkeys([name for name in cleared if name in run.states], "queued")
        for name in cleared:
            self.try_again(run, name)

    def failed(self, run: Run) -> list[str]:
        """Return what a person clears who follows the advice: failed tasks, and those of unsettled accounts."""
        outcomes = self.world.outcomes(run.run_id).values()
        unsettled = {one.account_id for one in outcomes if one.detail is OutcomeDetail.UNSETTLED}
        accounts = [name for name, state in run.states.items() if state == "failed" or name in unsettled]
        return accounts or ([REPORT] if run.is_red else [])

    def plan_again(self, run: Run) -> None:
        """Clear the plan alone: whatever comes after it stays as it is, also a question that is on the screen."""
        if task := run.current.pop(PLAN, None):
            self.schedule.kill(task)
        run.first_tries.pop(PLAN, None)
        run.planned_alone = True
        self.try_again(run, PLAN)

    def answer(self, run: Run, verdict: Verdict) -> None:
        """Answer the question that is on the screen."""
        run.waiting, run.answer = False, verdict
        planned = self.world.operation(run.run_id).planned
        if verdict is Verdict.APPROVED and planned == run.asked:
            self.approved[run.run_id, planned] = run.screen
            self.void.pop((run.run_id, planned), None)
        self.try_again(run, APPROVE)

    def running(self) -> list[tuple[Run, str]]:
        """Return the task instances that have a living process."""
        return [
            (run, name)
            for run in self.runs.values()
            for name, task in run.current.items()
            if task.started and not task.over
        ]

    def collect(self) -> None:
        """Do what follows from the ends of processes."""
        for task in list(self.schedule.tasks):
            if not task.over or id(task) in self._collected:
                continue
            self._collected.add(id(task))
            run, name, _ = task.labels
            if task.error and not isinstance(task.error, ContactSyncError):
                self.problems.append(f"{task.name} raised {task.error!r}")
            if not task.killed and run.current.get(name) is task:
                self._ended(run, name, task)

    def _ended(self, run: Run, name: str, task: Task) -> None:
        if name in run.states:
            self._account_ended(run, name, task.error)
        elif task.error and name == APPROVE and isinstance(task.error, OvertakenError):
            run.states = dict.fromkeys(run.states, "failed")
            self._report_when_done(run)
        elif task.error:
            self.try_again(run, name)
        elif name == REPORT:
            self._reported(run, task)
        elif name == PLAN:
            self._planned(run, task.result)
        elif task.result:  # the approval has asked
            run.waiting = True
        else:
            self._map(run)

    def _planned(self, run: Run, account_ids: tuple[str, ...]) -> None:
        for key in [key for key in self.approved if key[0] == run.run_id]:
            if key[1] != self.world.operation(run.run_id).planned:
                self.void.setdefault(key, self.schedule.steps)
        if run.states:  # cleared alone
            return
        run.states = dict.fromkeys(account_ids, "upstream")
        if self.asks:
            self.try_again(run, APPROVE)
        else:
            self._map(run)

    def _map(self, run: Run) -> None:
        run.states = dict.fromkeys(run.states, "queued")
        for account_id in run.states:
            self.try_again(run, account_id)
        self._report_when_done(run)

    def _account_ended(self, run: Run, account_id: str, error: Exception | None) -> None:
        used = run.tries[account_id] - run.first_tries[account_id]
        if isinstance(error, WaitingError):  # rescheduled: no try is used up
            run.tries[account_id] -= 1
            self.try_again(run, account_id)
        elif isinstance(error, ContactSyncError) and error.retryable and used < RETRIES:
            self.try_again(run, account_id)
        else:
            run.states[account_id] = "failed" if error else "success"
            self._report_when_done(run)

    def _report_when_done(self, run: Run) -> None:
        if not {"queued", "upstream"} & set(run.states.values()):
            run.first_tries.pop(REPORT, None)
            self.try_again(run, REPORT)

    def _reported(self, run: Run, task: Task) -> None:
        run.reported = task.result
        for kind, step in task.looked.items():
            self.looked[kind] = max(step, self.looked.get(kind, 0))
        if follow_up := task.result.follow_up:
            self.start(request(dag_run_id=follow_up.run_id, **follow_up.conf))

    def _approval_of(self, run: Run) -> Callable[[Task], Any]:
        def ask(task: Task) -> bool:
            step: Approvals = self._stepped(self.world.approvals, task)
            if run.answer:
                assert run.asked
                step.decide(run.run_id, run.answer, planned=run.asked, by="airflow:admin", at=self.schedule.now)
                return False
            request = step.ask(run.run_id, shown=run.shown.get("extent"), accounts=run.shown.get("accounts"))
            planned = self.world.operation(run.run_id).planned
            self.void.setdefault((run.run_id, planned), self.schedule.steps)
            if request is None:
                return False
            run.asked = request.operation.planned
            if not run.shown:
                run.shown, run.screen = request.question, self._touched(run)
            return True

        return ask

    def _touched(self, run: Run) -> Touched:
        """Return what a question of the latest plan counts, from what it was asked for and its configuration."""
        operation = self.world.operation(run.run_id)
        pinned = self.world.configurations.version(operation.config_version).configuration
        wanted = run.request.accounts or [member.account_id for member in self.world.organization.members]
        kinds = [kind for kind, plan in operation.plans.items() if plan.needs_approval]
        touched = set(wanted) - set(pinned.excluded_accounts)
        return frozenset((account_id, kind) for account_id in touched for kind in kinds)

    def _plan_of(self, run: Run) -> Callable[[Task], Any]:
        return lambda task: self._stepped(self.world.planner, task).plan(run.request, map_limit=1024)

    def _sync_of(self, run: Run, account_id: str, number: int, first: int) -> Callable[[Task], Any]:
        def sync(task: Task) -> list[AccountOutcome]:
            step = self._stepped(self.world.account_sync, task)
            operation, pinned = step.open(run.run_id)
            task.operation = operation
            outcomes: list[AccountOutcome] = step.sync(operation, pinned, account_id, number, first_try=first)
            return outcomes

        return sync

    def _report_of(self, run: Run) -> Callable[[Task], Any]:
        def report(task: Task) -> Report:
            second_look = replace(self.world.second_look, follow_ups=FOLLOW_UPS_LIMIT)
            step: Reporter = self._stepped(replace(self.world.reporter, second_look=second_look), task)
            run_filter = {"accounts": run.request.accounts}
            listed = list(run.states)
            return step.report(run.run_id, run.states, has_plan=True, listed=listed, run_filter=run_filter)

        return report

    def _stepped(self, step: Any, task: Task) -> Any:
        return stepped(self.tamper(step), task, self.schedule)
