"""The ports DeadLetterQueues, Failures and Quarantine."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from contactsync.aws.dead_letter_queues import SqsDeadLetterQueues, SqsQuarantine
from contactsync.aws.tables.failures_table import DynamoDbFailures
from contactsync.bus.consume import Failures, MessageFailure, quarantine_attributes
from contactsync.bus.dead_letters.letters import DeadLetter
from contactsync.bus.dead_letters.ports import DeadLetterQueues
from contactsync.cli.local.local_system import product_environment
from contactsync.clock import SystemClock
from contactsync.errors import (
    DeadLetterQueueUnknownError,
    DeadLetterSourceError,
    DeadLetterUnreadableError,
    EventTypeUnknownError,
    ResourceMissingError,
    SettingsError,
)
from tests.contract.conftest import Adapters
from tests.support.fakes.bus import FakeDeadLetters, FakeFailures
from tests.support.fakes.surroundings import FakeClock
from tests.support.recorded import changed, recorded

EVENT = recorded("put_alternate_camel")
POLICY = {"maxReceiveCount": "3"}


@dataclass
class Post:
    """The queues, with a way to put letters in and to see where they went."""

    queues: DeadLetterQueues
    put: Callable[..., str]
    """Puts a message with attributes into a queue, and returns its id."""
    sent_on: Callable[[], list[tuple[str, dict[str, str]]]]
    """Returns what came back into the subscriber's own queue."""


@pytest.fixture
def deployed(adapters: Adapters, monkeypatch: pytest.MonkeyPatch) -> Adapters:
    """Give the adapters with the environment in which clients can be made."""
    for name, value in product_environment(adapters.sandbox).items():
        monkeypatch.setenv(name, value)
    return adapters


@pytest.fixture(params=["fake", "sandbox"])
def post(request: pytest.FixtureRequest) -> Iterator[Post]:
    """Give the fake, then the adapter with fresh queues."""
    if request.param == "fake":
        fake = FakeDeadLetters()
        yield Post(
            fake,
            lambda queue, body, **attributes: fake.put(queue, body, **attributes).message_id,
            lambda: [(body, attributes) for _, body, attributes in fake.sent_on],
        )
        return
    yield sandbox_post(request.getfixturevalue("deployed"))


