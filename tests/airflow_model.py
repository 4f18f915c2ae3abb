"""As much of Airflow as decides when a step is carried out, and as which try: for steps that are interleaved."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from contactsync.contacts import ContactType
from contactsync.errors import ContactSyncError, PausedError
from contactsync.sync.bounds import FOLLOW_UPS_LIMIT
from contactsync.sync.operation import AccountOutcome
from contactsync.sync.report import Report, Reporter
from contactsync.sync.request import RunRequest
from tests.builders import World, request
from tests.interleaving import Schedule, Task
from tests.stepped_ports import stepped

RETRIES: Final = 3
PLAN, REPORT, SYNC = "plan", "report", "sync"

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

    @property
    def run_id(self) -> str:
        """The DAG run's id."""
        return self.request.dag_run_id

    @property
    def failed(self) -> list[str]:
        """The accounts whose tasks have failed."""
        return [name for name, state in self.states.items() if state == "failed"]


@dataclass
class AirflowModel:
    """The runs there are. Every task instance becomes a task of the schedule, which whoever drives that lets go on."""

    world: World
    schedule: Schedule
    tamper: Tamper
    runs: dict[str, Run] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
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
        steps = {PLAN: self._plan_of(run), REPORT: self._report_of(run)}
        step = steps.get(name) or self._sync_of(run, name, number, first)
        kind = name if name in steps else SYNC
        run.current[name] = self.schedule.add(Task(f"{run.run_id}/{name}#{number}", step, kind, (run, name, number)))

    def clear(self, run: Run, names: list[str]) -> None:
        """Clear tasks with everything downstream, and queue them; what runs is ended."""
        cleared = [PLAN] if PLAN in names else names
        downstream = [*run.states, REPORT] if PLAN in cleared else [REPORT]
        for name in (*cleared, *downstream):
            if task := run.current.pop(name, None):
                self.schedule.kill(task)
            run.first_tries.pop(name, None)
        run.reported = None
        run.states = {} if PLAN in cleared else {**run.states, **dict.fromkeys(cleared, "queued")}
        for name in cleared:
            self.try_again(run, name)

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
        elif task.error:
            self.try_again(run, name)
        elif name == REPORT:
            self._reported(run, task)
        else:
            run.states = dict.fromkeys(task.result, "queued")
            for account_id in task.result:
                self.try_again(run, account_id)
            self._report_when_done(run)

    def _account_ended(self, run: Run, account_id: str, error: Exception | None) -> None:
        used = run.tries[account_id] - run.first_tries[account_id]
        if isinstance(error, PausedError):  # rescheduled: no try is used up
            run.tries[account_id] -= 1
            self.try_again(run, account_id)
        elif isinstance(error, ContactSyncError) and error.retryable and used < RETRIES:
            self.try_again(run, account_id)
        else:
            run.states[account_id] = "failed" if error else "success"
            self._report_when_done(run)

    def _report_when_done(self, run: Run) -> None:
        if "queued" not in run.states.values():
            run.first_tries.pop(REPORT, None)
            self.try_again(run, REPORT)

    def _reported(self, run: Run, task: Task) -> None:
        run.reported = task.result
        for kind, step in task.looked.items():
            self.looked[kind] = max(step, self.looked.get(kind, 0))
        if follow_up := task.result.follow_up:
            self.start(request(dag_run_id=follow_up.run_id, **follow_up.conf))

    def _plan_of(self, run: Run) -> Callable[[Task], Any]:
        return lambda task: self._stepped(self.world.planner, task).plan(run.request, map_limit=1024)

    def _sync_of(self, run: Run, account_id: str, number: int, first: int) -> Callable[[Task], Any]:
        def sync(task: Task) -> list[AccountOutcome]:
            step = self._stepped(self.world.account_sync, task)
            operation, pinned = step.open(run.run_id)
            outcomes: list[AccountOutcome] = step.sync(operation, pinned, account_id, number, first_try=first)
            return outcomes

        return sync

    def _report_of(self, run: Run) -> Callable[[Task], Any]:
        def report(task: Task) -> Report:
            step: Reporter = self._stepped(replace(self.world.reporter, follow_ups=FOLLOW_UPS_LIMIT), task)
            return step.report(run.run_id, run.states, planned=True)

        return report

    def _stepped(self, step: Any, task: Task) -> Any:
        return stepped(self.tamper(step), task, self.schedule)
