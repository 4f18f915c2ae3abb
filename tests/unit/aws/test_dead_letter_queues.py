"""How a queue of SQS is read to its end and emptied, on a queue in memory whose clock is moved."""

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from contactsync.aws.dead_letter_queues import HOLD, PAGE, PAGES_WITHOUT_NEW, SqsDeadLetterQueues, SqsQuarantine
from contactsync.bus.consume import QUARANTINE_CODE, QUARANTINE_REASON
from contactsync.bus.dead_letters.handling import DeadLetters, LetterOrder, LetterStep
from contactsync.bus.dead_letters.letters import DeadLetter
from contactsync.errors import DeadLetterSourceError, ServiceUnavailableError
from tests.support.fakes.bus import FakeAudit, FakeFailures
from tests.support.fakes.surroundings import START, FakeClock
from tests.support.recorded import changed, recorded

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
    refused: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Bodies that a batch does not take, with SQS's answer."""
    undeletable: set[str] = field(default_factory=set)
    """Message ids that a batch does not delete."""
    batches: list[int] = field(default_factory=list)
    """How many messages each batch had that was sent."""
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

    def delete_message_batch(self, **asked: Any) -> dict[str, Any]:
        """Delete messages whose newest receipts are given, but those that a test chose."""
        failed = []
        for entry in asked["Entries"]:
            if entry["ReceiptHandle"].split("/")[0] in self.undeletable:
                failed.append({"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"})
            else:
                self.delete_message(ReceiptHandle=entry["ReceiptHandle"])
        return {"Failed": failed}

    def send_message_batch(self, **asked: Any) -> dict[str, Any]:
        """Take messages for the source queue, but those that a test chose."""
        assert len(asked["Entries"]) <= 10
        assert sum(len(entry["MessageBody"].encode()) for entry in asked["Entries"]) <= 262_144
        self.batches.append(len(asked["Entries"]))
        failed = []
        for entry in asked["Entries"]:
            if fault := self.refused.get(entry["MessageBody"]):
                failed.append({"Id": entry["Id"], **fault})
            else:
                self.send_message(QueueUrl=asked["QueueUrl"], MessageBody=entry["MessageBody"])
        return {"Failed": failed}

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


def desk(aws: FakeAws) -> DeadLetters:
    """Return the desk with the adapter, as a command has it."""
    queues = SqsDeadLetterQueues(
        lambda service, region: aws if (service, region) else None,
        {name: f"http://127.0.0.1/{name}-dead" for name in ("audit", "trigger")},
        trigger_function="trigger",
    )
    return DeadLetters(queues, FakeFailures(), FakeAudit(), aws.clock, "/contactsync/test")


def redriven(aws: FakeAws, queue: str, rate: float = 5) -> list[LetterStep]:
    """Redrive a whole queue."""
    return [step for step, _ in desk(aws).redrive(LetterOrder(queue, None, by="airflow:admin"), rate=rate)]


