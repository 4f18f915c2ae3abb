"""Whatever the interleaving, a contact is deleted only where a person, or the policy, said so: real steps, searched.

The state machine of test_convergence, with the policies of deletions, questions that are answered at any time, plans
that are repeated while a question is on the screen, runs for some accounts only, accounts that move into an excluded
unit, and policies that change. What may be deleted is counted by the machine itself, not by the product.
"""

from datetime import datetime
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from contactsync.configuration.schema import DeletionPolicy
from contactsync.contacts import ContactType
from contactsync.operations.operation import OutcomeDetail, Verdict
from tests.property.test_convergence import FAST, MOST_RUNS, TYPES, Convergence
from tests.support.builders import configuration, request
from tests.support.simulation.airflow import APPROVE, Run
from tests.support.simulation.schedule import Fate, Flight

CLOSED: Final = "Closed"
ANSWERS: Final = (Verdict.APPROVED, Verdict.APPROVED, Verdict.REJECTED, Verdict.TIMED_OUT)
POLICIES: Final = ("approve", "approve", "approve", "propagate", "ignore")


class Deletions(Convergence):
    """The same people, who also decide about deletions, and change their minds."""

    @initialize(
        count=st.sampled_from([2, 2, 3]),
        kinds=st.sampled_from(TYPES[:2]),
        order=st.sampled_from(["oldest first", "newest first", "in turn"]),
        policy=st.sampled_from(POLICIES),
    )
    def begin(self, count: int, kinds: tuple[ContactType, ...], order: str, policy: str) -> None:  # type: ignore[override]
        """Set up accounts that all carry a contact."""
        self.policy = policy
        self.policies: list[tuple[int, str]] = [(0, policy)]
        self.moved: dict[str, int] = {}
        self.lifted: set[str] = set()
        """Accounts that were excluded for a while."""
        super().begin(count, kinds, [0] * 8, order)
        self.airflow.asks = True
        self.policies = [(0, policy)]

    @precondition(lambda self: self.waiting())
    @rule(which=st.integers(0, 3), verdict=st.sampled_from(ANSWERS))
    def decide(self, which: int, verdict: Verdict) -> None:
        """Answer a question, or let its time pass."""
        self.airflow.answer(self._one(self.waiting(), which), verdict)

    @precondition(lambda self: self.waiting())
    @rule(which=st.integers(0, 3), quiet=st.booleans())
    def plan_again(self, which: int, quiet: bool) -> None:  # noqa: FBT001 -- Hypothesis passes it by name
        """Clear the plan alone while its question is on the screen."""
        run = self._one(self.waiting(), which)
        self.airflow.plan_again(run)
        if quiet:
            self._go_on(run.current["plan"], "end", Fate.FINE)

    @rule(
        what=st.sampled_from(["some", "some", "policy", "move", "include", "exclude", "ask again", "go"]),
        which=st.integers(0, 7),
        policy=st.sampled_from(POLICIES),
    )
    def decide_otherwise(self, what: str, which: int, policy: str) -> None:
        """Start a run for some accounts, change the rules, move an account, or clear a question."""
        if what == "some" and len(self.airflow.runs) < MOST_RUNS + 2:
            chosen = self.accounts[which % len(self.accounts) :][:1]
            wanted = request(dag_run_id=f"some-{len(self.airflow.runs)}", accounts=chosen)
            self._start(wanted, Fate.FINE)
        elif what == "policy" and policy != self.policy:
            self.policy = policy
            self.policies.append((self.schedule.steps, policy))
            self._configure()
        elif what == "move" and which < len(self.accounts) and self.accounts[which] not in self.moved:
            self.moved[self.accounts[which]] = self.schedule.steps
            self.world.organization.places[self.accounts[which]] = CLOSED
        elif what == "include":
            self.lifted |= set(self.excluded)
            self.excluded.clear()
            self._configure()
        elif what == "exclude" and which < len(self.accounts):
            self.excluded.setdefault(self.accounts[which], self.schedule.steps)
            self._configure()
        elif what == "ask again" and self.airflow.runs:
            run = self._one(list(self.airflow.runs.values()), which)
            if run.states and self.airflow.asks and "plan" in run.current and run.current["plan"].over:
                self.airflow.clear(run, [APPROVE])
        elif what == "go":
            self._run_all()

    def waiting(self) -> list[Run]:
        """Return the runs whose question is on the screen."""
        return [run for run in self.airflow.runs.values() if run.waiting]

    def _finish(self) -> None:
        for _ in range(4):
            super()._finish()
            for run in self.waiting():
                self.airflow.answer(run, Verdict.APPROVED)
        super()._finish()

    def _judge_run(self, run: Run) -> None:
        # What a plan that was repeated alone leaves open is closed by housekeeping.
        if not run.waiting and not run.planned_alone:
            super()._judge_run(run)

    def _judge_accounts(self, kind: ContactType) -> None:
        """Check what everybody was to carry; a deletion is nobody's, but where it was allowed."""
        desired = self.world.state.desired.get(kind)
        if desired is None or desired.contact is None:
            return
        owner = self.world.state.operations[desired.sync_id]
        run = self.airflow.runs[owner.dag_run_id]
        reached = set(run.request.accounts or self.accounts) - set(self.excluded) - set(self.moved)
        if run.plan_abandoned or owner.planned != self._settled_plan(run):
            return
        outcomes = self.world.outcomes(run.run_id)
        # An account that was excluded when its task looked waits for the next run, also when it no longer is.
        reached &= set(run.states)
        left = {one for one in reached & self.lifted if outcomes[one, kind].detail is OutcomeDetail.EXCLUDED}
        for account_id in reached - left:
            held = self.world.contacts.stored.get((account_id, kind))
            assert held == desired.contact, "an account does not hold the newest desired contact"

    def _settled_plan(self, run: Run) -> datetime:
        return self.world.operation(run.run_id).planned

    def _note_write(self, flight: Flight) -> None:
        super()._note_write(flight)
        if flight.contact is None and (problem := self._problem_of(flight)):
            self.airflow.problems.append(f"{flight.task.name} deletes in {flight.key}: {problem}")

    def _problem_of(self, flight: Flight) -> str | None:
        operation, account_id, kind = flight.task.operation, str(flight.key[0]), flight.key[1]
        assert operation
        looked = flight.task.looked.get(kind, 0)
        if self.moved.get(account_id, looked) < looked:
            return "it had moved into an excluded unit"
        policies = [policy for step, policy in self.policies if step < looked][-1:] + [
            policy for step, policy in self.policies if step >= looked
        ]
        if set(policies) == {"ignore"}:
            return "the policy in force deletes nothing"
        plan = operation.plans[kind]
        if not plan.absent:
            return "its own plan is no deletion"
        pinned = self.world.configurations.version(operation.config_version).configuration.deletion.policy
        if pinned is DeletionPolicy.PROPAGATE:
            return None if "propagate" in policies else "the policy in force does not propagate"
        key = (operation.dag_run_id, operation.planned)
        if (account_id, kind) not in self.airflow.approved.get(key, frozenset()):
            return "nobody approved it"
        ended = self.airflow.void.get(key)
        return "its approval had ended" if ended is not None and ended < looked else None

    def _configure(self) -> None:
        self.world.organization.empty_units = [CLOSED]
        self.world.configurations.store(
            configuration(
                contact_types=list(self.kinds),
                excluded_accounts=sorted(self.excluded),
                scope={"exclude": {"organizational_units": [CLOSED]}},
                deletion={"policy": self.policy},
                rates={"enabled": False},
                breaker={"enabled": False},
            )
        )


def test_deletions() -> None:
    """Nothing is deleted but where a person, or the policy in force, said so."""
    run_state_machine_as_test(Deletions, settings=FAST)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_deletions_long() -> None:
    """The same, longer."""
    run_state_machine_as_test(Deletions, settings=settings(FAST, max_examples=1500, stateful_step_count=50))
