"""The numbers of a run: whoever shows them, they are the same."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactsync.accounts import AccountState
from contactsync.bus.events import NoticeRequested, SyncOperationEnded
from contactsync.configuration.schema import NoticeScenario
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    ContactSyncError,
    CredentialsError,
    HaltedError,
    OperationFailedError,
    RequestInvalidError,
    ServiceUnavailableError,
    ThrottledError,
)
from contactsync.notices.forms.render_json import render_json
from contactsync.notices.forms.render_text import render_text
from contactsync.notices.notice import Notice, NoticeOrigin, notice_of
from contactsync.notices.scenarios import scenarios_of
from contactsync.operations.counting import DENIED
from contactsync.operations.operation import OperationStatus
from contactsync.sync.report import Report, stored_report
from contactsync.views.export import operations_json
from contactsync.views.report_table import headline
from tests.support.builders import RUN, account, configuration, request
from tests.support.fakes.surroundings import START, Fault
from tests.support.worlds.world import World

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
IDS = tuple(account(number).account_id for number in range(1, 5))
ERRORS = (AccessDeniedError, ThrottledError, ServiceUnavailableError, RequestInvalidError, CredentialsError)


@dataclass(frozen=True)
class Story:
    """What happens to a run, and around it."""

    types: tuple[str, ...]
    dry_run: bool
    policy: str
    deleted: bool
    excluded: tuple[str, ...]
    closed: tuple[str, ...]
    failing: tuple[tuple[str, int], ...]
    not_started: tuple[str, ...]
    lost: tuple[tuple[str, ContactType], ...]
    narrowed: bool
    threshold: int


accounts = st.lists(st.sampled_from(IDS), unique=True, max_size=2).map(tuple)
stories = st.builds(
    Story,
    st.sampled_from([("security",), ("billing", "security")]),
    st.booleans(),
    st.sampled_from(["propagate", "ignore", "approve"]),
    st.booleans(),
    accounts,
    accounts,
    st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, len(ERRORS) - 1)), max_size=3).map(tuple),
    accounts,
    st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from([SECURITY, BILLING])), max_size=2).map(tuple),
    st.booleans(),
    st.sampled_from([1, 2, 9]),
)


def carry_out(story: Story) -> tuple[World, Report]:
    """Carry out a run to its report."""
    parts: dict[str, Any] = {
        "contact_types": list(story.types),
        "deletion": {"policy": story.policy},
        "excluded_accounts": list(story.excluded),
        "notification_settings": {"failure_threshold": story.threshold, "notify_on_success": True},
    }
    world = World.of(4, **parts)
    closed = {account(int(one[-1]), AccountState.CLOSED) for one in story.closed}
    left = [one for one in world.organization.members if one.account_id not in story.closed]
    world.organization.members = [*left, *closed]
    if story.deleted:
        world.contacts.stored[None, SECURITY] = None  # type: ignore[assignment] # as the fake answers it
        world.contacts.stored.update({(one, SECURITY): world.contacts.stored[None, BILLING] for one in IDS})
    listed = world.plan(request(dry_run=story.dry_run))
    for one, error in story.failing:
        call = "GetAlternateContact"
        world.contacts.faults.append(Fault(ERRORS[error](call, ERRORS[error].__name__, one), "read", one, times=9))
    sync(world, listed, story.not_started)
    if story.narrowed:
        world.clock.sleep(60)
        world.configurations.store(configuration(**{**parts, "scope": {"include": {"accounts": list(IDS[:2])}}}))
        listed = world.plan(request(dry_run=story.dry_run))
        sync(world, listed, story.not_started)
    for one, kind in story.lost:
        world.state.outcomes.pop((world.operation().sync_id, one, kind), None)
    return world, world.reporter.report(RUN, {}, has_plan=True, listed=listed)


def sync(world: World, listed: tuple[str, ...], but: tuple[str, ...]) -> None:
    """Run the accounts' tasks."""
    for one in listed:
        if one not in but:
            with suppress(ContactSyncError):
                world.sync(one)


def notices(world: World, report: Report) -> list[Notice]:
    """Return what people are told of the end, and what an end that was not worth it would say."""
    found = world.configurations.latest().configuration.notification_settings
    scenarios = scenarios_of(report.operation, report.outcome_counts, found)
    return [_notice(world, scenario) for scenario in {*scenarios, NoticeScenario.PARTIAL_FAILURE}]


def _notice(world: World, scenario: NoticeScenario) -> Notice:
    asked = NoticeRequested(notice_id="one", scenario=scenario, priority="high", sync_id=world.operation().sync_id)
    origin = NoticeOrigin("test", "correlation", START)
    return notice_of(asked, origin, world.operation(), world.outcomes().values())


def exported(world: World) -> Counter[str]:
    """Return the numbers of an export."""
    text = "".join(operations_json([world.operation()], lambda _: world.outcomes().values()))
    return sum((Counter(entry["counts"]) for entry in json.loads(text)), Counter())


@settings(max_examples=150, deadline=None)
@given(stories)
def test_agree(story: Story) -> None:
    """Report, stored operation, event, exception, notices in all forms and export have the same numbers."""
    world, report = carry_out(story)
    counts = {word: number for word, number in report.outcome_counts.counts.items() if number}
    operation = world.operation()
    assert operation.counts == counts
    again = stored_report(operation, list(world.outcomes().values()), story.threshold)
    assert (again.outcome_counts.counts, again.outcome_counts.failures) == (
        report.outcome_counts.counts,
        report.outcome_counts.failures,
    )
    (*_, event) = (one.data for one in world.announcer.sent if isinstance(one.data, SyncOperationEnded))
    assert event.counts == counts
    assert exported(world) == counts
    assert all(f"{number} {word}" in headline(again) for word, number in counts.items())
    for notice in notices(world, report):
        assert (notice.counts, notice.failures_total) == (counts, report.outcome_counts.failures)
        assert json.loads(render_json(notice))["counts"] == counts
        assert all(f"{number} {word}" in " ".join(render_text(notice).split()) for word, number in counts.items())
    check(report, counts)


def check(report: Report, counts: dict[str, int]) -> None:
    """See that the run is red when its operation failed, with the same numbers."""
    failed = counts.get("failed", 0) + counts.get(DENIED, 0)
    assert report.outcome_counts.failures == failed
    if report.operation.status is OperationStatus.COMPLETED:
        report.check()
        assert failed < report.threshold
        return
    with pytest.raises((HaltedError, OperationFailedError)) as raised:
        report.check()
    if isinstance(raised.value, OperationFailedError):
        error = raised.value
        assert (error.failed, error.denied, error.total) == (failed, counts.get(DENIED, 0), sum(counts.values()))