def sandbox_post(adapters: Adapters) -> Post:
    """Make a subscriber's two queues and those of rule and trigger, which no function polls."""
    sqs = adapters.services._clients.own("sqs")
    name = uuid.uuid4().hex
    urls = {
        queue: sqs.create_queue(QueueName=f"{name}-{queue}-dead")["QueueUrl"] for queue in ("audit", "rule", "trigger")
    }
    arn = sqs.get_queue_attributes(QueueUrl=urls["audit"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({**POLICY, "deadLetterTargetArn": arn})
    source = sqs.create_queue(QueueName=f"{name}-audit", Attributes={"RedrivePolicy": policy})["QueueUrl"]

    def put(queue: str, body: str, **attributes: str) -> str:
        typed = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()}
        return str(sqs.send_message(QueueUrl=urls[queue], MessageBody=body, MessageAttributes=typed)["MessageId"])

    def sent_on() -> list[tuple[str, dict[str, str]]]:
        found = sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return [
            (one["Body"], {key: value["StringValue"] for key, value in one.get("MessageAttributes", {}).items()})
            for one in found.get("Messages", [])
        ]

    queues = SqsDeadLetterQueues(
        adapters.services._clients.own,
        urls,
        trigger_function=adapters.services.settings.dead_letters.trigger_function,
        wait=0,
        receivers=4,
    )
    return Post(queues, put, sent_on)


def letters(post: Post, queue: str = "audit") -> list[DeadLetter]:
    """Take all letters of a queue."""
    return list(post.queues.take(queue))


def test_take(post: Post) -> None:
    """Every message of a queue comes once, as it was sent, also when there are more than a call gives."""
    sent = {post.put("audit", f"body {number}", type="t", severity="low") for number in range(23)}
    found = letters(post)
    assert [letter.message_id for letter in found if letter.message_id in sent] == [one.message_id for one in found]
    assert len(found) == len(sent)
    assert {letter.body for letter in found} == {f"body {number}" for number in range(23)}
    assert all(letter.attributes == {"type": "t", "severity": "low"} for letter in found)
    assert all(letter.queue == "audit" for letter in found)


def test_taken(post: Post) -> None:
    """What was taken is nobody else's until it is given back."""
    post.put("audit", "body")
    taken = letters(post)
    assert letters(post) == []
    counts = post.queues.counts("audit")
    assert (counts.waiting, counts.in_flight) == (0, 1)
    post.queues.give_back(taken)
    assert post.queues.counts("audit").waiting == 1
    assert [letter.message_id for letter in letters(post)] == [letter.message_id for letter in taken]


def test_give_back_many(post: Post) -> None:
    """Messages of several queues are given back together; one that was deleted meanwhile does not matter."""
    for number in range(12):
        post.put("audit", str(number))
    post.put("rule", "{}")
    taken = [*letters(post), *letters(post, "rule")]
    post.queues.delete(taken[3])
    post.queues.give_back(taken)
    assert (len(letters(post)), len(letters(post, "rule"))) == (11, 1)


def test_delete(post: Post) -> None:
    """A deleted message is gone, and may be deleted again."""
    post.put("audit", "body")
    (letter,) = letters(post)
    for _ in range(2):
        post.queues.delete(letter)
    post.queues.give_back([letter])
    assert letters(post) == []


def test_send_on(post: Post) -> None:
    """A subscriber's message goes to its own queue as it was before it was quarantined; it is still here."""
    post.put("audit", '{"id": "\u20ac"}', type="t", **quarantine_attributes(EventTypeUnknownError("e", "t")))
    (letter,) = letters(post)
    post.queues.send_on(letter)
    assert post.sent_on() == [('{"id": "\u20ac"}', {"type": "t"})]
    assert post.queues.counts("audit").in_flight == 1


@pytest.mark.parametrize("body", ["no JSON", "{}", "[1]"])
@pytest.mark.parametrize("queue", ["rule", "trigger"])
def test_unreadable(post: Post, queue: str, body: str) -> None:
    """What holds no event is not sent anywhere."""
    post.put(queue, body)
    (letter,) = letters(post, queue)
    with pytest.raises(DeadLetterUnreadableError):
        post.queues.send_on(letter)


def test_unknown_queue(post: Post) -> None:
    """A queue that nobody named is an error that names those there are."""
    for ask in (post.queues.counts, lambda name: list(post.queues.take(name))):
        with pytest.raises(DeadLetterQueueUnknownError, match="rule, trigger"):
            ask("audits")


def test_invoked(deployed: Adapters) -> None:
    """The trigger function is called asynchronously with the event; it refuses this one, of a failed call."""
    post = sandbox_post(deployed)
    event = changed(EVENT, "detail.errorCode", "AccessDenied")
    post.put("rule", json.dumps(event))
    post.put("trigger", json.dumps({"requestPayload": event}))
    for queue in ("rule", "trigger"):
        (letter,) = letters(post, queue)
        post.queues.send_on(letter)
    assert deployed.sandbox.loop.calls.wait_until_idle(60)
    calls = deployed.sandbox.loop.functions.invocations(str(deployed.services.settings.dead_letters.trigger_function))
    refused = {"started": [], "already_started": [], "refused": [EVENT["detail"]["eventID"]]}
    assert [json.loads(call.payload) for call in calls] == [refused, refused]


def test_no_function(deployed: Adapters) -> None:
    """Without the function's name nothing is called, and the setting is named."""
    queues = SqsDeadLetterQueues(deployed.services._clients.own, {"rule": "http://127.0.0.1/q"}, trigger_function=None)
    letter = DeadLetter("rule", "m", json.dumps(EVENT), {}, SystemClock().now(), "r")
    with pytest.raises(SettingsError, match="TRIGGER_FUNCTION"):
        queues.send_on(letter)


def test_no_such_queue(deployed: Adapters) -> None:
    """A queue that AWS does not have is our error."""
    url = deployed.services.settings.dead_letters.queues["audit"] + "-gone"
    queues = SqsDeadLetterQueues(deployed.services._clients.own, {"audit": url}, trigger_function=None, wait=0)
    with pytest.raises(ResourceMissingError):
        list(queues.take("audit"))


def test_no_source(deployed: Adapters) -> None:
    """When the queue that the messages came from cannot be told, that is said of the queue, not of a message."""
    url = deployed.services._clients.own("sqs").create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]
    queues = SqsDeadLetterQueues(deployed.services._clients.own, {"audit": url}, trigger_function=None, wait=0)
    with pytest.raises(DeadLetterSourceError, match="0 queues"):
        queues.send_on(DeadLetter("audit", "m", "{}", {}, SystemClock().now(), "r"))


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.us-east-1.amazonaws.com/111122223333/q", "us-east-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/q", "cn-north-1"),
        ("https://eu-west-1.queue.amazonaws.com/111122223333/q", "eu-west-1"),
        ("http://127.0.0.1:4566/111122223333/q", None),
    ],
)
def test_region(url: str, region: str | None) -> None:
    """Each queue is asked in its own region: the rule's and the trigger's are in us-east-1."""
    asked: list[tuple[str, str | None]] = []

    def client_of(service: str, where: str | None) -> Any:
        asked.append((service, where))
        raise LookupError

    with pytest.raises(LookupError):
        SqsDeadLetterQueues(client_of, {"rule": url}, trigger_function="f").counts("rule")
    assert asked == [("sqs", region)]


