"""Dead letters: looked at without trace, sent on or discarded with one, and never lost half-way."""

import json
from typing import Any

import pytest

from contactsync.bus.consume import MessageFailure, quarantine_attributes
from contactsync.bus.dead_letters.handling import DeadLetters, LetterFacts, LetterOrder, LetterStep
from contactsync.bus.dead_letters.letters import DeadLetter, content_of
from contactsync.errors import (
    DeadLetterMissingError,
    DeadLetterQueueUnknownError,
    DeadLetterSourceError,
    EventTypeUnknownError,
    ServiceUnavailableError,
)
from tests.support.events import CORRELATION_ID, event_of
from tests.support.fakes.bus import FakeAudit, FakeDeadLetters, FakeFailures
from tests.support.fakes.surroundings import FakeClock
from tests.support.recorded import changed, recorded

EVENT = recorded("put_alternate_camel")
EVENT_ID = EVENT["detail"]["eventID"]
UNAVAILABLE = ServiceUnavailableError("SendMessage", "InternalError")
RULE_ATTRIBUTES = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "Not authorized to invoke", "RETRY_ATTEMPTS": "0"}


def invocation_record(event: object = EVENT, **response: str) -> dict[str, Any]:
    """Return what Lambda hands to an on-failure destination."""
    return {
        "version": "1.0",
        "requestContext": {"requestId": "r-1", "condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": event,
        "responsePayload": {"errorMessage": "said", "errorType": "TriggerError", **response},
    }


class Desk:
    """The desk with fakes on all sides."""

    def __init__(self) -> None:
        """Start with empty queues."""
        self.queues = FakeDeadLetters()
        self.failures = FakeFailures()
        self.trail = FakeAudit()
        self.clock = FakeClock()
        self.desk = DeadLetters(self.queues, self.failures, self.trail, self.clock, "/contactsync/test")

    def look(self, queue: str) -> list[LetterFacts]:
        """Look at a queue."""
        return list(self.desk.look(queue))

    def redrive(self, queue: str, *ids: str, rate: float = 5, **parts: Any) -> list[LetterStep]:
        """Redrive letters, all without ids."""
        order = LetterOrder(queue, ids or None, by="airflow:admin", **parts)
        return [step for step, _ in self.desk.redrive(order, rate=rate)]

    def discard(self, queue: str, *ids: str, **parts: Any) -> list[LetterStep]:
        """Discard letters."""
        order = LetterOrder(queue, ids or None, by="airflow:admin", reason="known", **parts)
        return [step for step, _ in self.desk.discard(order)]

    def left(self, queue: str) -> list[str]:
        """Return the ids of the letters that a queue gives out."""
        return [letter.message_id for letter in self.queues.take(queue)]


@pytest.fixture
def desk() -> Desk:
    """Give a desk."""
    return Desk()


def test_reason_remembered(desk: Desk) -> None:
    """A poison message's reason is what its last failure left behind."""
    letter = desk.queues.put("audit", event_of().as_json(), type="contactsync.account.failed.v1")
    desk.failures.remember("audit", letter.message_id, MessageFailure("InternalError", "It failed.", 3))
    (facts,) = desk.look("audit")
    assert (facts.event_id, facts.event_type) == ("e-1", "contactsync.account.failed.v1")
    assert (facts.correlation_id, facts.sent) == (CORRELATION_ID, letter.sent)
    assert (facts.code, facts.reason) == ("InternalError", "It failed.")


def test_reason_quarantined(desk: Desk) -> None:
    """A quarantined message carries its reason."""
    attributes = quarantine_attributes(EventTypeUnknownError("e-1", "new.v9"))
    desk.queues.put("notices", '{"id": "e-1", "type": "new.v9"}', **attributes)
    (facts,) = desk.look("notices")
    assert (facts.event_id, facts.event_type, facts.code) == ("e-1", "new.v9", "EventTypeUnknown")
    assert "new.v9" in str(facts.reason)


def test_reason_rule(desk: Desk) -> None:
    """EventBridge says in attributes why it gave up; the event's id is CloudTrail's."""
    desk.queues.put("rule", json.dumps(EVENT), **RULE_ATTRIBUTES)
    (facts,) = desk.look("rule")
    assert (facts.event_id, facts.event_type, facts.correlation_id) == (EVENT_ID, "PutAlternateContact", EVENT_ID)
    assert facts.code == "NO_PERMISSIONS"
    assert str(facts.reason).startswith("Not authorized to invoke. ")
    assert "TriggerPermission" in str(facts.reason)


def test_reason_trigger(desk: Desk) -> None:
    """Lambda's record says what kind of error it was; its text stays out, because it may quote the event."""
    desk.queues.put("trigger", json.dumps(invocation_record(errorMessage="wanda@quagga.example")))
    (facts,) = desk.look("trigger")
    assert (facts.event_id, facts.code) == (EVENT_ID, "TriggerError")
    assert facts.reason == "RetriesExhausted after 3 tries; see the function's log"


def test_reason_timeout(desk: Desk) -> None:
    """A function that never answered left the condition only."""
    record = {name: value for name, value in invocation_record().items() if name != "responsePayload"}
    desk.queues.put("trigger", json.dumps(record))
    assert desk.look("trigger")[0].code == "RetriesExhausted"


@pytest.mark.parametrize(
    ("response", "code", "words"),
    [
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "x"},
            "Sandbox.Timedout",
            "within its Timeout after 3 tries",
        ),
        (
            {"errorMessage": "2026-01-01 r-1 Task timed out after 60.06 seconds"},
            "Sandbox.Timedout",
            "within its Timeout",
        ),
        ({"errorType": "Runtime.ExitError", "errorMessage": "x"}, "Runtime.ExitError", "process"),
    ],
)
def test_reason_lambda(desk: Desk, response: dict[str, str], code: str, words: str) -> None:
    """What ended in Lambda itself, and not with an error of the code, is said so, with what to do."""
    desk.queues.put("trigger", json.dumps({**invocation_record(), "responsePayload": response}))
    (facts,) = desk.look("trigger")
    assert facts.code == code
    assert words in str(facts.reason)
    assert "r-1" not in str(facts.reason)