@dataclass
class ManyAws(FakeAws):
    """SQS that many threads ask; each call takes a moment of the real time, and a test may let one fail."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    under_way: int = 0
    most: int = 0
    fails_at: int | None = None
    """The number of the receive that fails."""

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        """Give messages out, and count how many calls are under way."""
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        time.sleep(0.002)
        with self.lock:
            self.under_way -= 1
            if self.calls.count("receive") == self.fails_at:
                self.calls.append("receive")
                raise ClientError({"Error": {"Code": "InternalError"}}, "ReceiveMessage")
            return super().receive_message(**asked)


def queues_of(aws: FakeAws, receivers: int) -> SqsDeadLetterQueues:
    """Return the adapter."""
    return SqsDeadLetterQueues(
        lambda service, region: aws if (service, region) else None,
        {name: f"http://127.0.0.1/{name}-dead" for name in ("audit", "trigger")},
        trigger_function="trigger",
        receivers=receivers,
    )


def test_many_receivers() -> None:
    """Several pages are asked for at a time, no more than are allowed, and every message comes once."""
    aws = ManyAws(FakeClock(), takes=0)
    aws.put(*map(str, range(1000)))
    bodies = [letter.body for letter in queues_of(aws, 4).take("audit", 8)]
    assert sorted(bodies, key=int) == [str(number) for number in range(1000)]
    assert 1 < aws.most <= 4


def test_receivers_give_back() -> None:
    """What several receivers took ahead is given back when nobody wants it."""
    aws = ManyAws(FakeClock(), takes=0)
    aws.put(*map(str, range(200)))
    queues = queues_of(aws, 8)
    taking = queues.take("audit", 8)
    first = next(taking)
    taking.close()
    queues.give_back([first])
    assert len(aws.visible) == 200


def test_receiver_fails() -> None:
    """When one receiver fails, what the others took is given back, and the error is told."""
    aws = ManyAws(FakeClock(), takes=0, fails_at=5)
    aws.put(*map(str, range(500)))
    queues = queues_of(aws, 4)
    taken: set[str] = set()

    def take_all() -> None:
        for letter in queues.take("audit", 4):
            taken.add(letter.message_id)

    with pytest.raises(ServiceUnavailableError):
        take_all()
    held = {one.message_id for one in aws.messages.values() if one.visible > aws.clock.now()}
    assert held == taken


def letters_of(*bodies: str, queue: str = "audit") -> list[DeadLetter]:
    """Return letters with these bodies."""
    return [DeadLetter(queue, f"m-{n}", body, {}, START, f"m-{n}/0") for n, body in enumerate(bodies)]


def test_send_partly(aws: FakeAws) -> None:
    """Messages of a batch that SQS does not take are named, with its code; the others went."""
    aws.refused = {
        "2": {"SenderFault": True, "Code": "InvalidMessageContents"},
        "5": {"SenderFault": False, "Code": "InternalError"},
    }
    refused = queues_of(aws, 1).send_all(letters_of(*map(str, range(12))))
    assert {name: (error.code, error.retryable) for name, error in refused.items()} == {
        "m-2": ("InvalidMessageContents", False),
        "m-5": ("InternalError", True),
    }
    assert len(aws.sent) == 10
    assert aws.batches == [10, 2]


def test_send_large(aws: FakeAws) -> None:
    """Batches keep SQS's limit of bytes together."""
    assert queues_of(aws, 1).send_all(letters_of(*("x" * 100_000 for _ in range(5)))) == {}
    assert aws.batches == [2, 2, 1]


def test_delete_partly(aws: FakeAws) -> None:
    """What a batch leaves over is deleted by itself."""
    aws.put(*map(str, range(12)))
    aws.undeletable = {"m-3"}
    queues_of(aws, 1).delete_all(letters_of(*map(str, range(12))))
    assert aws.messages == {}


def test_call_partly(aws: FakeAws) -> None:
    """Of events for the trigger function those that hold none are named, and the others are called with."""
    refused = queues_of(aws, 1).send_all(letters_of(event(1), "poison", event(2), queue="trigger"))
    assert set(refused) == {"m-1"}
    assert len(aws.sent) == 2


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
    assert (steps.count(LetterStep.UNREADABLE), steps.count(LetterStep.REDRIVEN), len(steps)) == (15, 3000, 3015)
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
    assert redriven(aws, "audit") == [LetterStep.REDRIVEN] * 3
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


@dataclass
class FakeSender:
    """SQS as a quarantined message is sent to it, with its limits."""

    attributes: dict[str, Any] = field(default_factory=dict)

    def send_message(self, **asked: Any) -> None:
        """Take a message of at most ten attributes and 262,144 bytes."""
        self.attributes = asked["MessageAttributes"]
        parts = [asked["MessageBody"], *(f"{name}String{a['StringValue']}" for name, a in self.attributes.items())]
        assert len(self.attributes) <= 10
        assert sum(len(part.encode()) for part in parts) <= 262_144


@pytest.mark.parametrize(("strange", "size", "kept"), [(5, 100, 7), (8, 100, 10), (10, 100, 10), (10, 262_000, 6)])
def test_quarantine_fits(strange: int, size: int, kept: int) -> None:
    """Why a message is quarantined is kept, however many attributes a stranger gave it, and however large it is."""
    sender = FakeSender()
    why = {QUARANTINE_CODE: "EventForeign", QUARANTINE_REASON: "It is another's."}
    attributes = {**{f"a{number}": "v" * 10 for number in range(strange)}, **why}
    SqsQuarantine(cast("Any", sender), SOURCE).send("x" * size, attributes)
    assert len(sender.attributes) == kept
    assert why.keys() <= sender.attributes.keys()
