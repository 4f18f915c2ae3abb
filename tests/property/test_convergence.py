"""Whatever the interleaving, accounts end at the newest desired contact: real steps under a state machine.

Hypothesis drives several runs over the same accounts, call by call (tests/support/simulation/schedule.py): changes
with and without an event, repeated plans, killed and abandoned processes and their retries, lost answers, writes that
land late, stale reads, cleared tasks, accounts excluded meanwhile. At the end everything that is under way comes to its
end, and the test judges what the accounts hold, what was written, and whether every outcome is true.
"""

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contactsync.contacts import Contact, ContactType
from contactsync.intake.request import RunRequest
from contactsync.operations.counting import is_failure
from contactsync.operations.operation import AccountOutcome, OperationStatus, OutcomeDetail, OutcomeStatus
from tests.support.builders import account, alternate, change_of, configuration, primary, request
from tests.support.simulation.airflow import REPORT, AirflowModel, Run, Tamper
from tests.support.simulation.schedule import CALL_TIMEOUT, Fate, Flight, Schedule, Task
from tests.support.worlds.world import World

MOST_CHANGES: Final = 4
MOST_RUNS: Final = 4
PEOPLE: Final = ("Ada", "Ben")
NOBODY: Final = len(PEOPLE)
TYPES: Final = ((ContactType.SECURITY,), (ContactType.BILLING, ContactType.SECURITY), (ContactType.PRIMARY,))

OLDEST_FIRST, NEWEST_FIRST, IN_TURN = ORDERS = ("oldest first", "newest first", "in turn")

TROUBLES: Final = [fate for fate in Fate if fate not in {Fate.FINE, Fate.STALE, Fate.TABLE, Fate.TABLE_STORED}]
"""How a write can end badly."""

STOPS: Final = (
    "any",
    "contacts.read",
    "contacts.write",
    "operations.store_plan",
    "records.get",
    "records.replace",
    "records.replace",
    "end",
    "end",
)


def source_of(kind: ContactType, number: int) -> Contact | None:
    """Return one of few contacts, so that they come back; one of them is none at all."""
    if kind is ContactType.PRIMARY:
        return primary(FullName=PEOPLE[number % len(PEOPLE)])
    return alternate(Name=PEOPLE[number]) if number < NOBODY else None


