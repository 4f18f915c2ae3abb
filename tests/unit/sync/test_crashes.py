"""Processes that are killed between any two calls of a task, and what the next try makes of it."""

import dataclasses
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest

from contactsync.errors import ContactSyncError, WaitingError
from contactsync.operations.account_record import Mark
from contactsync.operations.operation import OperationStatus, OutcomeDetail, OutcomeStatus
from contactsync.sync.report import Report
from tests.support.builders import RUN, account, alternate, request
from tests.support.fakes.surroundings import START, Fault
from tests.support.simulation.stepped_ports import STEPS
from tests.support.worlds.one_account import (
    ONE,
    SECURITY,
    THROTTLED,
    UNANSWERED,
    UNAVAILABLE,
    fix,
    planned,
    record,
    refused,
    stored,
    switch_off,
    wait,
    writes,
)
from tests.support.worlds.world import World

MOST_CALLS: Final = 400


class KilledError(BaseException):
    """The process is gone."""


@dataclass
class Countdown:
    """How many calls a process still lives for; afterwards each one that its remains try fails."""

    left: int

    @property
    def over(self) -> bool:
        """Whether the process was killed."""
        return self.left < 0

    def tick(self) -> None:
        """Live for one call less."""
        self.left -= 1
        if self.over:
            raise KilledError


@dataclass(frozen=True)
class MortalPort:
    """A fake that is asked by a process which may be killed before any call."""

    fake: Any
    countdown: Countdown

    def __getattr__(self, name: str) -> Any:
        """Return the fake's method, with the end that may come before it."""
        part = getattr(self.fake, name)
        if not callable(part):
            return part

        def call(*args: Any, **kwargs: Any) -> Any:
            self.countdown.tick()
            return part(*args, **kwargs)

        return call


def mortal(part: Any, countdown: Countdown) -> Any:
    """Return a copy of a step whose ports, however deep inside, count down."""
    if type(part).__module__.startswith("tests."):
        return MortalPort(part, countdown)
    if not dataclasses.is_dataclass(part) or not type(part).__module__.startswith(STEPS):
        return part
    result = copy(part)
    for name, value in vars(part).items():
        object.__setattr__(result, name, mortal(value, countdown))
    return result


def killed(act: Callable[[Countdown], Any], calls: int) -> bool:
    """Act for so many calls, and tell whether that was too short."""
    countdown = Countdown(calls)
    with suppress(KilledError, ContactSyncError):
        act(countdown)
    return countdown.over


def try_once(world: World, countdown: Countdown, number: int = 1) -> None:
    """Run the account's task in a process that may be killed."""
    step = mortal(world.account_sync, countdown)
    step.sync(*step.open(RUN), ONE, number)


def different() -> World:
    """Return a world whose account has another contact."""
    world = planned()
    world.contacts.stored[ONE, SECURITY] = alternate(Title="Other")
    return world


def equal() -> World:
    """Return a world whose account has the desired contact already."""
    world = planned()
    world.contacts.stored[ONE, SECURITY] = alternate()
    return world


def to_be_deleted() -> World:
    """Return a world whose account is to lose its contact."""
    world = World.of(1, contact_types=["security"], deletion={"policy": "propagate"})
    del world.contacts.stored[None, SECURITY]
    world.contacts.stored[ONE, SECURITY] = alternate()
    world.plan()
    return world


def with_foreign_mark() -> World:
    """Return a world in which another task has announced a write and is gone."""
    world = different()
    world.records.replace(record(world), mark=Mark("another's", "another operation", 1, START))
    return world


def with_fault(*faults: Fault) -> Callable[[], World]:
    """Return what makes a world whose writes meet these faults."""

    def world_with_faults() -> World:
        world = different()
        world.contacts.faults += [dataclasses.replace(fault) for fault in faults]
        return world

    return world_with_faults


def superseded() -> World:
    """Return a world in which a newer run was planned, and did nothing yet."""
    world = different()
    world.contacts.stored[None, SECURITY] = alternate(Name="Newer")
    world.plan(request(dag_run_id="newer"))
    return world


def of_two_types() -> World:
    """Return a world whose account has two contacts to be written."""
    return planned("billing", "security")


WORLDS = [
    different,
    equal,
    to_be_deleted,
    with_foreign_mark,
    superseded,
    of_two_types,
    with_fault(Fault(THROTTLED, "write", times=2)),
    with_fault(Fault(THROTTLED, "write", times=6)),
    with_fault(Fault(UNAVAILABLE, "write", times=1)),
    with_fault(Fault(UNAVAILABLE, "write", times=1, applied=True)),
    with_fault(Fault(UNANSWERED, "write", times=1)),
    with_fault(Fault(UNANSWERED, "write", times=1, applied=True)),
]
IDS = [
    "different",
    "equal",
    "deletion",
    "foreign mark",
    "superseded",
    "two types",
    "throttled",
    "pausing",
    "answered failure",
    "answered failure, applied",
    "unanswered",
    "unanswered, applied",
]


