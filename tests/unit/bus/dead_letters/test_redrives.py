"""Redrives: what is known of earlier ones, how many go at once, and what is not taken."""

import json
from datetime import timedelta
from typing import Any

import pytest

from contactsync.bus.audit import AuditEntry
from contactsync.bus.consume import MessageFailure
from contactsync.bus.dead_letters.handling import LetterFacts, LetterStep
from contactsync.bus.dead_letters.pace import RedrivePace
from contactsync.bus.events import Severity
from contactsync.errors import RequestInvalidError, ServiceUnavailableError
from tests.support.events import event_of
from tests.support.fakes.surroundings import START, FakeClock
from tests.unit.bus.dead_letters.test_dead_letters import EVENT, Desk, invocation_record

DENIED = ServiceUnavailableError("Query", "InternalServerError")


@pytest.fixture
def desk() -> Desk:
    """Give a desk."""
    return Desk()


def only(desk: Desk, queue: str) -> LetterFacts:
    """Return the facts of the one letter of a queue."""
    (facts,) = desk.look(queue)
    return facts


@pytest.mark.parametrize("body", [event_of().as_json(), "no JSON at all", '{"id": 7}'])
def test_comes_back(desk: Desk, body: str) -> None:
    """A message that was redriven and came back is shown with how often, when last, and by whom, whatever it holds."""
    desk.queues.put("audit", body)
    assert (only(desk, "audit").redriven, only(desk, "audit").last_redriven) == (0, None)
    for times in (1, 2, 3):
        desk.redrive("audit", reason=f"try {times}")
        desk.clock.sleep(3600)
        again = desk.queues.put("audit", body)
        # By now for another cause.
        desk.failures.remember("audit", again.message_id, MessageFailure(f"Cause{times}", "It failed.", 3))
        facts = only(desk, "audit")
        assert (facts.redriven, facts.last_redriven_by) == (times, "airflow:admin")
        assert facts.last_redriven == desk.clock.now() - timedelta(hours=1)
        assert facts.code == f"Cause{times}"
        shown = desk.desk.show("audit", again.message_id)
        assert (shown["redriven"], shown["last_redriven"]) == (times, facts.last_redriven)


def test_others_do_not(desk: Desk) -> None:
    """Another message is not taken for one that came back, nor is one that was discarded or only looked at."""
    for number in (1, 2):
        desk.queues.put("audit", event_of(event_id=f"e-{number}").as_json())
    desk.redrive("audit", dry_run=True)
    assert {facts.redriven for facts in desk.look("audit")} == {0}
    desk.discard("audit")
    desk.queues.put("audit", event_of(event_id="e-1").as_json())
    assert only(desk, "audit").redriven == 0
    desk.redrive("audit")
    desk.queues.put("audit", event_of(event_id="e-2").as_json())
    assert only(desk, "audit").redriven == 0


def test_another_queue(desk: Desk) -> None:
    """What EventBridge did not deliver, and the function then failed on, was redriven; so was the reverse."""
    desk.queues.put("rule", json.dumps(EVENT))
    desk.redrive("rule")
    desk.queues.put("trigger", json.dumps(invocation_record()))
    assert only(desk, "trigger").redriven == 1
    desk.redrive("trigger")
    desk.queues.put("rule", json.dumps(EVENT))
    assert only(desk, "rule").redriven == 2


def row(**data: Any) -> AuditEntry:
    """Return a row of an earlier redrive."""
    return AuditEntry(
        event_id=json.dumps(data),
        event_type="contactsync.dead_letter.redriven",
        time=START - timedelta(days=3),
        severity=Severity.INFO,
        source="/contactsync/test",
        correlation_id="c",
        entities=("dead-letter#audit",),
        data=json.dumps(data),
    )


def test_older_rows(desk: Desk) -> None:
    """A row that does not say what the message held is found by the event's id; a strange one by nothing."""
    desk.queues.put("audit", event_of().as_json())
    for data in ({"event_id": "e-1", "by": "airflow:wanda"}, {"event_id": 7}, {"content": None}, {"event_id": "e-1"}):
        desk.trail.add(row(**data))
    desk.trail.add(AuditEntry(**{**vars(row()), "data": "no JSON"}))
    assert (only(desk, "audit").redriven, only(desk, "audit").last_redriven) == (2, START - timedelta(days=3))