class Convergence(RuleBasedStateMachine):
    """Airflow, AWS and the people who change contacts, all at once."""

    tamper: Tamper = staticmethod(lambda step: step)
    """Takes a protection away, to see that the machine misses it."""

    @initialize(
        count=st.sampled_from([1, 1, 2, 3]),
        kinds=st.sampled_from(TYPES),
        held=st.lists(st.integers(0, NOBODY), min_size=8, max_size=8),
        order=st.sampled_from(ORDERS),
    )
    def begin(self, count: int, kinds: tuple[ContactType, ...], held: list[int], order: str) -> None:
        """Set up an organization whose accounts have anything; when all go on, they do it in an order."""
        self.order = order
        self.world = World.of(count)
        self.kinds = kinds
        self.excluded: dict[str, int] = {}
        self.accounts = [account(number).account_id for number in range(1, count + 1)]
        self._configure()
        self.world.configurations.versions.pop(0)
        numbers = iter(held)
        for kind in kinds:
            for account_id in (None, *self.accounts):
                if contact := source_of(kind, next(numbers)):
                    self.world.contacts.stored[account_id, kind] = contact
                else:
                    self.world.contacts.stored.pop((account_id, kind), None)
        self.schedule = Schedule(self.world.contacts, on_write=self._note_write)
        self.airflow = AirflowModel(self.world, self.schedule, type(self).tamper)
        self.events: list[RunRequest] = []
        self.changes = 0
        self.changed: dict[ContactType, int] = {}
        self.newest: dict[ContactType, int] = {}

    # What people, processes and AWS do

    @precondition(lambda self: self.changes < MOST_CHANGES)
    @rule(
        which=st.integers(0, 1),
        number=st.integers(0, NOBODY),
        event=st.sampled_from(["now", "now", "now", "later", "lost"]),
        fate=st.sampled_from([Fate.FINE, Fate.FINE, Fate.STALE, None]),
        quiet=st.booleans(),
    )
    def change(self, which: int, number: int, event: str, fate: Fate | None, quiet: bool) -> None:  # noqa: FBT001 -- Hypothesis passes it by name
        """Change the source, maybe after all is quiet; its event starts a run, waits, or is lost."""
        if quiet:
            self._run_all()
        kind = self.kinds[which % len(self.kinds)]
        contact = source_of(kind, number)
        self.changes += 1
        self.schedule.time += 1
        self.schedule.steps += 1
        self.schedule.put((None, kind), contact)
        self.changed[kind] = self.schedule.steps
        if event == "lost":
            return
        event_id = f"event-{self.changes}"
        change = change_of(kind, event_id=event_id, action="put" if contact else "delete")
        self.events.append(request(dag_run_id=event_id, change=change))
        if event == "now":
            self._start(self.events.pop(), fate)

    @precondition(lambda self: self.schedule.living())
    @rule(
        which=st.integers(0, 7),
        until=st.sampled_from(STOPS),
        fate=st.sampled_from([Fate.FINE, Fate.FINE, Fate.STALE, Fate.BROKEN, Fate.TABLE, Fate.TABLE_STORED]),
    )
    def go_on(self, which: int, until: str, fate: Fate) -> None:
        """Let one task go on until it is about to make a certain call, or to its end."""
        self._go_on(self._one(self.schedule.living(), which), until, fate)

    @precondition(lambda self: self._syncing())
    @rule(which=st.integers(0, 5), fate=st.sampled_from(TROUBLES))
    def write(self, which: int, fate: Fate) -> None:
        """Let the task of an account go on to its write, and that write end badly; then it stops."""
        task = self._one(self._syncing(), which)
        self._go_on(task, "contacts.write", Fate.FINE)
        if not task.over:
            self._resume(task, fate)

    @precondition(lambda self: self.airflow.running())
    @rule(which=st.integers(0, 7), dies=st.booleans())
    def kill(self, which: int, dies: bool) -> None:  # noqa: FBT001 -- Hypothesis passes it by name
        """Kill a process, or only believe that it is dead; either way its task is tried again."""
        run, name = self._one(self.airflow.running(), which)
        if dies:
            self.schedule.kill(run.current[name])
        run.plan_abandoned |= name == "plan" and not dies
        self.airflow.try_again(run, name)

    @rule(
        what=st.sampled_from(["wait", "stale", "land", "deliver", "by hand", "clear", "clear", "exclude"]),
        which=st.integers(0, 7),
        seconds=st.sampled_from([0.5, 5.0, CALL_TIMEOUT, 30.0]),
    )
    def happen(self, what: str, which: int, seconds: float) -> None:
        """Let something else happen, where it can."""
        if what == "wait":
            self.schedule.pass_time(self.schedule.time + seconds)
            self.airflow.collect()
        elif what == "stale":
            self.schedule.stale_until = self.schedule.time + seconds
        elif what == "land" and self.schedule.flights:
            self.schedule.land(self._one(self.schedule.flights, which))
        elif what == "deliver" and self.events:  # in any order; a second delivery meets the first one's run
            self._start(self.events.pop(which % len(self.events)))
        elif what == "by hand" and len(self.airflow.runs) < MOST_RUNS:
            self._start(request(dag_run_id=f"hand-{len(self.airflow.runs)}"), Fate.FINE)
        elif what == "clear" and self.airflow.runs:
            self._clear_one(self._one(list(self.airflow.runs.values()), which), int(seconds))
        elif what == "exclude" and which < len(self.accounts):  # seldom: nothing is seen of an excluded account
            self.excluded.setdefault(self._one(self.accounts, which), self.schedule.steps)
            self._configure()

    def _clear_one(self, run: Run, which: int) -> None:
        """Clear the plan, or one account's task, with everything downstream."""
        self.airflow.clear(run, [self._one([*run.states, "plan"], which)])

    def _go_on(self, task: Task, until: str, fate: Fate) -> None:
        self._resume(task, fate)
        while until != "any" and not task.over and not self._stands_before(task, until):
            self._resume(task, self.schedule.fate)  # what has not befallen a call yet befalls a later one

    def _stands_before(self, task: Task, until: str) -> bool:
        calls = {"contacts.write", "contacts.delete", "contacts.answer"} if until == "contacts.write" else {until}
        return task.call in calls

    def _resume(self, task: Task, fate: Fate) -> None:
        if task.wakes is not None:
            self.schedule.pass_time(task.wakes)
        if not task.over:
            self.schedule.resume(task, fate)
        self.airflow.collect()

    def _syncing(self) -> list[Task]:
        return [task for task in self.schedule.living() if task.kind == "sync"]

    def _start(self, wanted: RunRequest, fate: Fate | None = None) -> None:
        """Start a run, and plan it at once when a fate is given."""
        run = self.airflow.start(wanted)
        if run and fate:
            self._go_on(run.current["plan"], "end", fate)

    @invariant()
    def newest_only(self) -> None:
        """Check that what accounts are to carry never goes back to an older generation."""
        if hasattr(self, "world"):
            for kind, desired in self.world.state.desired.items():
                assert desired.generation >= self.newest.get(kind, 0), "an older generation replaced a newer one"
                self.newest[kind] = desired.generation

    # The end

    def teardown(self) -> None:
        """Let everything come to its end, and judge."""
        if not hasattr(self, "schedule"):
            return
        try:
            self._finish()
            self.newest_only()
            self._judge()
        finally:
            self.schedule.close()

    def _finish(self) -> None:
        for _ in range(5):
            for event in self.events:
                self._start(event)
            self.events.clear()
            self._run_all()
            failed = [run for run in self.airflow.runs.values() if run.is_red]
            for run in failed:
                self.airflow.clear(run, self.airflow.failed(run))
            if not failed:
                break
        self.schedule.pass_time(self.schedule.time + 2 * CALL_TIMEOUT)
        self.airflow.collect()

    def _run_all(self) -> None:
        for _ in range(20_000):
            living = self.schedule.living()
            if not living:
                return
            awake = [task for task in living if task.wakes is None or task.wakes <= self.schedule.time]
            self._resume(self._next(awake) if awake else min(living, key=lambda task: task.wakes or 0.0), Fate.FINE)
        self.airflow.problems.append("It did not come to an end.")

    def _next(self, awake: list[Task]) -> Task:
        if self.order == IN_TURN:
            return min(awake, key=lambda task: task.parked)
        return awake[0 if self.order == OLDEST_FIRST else -1]

    def _judge(self) -> None:
        assert self.airflow.problems == []
        for kind in self.kinds:
            self._judge_accounts(kind)
        for run in self.airflow.runs.values():
            self._judge_run(run)
        for (account_id, kind), record in self.world.state.records.items():
            if record.mark:
                owner = self.world.state.outcomes[record.mark.sync_id, account_id, kind]
                is_sent = is_failure(owner) or owner.detail is OutcomeDetail.EXCLUDED
                assert is_sent, "a mark is left behind, and no outcome tells"

    def _judge_accounts(self, kind: ContactType) -> None:
        desired = self.world.state.desired.get(kind)
        if desired is None:
            return
        if self.airflow.looked.get(kind, 0) > self.changed.get(kind, 0):
            assert desired.contact == self.world.contacts.stored.get((None, kind)), "a report did not see the change"
        for account_id in self.accounts:
            if account_id not in self.excluded:
                held = self.world.contacts.stored.get((account_id, kind))
                assert held == desired.contact, "an account does not hold the newest desired contact"

    def _judge_run(self, run: Run) -> None:
        assert run.reported, f"{run.run_id} was not reported"
        outcomes = self.world.outcomes(run.run_id).values()
        for outcome in outcomes:
            self._judge_outcome(run, outcome)
        failed = any(map(is_failure, outcomes))
        if run.plan_abandoned:
            return
        status = self.world.operation(run.run_id).status
        assert status is (OperationStatus.FAILED if failed else OperationStatus.COMPLETED), "the status is not true"

    def _judge_outcome(self, run: Run, outcome: AccountOutcome) -> None:
        assert outcome.status is not OutcomeStatus.PENDING
        assert outcome.timestamp
        if outcome.generation is not None:
            contact = self.schedule.generations[outcome.contact_type, outcome.generation]
            begin = min(attempt.started for attempt in outcome.attempts)
            key = (outcome.account_id, outcome.contact_type)
            assert self.schedule.held(key, contact, begin, outcome.timestamp), "the account did not hold what it tells"
        else:
            assert outcome.status is not OutcomeStatus.SUCCESS, "a success names no generation"
        told = {attempt.try_number for attempt in outcome.attempts if attempt.written_fields}
        recorded = {attempt.try_number for attempt in outcome.attempts}
        for flight in self.schedule.writes:
            (writer, name, number), (account_id, kind) = flight.task.labels, flight.key
            if writer is run and (name, kind) == (outcome.account_id, outcome.contact_type) and number in recorded:
                silent = number not in told and flight.contact != flight.before
                assert not silent, "a try does not tell that it wrote"
            assert account_id

    def _note_write(self, flight: Flight) -> None:
        account_id, kind = flight.key
        excluded = self.excluded.get(account_id or "")
        if excluded is not None and excluded < flight.task.looked.get(kind, 0):
            self.airflow.problems.append(f"{flight.task.name} writes to an account that was excluded when it looked")

    def _configure(self) -> None:
        self.world.configurations.store(
            configuration(
                contact_types=list(self.kinds),
                excluded_accounts=sorted(self.excluded),
                deletion={"policy": "propagate"},
                rates={"enabled": False},
                breaker={"enabled": False},
            )
        )

    @staticmethod
    def _one(choices: list[Any], which: int) -> Any:
        return choices[which % len(choices)]


FAST: Final = settings(
    max_examples=200,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def test_convergence() -> None:
    """Whatever the interleaving, accounts end at the newest desired contact, and every outcome is true."""
    run_state_machine_as_test(Convergence, settings=FAST)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_convergence_long() -> None:
    """The same, longer."""
    run_state_machine_as_test(Convergence, settings=settings(FAST, max_examples=1000, stateful_step_count=60))


def test_an_outcome_after_the_report() -> None:
    """A try that Airflow took for dead stores its outcome after the report: the run is red until it is cleared."""
    machine = Convergence()
    machine.begin(count=1, kinds=(ContactType.SECURITY,), held=[0, 1, 0, 0, 0, 0, 0, 0], order="newest first")
    machine.change(event="now", fate=Fate.FINE, number=0, quiet=False, which=0)
    machine.write(fate=Fate.SLOW, which=0)
    machine.kill(dies=True, which=0)
    machine.go_on(fate=Fate.FINE, until="any", which=0)
    machine.change(event="now", fate=Fate.FINE, number=2, quiet=False, which=0)
    machine.kill(dies=False, which=0)
    machine._run_all()
    (first, _) = machine.airflow.runs.values()
    assert machine.airflow.failed(first) == [REPORT]
    machine.teardown()