def test_reason_missing(desk: Desk) -> None:
    """Of a message that nobody could say anything about, it is said what that can mean."""
    desk.queues.put("audit", event_of().as_json())
    (facts,) = desk.look("audit")
    assert facts.code is None
    assert "process ended" in str(facts.reason)
    assert "SNS could not deliver" in str(facts.reason)


@pytest.mark.parametrize("queue", ["audit", "rule", "trigger"])
@pytest.mark.parametrize(
    "body", ["", "no JSON", "[]", '"text"', "{}", '{"detail": 3, "requestPayload": []}', "[" * 9999]
)
@pytest.mark.usefixtures("_deep_nesting")
def test_any_body(desk: Desk, queue: str, body: str) -> None:
    """Whatever a message holds, it is listed and shown, and given back."""
    letter = desk.queues.put(queue, body)
    (facts,) = desk.look(queue)
    assert (facts.event_id, facts.event_type, facts.message_id) == (None, None, letter.message_id)
    assert desk.desk.show(queue, letter.message_id)["message_id"] == letter.message_id
    assert desk.left(queue) == [letter.message_id]


def test_look_gives_back(desk: Desk) -> None:
    """What was only looked at is there for the next one, also when looking ends early or fails."""
    letters = [desk.queues.put("audit", event_of(event_id=str(number)).as_json()) for number in range(3)]
    looking = desk.desk.look("audit")
    next(looking)
    looking.close()
    assert desk.queues.hidden == set()
    assert desk.look("audit")
    assert desk.left("audit") == [letter.message_id for letter in letters]


def test_show(desk: Desk) -> None:
    """One message is shown whole, with its attributes."""
    desk.queues.put("audit", event_of(event_id="another").as_json())
    letter = desk.queues.put("audit", event_of().as_json(), severity="low")
    shown = desk.desk.show("audit", letter.message_id)
    assert shown["body"] == json.loads(letter.body)
    assert shown["attributes"] == {"severity": "low"}
    assert desk.queues.hidden == set()


