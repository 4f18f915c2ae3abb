"""How a queue of SQS is read to its end and emptied, on a queue in memory whose clock is moved."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from contactsync.aws.dead_letter_queues import HOLD, PAGE, PAGES_WITHOUT_NEW, SqsDeadLetterQueues
from contactsync.bus.dead_letters import DeadLetterDesk, Order, Step
from contactsync.errors import DeadLetterSourceError
from tests.bus_fakes import FakeAudit, FakeFailures
from tests.fakes import START, FakeClock
from tests.recorded import changed, recorded

EVENT = recorded("put_alternate_camel")
SOURCE = "http://127.0.0.1/audit"


@dataclass
class Held:
    """A message of the queue, and who may have it."""

    message_id: str
    body: str
    visible: datetime = START
    receives: int = 0

    @property
    def receipt(self) -> str:
        """The newest receipt; older ones are good for nothing."""
        return f"{self.message_id}/{self.receives}"


@dataclass
class FakeAws:
    """SQS with one queue, oldest messages first, and Lambda, which takes every call; each receive takes a while."""

    clock: FakeClock
    takes: float = 0.1
    """Seconds of a receive."""
    sources: list[str] = field(default_factory=lambda: [SOURCE])
    messages: dict[str, Held] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    """The bodies that were sent to the source queue, or with which the function was called."""
    calls: list[str] = field(default_factory=list)
    """The names of all calls of SQS but deletions."""

    def put(self, *bodies: str) -> None:
        """Put messages in."""
        for body in bodies:
            message_id = f"m-{len(self.messages)}"
            self.messages[message_id] = Held(message_id, body)

    @property
    def visible(self) -> list[Held]:
        """The messages that somebody could take now."""
        return [held for held in self.messages.values() if held.visible <= self.clock.now()]

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        """Give the oldest visible messages out, with new receipts."""
        self.calls.append("receive")
        self.clock.time += timedelta(seconds=self.takes)
        given = self.visible[: asked["MaxNumberOfMessages"]]
        for held in given:
            held.receives += 1
            held.visible = self.clock.now() + timedelta(seconds=asked["VisibilityTimeout"])
        sent = {"SentTimestamp": "0"}
        return {
            "Messages": [
                {"MessageId": held.message_id, "ReceiptHandle": held.receipt, "Body": held.body, "Attributes": sent}
                for held in given
            ]
        }

    def change_message_visibility_batch(self, **asked: Any) -> None:
        """Show those messages again whose newest receipt is given."""
        by_receipt = {held.receipt: held for held in self.messages.values()}
        for entry in asked["Entries"]:
            if entry["ReceiptHandle"] in by_receipt:
                by_receipt[entry["ReceiptHandle"]].visible = self.clock.now()

    def delete_message(self, **asked: Any) -> None:
        """Delete a message whose newest receipt is given."""
        message_id = asked["ReceiptHandle"].split("/")[0]
        if self.messages[message_id].receipt == asked["ReceiptHandle"]:
            del self.messages[message_id]

    def list_dead_letter_source_queues(self, **asked: Any) -> dict[str, Any]:
        """Tell which queues name this one."""
        del asked
        self.calls.append("list sources")
        return {"queueUrls": self.sources}

    def send_message(self, **asked: Any) -> None:
        """Take a message for the source queue."""
        assert asked["QueueUrl"] == SOURCE
        self.sent.append(asked["MessageBody"])

    def invoke(self, **asked: Any) -> None:
        """Take a call of the function."""
        self.sent.append(asked["Payload"].decode())


@pytest.fixture
def aws() -> FakeAws:
    """Give an empty queue."""
    return FakeAws(FakeClock())


def desk(aws: FakeAws) -> DeadLetterDesk:
    """Return the desk with the adapter, as a command has it."""
    queues = SqsDeadLetterQueues(
        lambda service, region: aws if (service, region) else None,
        {name: f"http://127.0.0.1/{name}-dead" for name in ("audit", "trigger")},
        trigger_function="trigger",
    )
    return DeadLetterDesk(queues, FakeFailures(), FakeAudit(), aws.clock, "/contactsync/test")


def redriven(aws: FakeAws, queue: str, rate: float = 5) -> list[Step]:
    """Redrive a whole queue."""
    return [step for step, _ in desk(aws).redrive(Order(queue, None, by="airflow:admin"), rate=rate)]


def event(number: int) -> str:
    """Return a record of the trigger function with an event of its own."""
    return json.dumps({"requestPayload": changed(EVENT, "detail.eventID", f"e-{number}")})


def test_longer_than_the_hold(aws: FakeAws) -> None:
    """Messages that come back because the command takes longer than it holds them end nothing: all others go out.

    They are told once, and are there for the next one as soon as the command ends.
    """
    aws.put(*["poison"] * 15, *(event(number) for number in range(3000)))
    steps = redriven(aws, "trigger")
    assert aws.clock.now() - START > timedelta(seconds=HOLD) * 2
    assert (steps.count(Step.UNREADABLE), steps.count(Step.REDRIVEN), len(steps)) == (15, 3000, 3015)
    assert len(set(aws.sent)) == len(aws.sent) == 3000
    assert [held.body for held in aws.visible] == ["poison"] * 15
    assert all(held.receives > 1 for held in aws.visible)


def test_many_left(aws: FakeAws) -> None:
    """Several pages in a row that hold only what was seen do not hide what is behind them."""
    aws.put(*["poison"] * 200)
    looking = desk(aws).look("trigger")
    for _ in range(200):
        next(looking)
    aws.clock.sleep(HOLD + 1)
    aws.put(event(1))
    assert next(looking).event_id == "e-1"
    looking.close()
    assert len(aws.visible) == 201


def test_one_of_many(aws: FakeAws) -> None:
    """Looking for one message hides no other, those least of all that came with it."""
    aws.put(*(event(number) for number in range(25)))
    shown = desk(aws).show("trigger", "m-12")
    assert shown["event_id"] == "e-12"
    assert len(aws.visible) == 25


def test_ends(aws: FakeAws) -> None:
    """A queue that gives out the same messages again and again is not read for ever."""
    aws.takes = 10
    aws.put(*(event(number) for number in range(PAGE * 100)))
    assert len(list(desk(aws).look("trigger"))) == PAGE * HOLD / aws.takes
    assert len(aws.calls) == HOLD / aws.takes + PAGES_WITHOUT_NEW
    assert len(aws.visible) == PAGE * 100


def test_source_once(aws: FakeAws) -> None:
    """A command asks once where the messages of a queue go, however many there are."""
    aws.put("1", "2", "3")
    assert redriven(aws, "audit") == [Step.REDRIVEN] * 3
    assert (aws.sent, aws.messages) == (["1", "2", "3"], {})
    assert aws.calls.count("list sources") == 1


@pytest.mark.parametrize("sources", [[], [SOURCE, f"{SOURCE}-old"]])
def test_no_source(aws: FakeAws, sources: list[str]) -> None:
    """When it cannot be told where a queue's messages go, that is said of the queue, and everything stays."""
    aws.put("1", "2")
    aws.sources = sources
    with pytest.raises(DeadLetterSourceError, match=rf"queue audit .* {len(sources)} queues .* redrive policy"):
        redriven(aws, "audit")
    aws.clock.sleep(HOLD)
    assert (aws.sent, len(aws.visible)) == ([], 2)