def test_history_unreadable(desk: Desk) -> None:
    """When the trail cannot be read, the letters are listed, and it is not known whether they were redriven."""
    desk.queues.put("audit", event_of().as_json())
    desk.trail.unreadable = DENIED
    facts = only(desk, "audit")
    assert (facts.event_id, facts.redriven) == ("e-1", None)


def test_reasons_unreadable(desk: Desk) -> None:
    """When no reason can be read, the letters are listed, and say so."""
    desk.queues.put("audit", event_of().as_json())
    desk.failures.unreadable = DENIED
    facts = only(desk, "audit")
    assert (facts.event_id, facts.code) == ("e-1", None)
    assert "cannot be read" in str(facts.reason)


@pytest.mark.parametrize(("rate", "largest"), [(0.1, 1), (5, 1), (20, 4), (50, 10), (1000, 10)])
def test_batches(desk: Desk, rate: float, largest: int) -> None:
    """A high rate goes in batches; nothing is lost, each message has its row, and the rate is kept over time."""
    for number in range(25):
        desk.queues.put("audit", event_of(event_id=str(number)).as_json())
    assert desk.redrive("audit", rate=rate) == [LetterStep.REDRIVEN] * 25
    assert max(desk.queues.batches) == largest
    assert len(desk.queues.sent_on) == 25
    assert len([entry for entry in desk.trail.entries if entry.event_type.endswith("redriven")]) == 25
    assert desk.left("audit") == []
    first_batches = 25 - desk.queues.batches[-1]
    assert desk.clock.monotonic() == pytest.approx(first_batches / rate)


def test_some_refused(desk: Desk) -> None:
    """Messages of a batch that are not taken stay, without a row, and the others go."""
    letters = [desk.queues.put("audit", event_of(event_id=str(number)).as_json()) for number in range(10)]
    bad = {letters[3].message_id, letters[9].message_id}
    desk.queues.refused = dict.fromkeys(bad, RequestInvalidError("SendMessageBatch", "InvalidMessageContents"))
    steps = desk.redrive("audit", rate=50)
    assert (steps.count(LetterStep.REDRIVEN), steps.count(LetterStep.REFUSED)) == (8, 2)
    assert set(desk.left("audit")) == bad
    assert len([entry for entry in desk.trail.entries if entry.event_type.endswith("redriven")]) == 8


def test_refused_again(desk: Desk) -> None:
    """What was not taken is tried again by the next command: it does not count as sent."""
    letter = desk.queues.put("audit", event_of().as_json())
    desk.queues.refused = {letter.message_id: DENIED}
    assert desk.redrive("audit") == [LetterStep.REFUSED]
    desk.queues.refused = {}
    assert only(desk, "audit").redriven == 0
    assert desk.redrive("audit") == [LetterStep.REDRIVEN]


def test_copies_in_a_batch(desk: Desk) -> None:
    """Two copies of an event in one batch are sent once."""
    for _ in range(2):
        desk.queues.put("audit", event_of().as_json())
    assert desk.redrive("audit", rate=1000) == [LetterStep.REDRIVEN, LetterStep.LEFT]


def test_missing_at_the_end(desk: Desk) -> None:
    """Messages that were named and found are done with, before it is said that others are missing."""
    letters = [desk.queues.put("audit", event_of(event_id=str(number)).as_json()) for number in range(3)]
    order = [letters[0].message_id, letters[2].message_id, "no-such-id"]
    with pytest.raises(Exception, match="no-such-id"):
        desk.redrive("audit", *order, rate=1000)
    assert desk.left("audit") == [letters[1].message_id]


def test_reached() -> None:
    """The rate that was reached is what went, by the time that it took."""
    clock = FakeClock()
    pace = RedrivePace(clock, 100)
    assert pace.reached == 100
    for _ in range(4):
        pace.wait(10)
        clock.sleep(0.5)
    assert (pace.sent, pace.reached) == (40, 20)