def test_missing(desk: Desk) -> None:
    """A message that is not there is named, and those that were taken to find it are given back."""
    letter = desk.queues.put("audit", event_of().as_json())
    with pytest.raises(DeadLetterMissingError, match="no-such-id"):
        desk.desk.show("audit", "no-such-id")
    with pytest.raises(DeadLetterMissingError, match="no-such-id"):
        desk.discard("audit", letter.message_id, "no-such-id")
    assert desk.queues.hidden == set()


def test_unknown_queue(desk: Desk) -> None:
    """A queue that nobody knows is answered with those that there are."""
    with pytest.raises(DeadLetterQueueUnknownError, match="audit, notices, rule, trigger"):
        desk.look("audits")


def test_redrive(desk: Desk) -> None:
    """A subscriber's message goes back to its queue as it was, and only then out of this one, with a row in between."""
    attributes = quarantine_attributes(EventTypeUnknownError("e-1", "new.v9"))
    letter = desk.queues.put("audit", event_of().as_json(), type="t", **attributes)
    assert desk.redrive("audit", letter.message_id, reason="updated") == [LetterStep.REDRIVEN]
    assert desk.queues.sent_on == [("audit", letter.body, {"type": "t"})]
    assert [step for step, _ in desk.queues.steps] == ["take", "send_on", "delete"]
    assert desk.left("audit") == []
    ordered, entry = desk.trail.rows.values()
    assert ordered.event_type == "contactsync.dead_letter.redrive_ordered"
    assert ordered.entities == entry.entities == ("dead-letter#audit",)
    assert json.loads(ordered.data) == {
        "queue": "audit",
        "messages": [letter.message_id],
        "by": "airflow:admin",
        "reason": "updated",
    }
    assert (entry.event_type, entry.correlation_id) == ("contactsync.dead_letter.redriven", CORRELATION_ID)
    assert entry.time == desk.clock.now()
    assert json.loads(entry.data) == {
        "queue": "audit",
        "message_id": letter.message_id,
        "event_id": "e-1",
        "event_type": "contactsync.account.failed.v1",
        "by": "airflow:admin",
        "reason": "updated",
        "failure": "EventTypeUnknown",
        "content": content_of(letter),
    }


@pytest.mark.parametrize(
    ("queue", "body"), [("rule", EVENT), ("trigger", invocation_record()), ("trigger", invocation_record([1]))]
)
def test_redrive_event(desk: Desk, queue: str, body: dict[str, Any]) -> None:
    """The trigger function is called with the event that it did not get, or failed on; other things stay."""
    desk.queues.put(queue, json.dumps(body))
    event = body.get("requestPayload", body)
    (step,) = desk.redrive(queue)
    if isinstance(event, dict):
        assert step is LetterStep.REDRIVEN
        assert [json.loads(payload) for _, payload, _ in desk.queues.sent_on] == [EVENT]
    else:
        assert step is LetterStep.UNREADABLE
        assert len(desk.left(queue)) == 1
        assert [entry.event_type for entry in desk.trail.entries] == ["contactsync.dead_letter.redrive_ordered"]


def test_redrive_without_trail(desk: Desk) -> None:
    """While the trail takes no row, nothing is sent either."""
    desk.queues.put("audit", event_of().as_json())
    desk.trail.error = UNAVAILABLE
    with pytest.raises(ServiceUnavailableError):
        desk.redrive("audit")
    assert desk.queues.sent_on == []
    assert len(desk.left("audit")) == 1


def test_redrive_same_event(desk: Desk) -> None:
    """Two records of the same event start one call: the second is left, and can be sent on by the next command."""
    for request in ("r-1", "r-2"):
        desk.queues.put("trigger", json.dumps(changed(invocation_record(), "requestContext.requestId", request)))
    assert desk.redrive("trigger") == [LetterStep.REDRIVEN, LetterStep.LEFT]
    assert desk.redrive("trigger") == [LetterStep.REDRIVEN]