@pytest.fixture(params=["fake", "sandbox"])
def failures(request: pytest.FixtureRequest) -> Failures:
    """Give the fake, then the adapter."""
    if request.param == "fake":
        return FakeFailures()
    services = request.getfixturevalue("deployed").services
    return DynamoDbFailures(services._dynamodb, services.settings.dead_letters.idempotency_table, FakeClock())


def test_failures(failures: Failures) -> None:
    """The latest failure of a message is known, by subscriber."""
    message = str(uuid.uuid4())
    assert failures.find("audit", message) is None
    for count in (1, 2):
        failures.remember("audit", message, MessageFailure("InternalError", f"Try {count}.", count))
    assert failures.find("audit", message) == MessageFailure("InternalError", "Try 2.", 2)
    assert failures.find("notices", message) is None


def test_failures_of_many(failures: Failures) -> None:
    """The failures of many messages come together; those that nobody kept are left out."""
    messages = [str(uuid.uuid4()) for _ in range(230)]
    for number in (0, 99, 100, 229):
        failures.remember("audit", messages[number], MessageFailure("InternalError", f"{number}", 1))
    found = failures.find_all("audit", messages)
    assert {messages.index(name): failure.sentence for name, failure in found.items()} == {
        0: "0",
        99: "99",
        100: "100",
        229: "229",
    }
    assert failures.find_all("audit", []) == {}


def test_failure_unreadable(deployed: Adapters) -> None:
    """An item that holds no failure hides none of the others."""
    services = deployed.services
    table = services.settings.dead_letters.idempotency_table
    failures = DynamoDbFailures(services._dynamodb, table, FakeClock())
    good, bad = str(uuid.uuid4()), str(uuid.uuid4())
    failures.remember("audit", good, MessageFailure("InternalError", "It failed.", 1))
    services._dynamodb.put_item(
        TableName=table, Item={"id": {"S": f"failure#audit#{bad}"}, "receive_count": {"S": "many"}}
    )
    assert failures.find("audit", bad) is None
    assert set(failures.find_all("audit", [bad, good])) == {good}


def test_all_at_once(post: Post) -> None:
    """Messages are sent on and deleted together, as they were."""
    sent = [post.put("audit", f"body {number}", type="t") for number in range(13)]
    taken = letters(post)
    assert post.queues.send_all(taken) == {}
    assert len(sent) == len(taken) == 13
    found = post.sent_on()
    assert found[0][1] == {"type": "t"}
    post.queues.delete_all(taken)
    post.queues.delete_all([])
    counts = post.queues.counts("audit")
    assert (counts.waiting, counts.in_flight) == (0, 0)
    assert post.queues.send_all([]) == {}


def test_take_ahead(post: Post) -> None:
    """Asked for by several at a time, every message comes once."""
    sent = {post.put("audit", str(number)) for number in range(45)}
    assert sorted(letter.message_id for letter in post.queues.take("audit", 4)) == sorted(sent)


def test_quarantine(deployed: Adapters) -> None:
    """A quarantined message is taken as a dead letter with its attributes."""
    post = sandbox_post(deployed)
    assert isinstance(post.queues, SqsDeadLetterQueues)
    url = post.queues._urls["audit"]
    attributes = {"type": "new.v9", "severity": "", **quarantine_attributes(EventTypeUnknownError(None, "new\x00.v9"))}
    SqsQuarantine(deployed.services._clients.own("sqs"), url).send('{"type": "new.v9"}', attributes)
    (letter,) = letters(post)
    assert letter.attributes == {name: value for name, value in attributes.items() if value}