def go_on(world: World, number: int) -> int:
    """Let Airflow try again until the task has ended, and return the last try's number."""
    while True:
        wait(world, 5)
        try:
            world.sync(ONE, number)
        except WaitingError:
            continue
        except ContactSyncError:
            assert number < 5
            number += 1
        else:
            return number


def judge(world: World, number: int, written_since: bool) -> None:  # noqa: FBT001 -- a plain fact
    """Check what the account holds, and that outcome and record are true."""
    desired = {kind: found.contact for kind, found in world.state.desired.items()}
    for outcome in world.operations.outcomes_of(world.operation().sync_id, ONE).values():
        kind = outcome.contact_type
        assert world.contacts.stored.get((ONE, kind)) == desired[kind]
        assert outcome.status in {OutcomeStatus.SUCCESS, OutcomeStatus.SKIPPED}
        assert (outcome.detail is OutcomeDetail.SUPERSEDED) == (outcome.status is OutcomeStatus.SKIPPED)
        assert outcome.generation == world.state.desired[kind].generation
        assert outcome.attempts[-1].try_number == number
        assert not (written_since and outcome.detail is OutcomeDetail.UNCHANGED and len(desired) == 1)
        assert record(world, kind).mark is None
        assert record(world, kind).verified_at


@pytest.mark.parametrize("begin", WORLDS, ids=IDS)
def test_killed(begin: Callable[[], World]) -> None:
    """Before whichever call a task is killed, its next try ends at the desired contact, and the outcome is true."""
    for calls in range(MOST_CALLS):
        world = begin()
        if not killed(partial(try_once, world), calls):
            break
        done = len(writes(world))
        judge(world, go_on(world, 2), written_since=len(writes(world)) > done)
    else:
        pytest.fail("The task makes more calls than that.")
    assert calls > 5


@pytest.mark.parametrize("begin", [different, to_be_deleted], ids=["different", "deletion"])
def test_killed_twice(begin: Callable[[], World]) -> None:
    """The same when the next try is killed, too."""
    for calls in range(0, MOST_CALLS, 3):
        for more in range(0, MOST_CALLS, 5):
            world = begin()
            killed(partial(try_once, world), calls)
            if not killed(partial(try_once, world, number=2), more):
                break
            judge(world, go_on(world, 3), written_since=False)
        if not killed(lambda countdown: try_once(begin(), countdown), calls):
            break


def test_killed_and_not_tried_again() -> None:
    """When nobody tries again the report counts the account as failed, whatever the task had done before its end."""
    for calls in range(MOST_CALLS):
        world = different()
        if not killed(partial(try_once, world), calls):
            break
        report = world.reporter.report(RUN, {ONE: "failed"}, has_plan=True)
        assert report.outcome_counts.failures >= 1
        assert stored(world).status is OutcomeStatus.FAILED


def test_killed_while_halting() -> None:
    """Before whichever call a task that finds trusted access off is killed, a cleared one fixes it all afterwards."""
    for calls in range(MOST_CALLS):
        world = refused()
        switch_off(world)
        if not killed(partial(try_once, world), calls):
            break
        fix(world)
        wait(world, 60)
        world.sync(ONE, 2, first_try=2)
        judge(world, 2, written_since=True)
        assert world.operation().halt is None


def report_once(world: World, countdown: Countdown | None = None) -> Report:
    """Report in a process that may be killed."""
    step = mortal(world.reporter, countdown or Countdown(MOST_CALLS))
    states = {ONE: "success", account(2).account_id: "failed"}
    report: Report = step.report(RUN, states, has_plan=True)
    return report


def test_report_is_killed() -> None:
    """Before whichever call a report is killed, the next one tells and stores the same, follow-up included."""

    def begin() -> World:
        world = different()
        world.sync(ONE)
        world.contacts.stored[None, SECURITY] = alternate(Name="Newest")
        return world

    whole = report_once(begin())
    assert whole.follow_up
    for calls in range(MOST_CALLS):
        world = begin()
        if not killed(lambda countdown, world=world: report_once(world, countdown), calls):  # type: ignore[misc]
            break
        again = report_once(world)
        assert (again.outcome_counts, again.follow_up) == (whole.outcome_counts, whole.follow_up)
        assert world.operation().followed_by == whole.operation.followed_by
        assert world.operation().status is OperationStatus.FAILED