def test_redrive_round(desk: Desk) -> None:
    """What comes back at once is sent on once and no more, and stays."""
    desk.queues.comes_back = True
    for number in range(3):
        desk.queues.put("audit", event_of(event_id=str(number)).as_json())
    steps = desk.redrive("audit")
    assert (steps.count(LetterStep.REDRIVEN), steps.count(LetterStep.LEFT)) == (3, 3)
    assert len(desk.left("audit")) == 3


def test_redrive_some(desk: Desk) -> None:
    """Only the named messages are sent on."""
    first, second, third = [desk.queues.put("audit", event_of(event_id=str(n)).as_json()) for n in range(3)]
    assert desk.redrive("audit", third.message_id, first.message_id) == [LetterStep.REDRIVEN] * 2
    assert desk.left("audit") == [second.message_id]


def test_redrive_rate(desk: Desk) -> None:
    """There is a pause between two messages, and none before the first or after the last."""
    for number in range(4):
        desk.queues.put("audit", event_of(event_id=str(number)).as_json())
    desk.redrive("audit", rate=2)
    assert desk.clock.slept == [0.5] * 3


@pytest.mark.parametrize("method", ["redrive", "discard"])
def test_dry_run(desk: Desk, method: str) -> None:
    """A dry run changes nothing and leaves no row."""
    letter = desk.queues.put("audit", event_of().as_json())
    assert getattr(desk, method)("audit", dry_run=True) == [LetterStep.PLANNED]
    assert (desk.queues.sent_on, desk.trail.rows) == ([], {})
    assert desk.left("audit") == [letter.message_id]


def test_discard(desk: Desk) -> None:
    """A discarded message leaves a row with who and why; the row comes first."""
    letter = desk.queues.put("rule", json.dumps(EVENT), **RULE_ATTRIBUTES)
    assert desk.discard("rule", letter.message_id) == [LetterStep.DISCARDED]
    assert desk.left("rule") == []
    (entry,) = desk.trail.correlated(EVENT_ID)
    assert entry.event_type == "contactsync.dead_letter.discarded"
    said = json.loads(entry.data)
    assert (said["by"], said["reason"], said["event_id"]) == ("airflow:admin", "known", EVENT_ID)


@pytest.mark.parametrize("method", ["redrive", "discard"])
def test_no_row_no_deletion(desk: Desk, method: str) -> None:
    """While the trail takes no row, nothing is deleted."""
    letter = desk.queues.put("audit", event_of().as_json())
    desk.trail.error = UNAVAILABLE
    with pytest.raises(ServiceUnavailableError):
        getattr(desk, method)("audit")
    assert desk.left("audit") == [letter.message_id]


def test_no_source(desk: Desk) -> None:
    """A queue without a way back ends the redrive: its messages are sound, and nobody is told to discard them."""
    letters = [desk.queues.put("audit", event_of(event_id=str(n)).as_json()) for n in range(3)]
    desk.queues.errors["send_on"] = DeadLetterSourceError("audit", 0)
    with pytest.raises(DeadLetterSourceError, match="Fix the redrive policy") as caught:
        desk.redrive("audit")
    assert "discard" not in str(caught.value)
    assert [step for step, _ in desk.queues.steps].count("send_on") == 1
    assert desk.left("audit") == [letter.message_id for letter in letters]


@pytest.mark.parametrize("fails", ["send_on", "delete"])
def test_half_way(desk: Desk, fails: str) -> None:
    """Wherever a redrive breaks off, the message is in its queue again, and the ones behind it too."""
    letters: list[DeadLetter] = [desk.queues.put("audit", event_of(event_id=str(n)).as_json()) for n in range(2)]
    desk.queues.errors[fails] = UNAVAILABLE
    with pytest.raises(ServiceUnavailableError):
        desk.redrive("audit")
    del desk.queues.errors[fails]
    assert desk.left("audit") == [letter.message_id for letter in letters]
