"""From a topic to a queue to a function: batches, partial failures, visibility, dead letters, filters and policies."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.sqs.models import sqs_backends

from contactsync.stacks.templates import TemplateError
from tests.sandbox import queue_template
from tests.sandbox.loop_sandbox import ACCOUNT, SmallSandbox, small_sandbox, wait_for
from tests.sandbox.queue_template import DEAD_LETTERS, QUEUE, TOPIC_ARN


@pytest.fixture
def sandbox() -> Iterator[SmallSandbox]:
    """Give each test an empty sandbox, in which a visibility timeout of 30 s lasts 30 ms."""
    with small_sandbox() as running:
        yield running


def send(sandbox: SmallSandbox, *bodies: str) -> None:
    """Put messages into the queue, all at once."""
    sqs = sandbox.client("sqs")
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    sqs.send_message_batch(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], Entries=entries)


def publish(sandbox: SmallSandbox, message: str, **attributes: str) -> None:
    """Publish a message with text attributes."""
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    sandbox.client("sns").publish(TopicArn=TOPIC_ARN, Message=message, MessageAttributes=typed)


def invocations(sandbox: SmallSandbox) -> list[dict[str, Any]]:
    """List what the function was given and came to."""
    logs = sandbox.control("GET", f"/functions/{queue_template.NAME}/logs")
    return list(logs["invocations"])


def received(sandbox: SmallSandbox) -> list[str]:
    """List the bodies of the messages that the function returned as seen, with repetitions."""
    results = [item["result"] for item in invocations(sandbox) if item["result"]]
    return [record["body"] for result in results for record in result["records"]]


def settle(sandbox: SmallSandbox) -> None:
    """Wait until the polled queues are empty and no batch is under way."""
    wait_for(sandbox.loop.queue_polling.is_idle)


def dead(sandbox: SmallSandbox) -> list[dict[str, Any]]:
    """Take the dead letters, with their receive counts."""
    sqs = sandbox.client("sqs")
    url = sqs.get_queue_url(QueueName=DEAD_LETTERS)["QueueUrl"]
    asked = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    return list(sqs.receive_message(QueueUrl=url, **asked).get("Messages", []))


def test_poison(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A poison message is received three times and lies among the dead letters; its mates are processed once."""
    sandbox.deploy(queue_template.write(tmp_path, "take"))
    send(sandbox, "one", "two", "poison", "three")
    settle(sandbox)
    (letter,) = dead(sandbox)
    counts = Counter(received(sandbox))
    assert counts == {"one": 1, "two": 1, "three": 1, "poison": 3}
    assert letter["Body"] == "poison"
    assert int(letter["Attributes"]["ApproximateReceiveCount"]) == 4  # three by the function, one by this test


def test_receive_counts(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """The function sees the receive count grow."""
    sandbox.deploy(queue_template.write(tmp_path, "take"))
    send(sandbox, "poison")
    settle(sandbox)
    records = [item["result"]["records"][0] for item in invocations(sandbox)]
    assert [record["attributes"]["ApproximateReceiveCount"] for record in records] == ["1", "2", "3"]
    assert len({record["messageId"] for record in records}) == 1
    assert len({record["receiptHandle"] for record in records}) == 3


def test_function_error(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """When the function raises, the whole batch comes again, and in the end all of it is dead."""
    sandbox.deploy(queue_template.write(tmp_path, "fail"))
    send(sandbox, "mate", "poison")
    settle(sandbox)
    assert [item["error"]["errorType"] for item in invocations(sandbox)] == ["ValueError"] * 3
    assert {letter["Body"] for letter in dead(sandbox)} == {"mate", "poison"}


def test_unknown_identifier(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """An answer that names a message that was not sent takes none of the batch."""
    answer = '{"batchItemFailures": [{"itemIdentifier": "another"}]}'
    sandbox.deploy(queue_template.write(tmp_path, "answer", variables={"ANSWER": answer}))
    send(sandbox, "message")
    settle(sandbox)
    assert len(invocations(sandbox)) == 3
    assert len(dead(sandbox)) == 1


def test_failures_not_reported(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """Without ReportBatchItemFailures what the function returns means nothing."""
    sandbox.deploy(queue_template.write(tmp_path, "take", mapping={"FunctionResponseTypes": []}))
    send(sandbox, "poison")
    settle(sandbox)
    assert received(sandbox) == ["poison"]
    assert dead(sandbox) == []


def test_visibility(tmp_path: Path) -> None:
    """A failed message comes again when the shrunk visibility timeout has passed since it was received, not sooner."""
    with small_sandbox(time_scale=0.02) as sandbox:
        sandbox.deploy(queue_template.write(tmp_path, "take"))
        send(sandbox, "poison")
        settle(sandbox)
        times = [item["started"] for item in invocations(sandbox)]
    gaps = [_seconds(later) - _seconds(earlier) for earlier, later in itertools.pairwise(times)]
    assert len(gaps) == 2
    assert all(0.5 < gap < 3 for gap in gaps), gaps


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def test_slow_function(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A function that outlasts the shrunk timeout, but not the real one, gets its messages once."""
    sandbox.deploy(queue_template.write(tmp_path, "slow"))
    send(sandbox, "one", "two")
    settle(sandbox)
    assert sorted(received(sandbox)) == ["one", "two"]


def test_batch_size(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """No batch is larger than the mapping says."""
    sandbox.deploy(queue_template.write(tmp_path, "take", mapping={"BatchSize": 2}))
    send(sandbox, *"abcde")
    settle(sandbox)
    sizes = [len(item["result"]["records"]) for item in invocations(sandbox)]
    assert max(sizes) <= 2
    assert sorted(received(sandbox)) == list("abcde")


def test_batching_window(tmp_path: Path) -> None:
    """With a window, messages wait for others until it is over."""
    with small_sandbox(time_scale=0.04) as sandbox:
        # Ten seconds of this machine: the second message has to come within them.
        mapping = {"BatchSize": 3, "MaximumBatchingWindowInSeconds": 250}
        sandbox.deploy(queue_template.write(tmp_path, "take", mapping=mapping))
        send(sandbox, "a")
        time.sleep(0.3)
        send(sandbox, "b")
        settle(sandbox)
        assert [len(item["result"]["records"]) for item in invocations(sandbox)] == [2]


def test_full_batch(tmp_path: Path) -> None:
    """A full batch does not wait for the end of its window, which is longer than this test may take."""
    with small_sandbox(time_scale=1) as sandbox:
        mapping = {"BatchSize": 3, "MaximumBatchingWindowInSeconds": 300}
        sandbox.deploy(queue_template.write(tmp_path, "take", mapping=mapping))
        send(sandbox, "c", "d", "e")
        wait_for(lambda: len(invocations(sandbox)) == 1)
        assert [len(item["result"]["records"]) for item in invocations(sandbox)] == [3]


def test_disabled(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A disabled mapping leaves messages alone until it is enabled."""
    sandbox.deploy(queue_template.write(tmp_path, "take", mapping={"Enabled": False}))
    client = sandbox.client("lambda")
    (mapping,) = client.list_event_source_mappings(FunctionName=queue_template.NAME)["EventSourceMappings"]
    send(sandbox, "one")
    time.sleep(0.3)
    assert invocations(sandbox) == []
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    settle(sandbox)
    assert received(sandbox) == ["one"]


def test_throttled(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A function whose concurrency is zero takes nothing, and the messages die."""
    sandbox.deploy(queue_template.write(tmp_path, "take"))
    sandbox.client("lambda").put_function_concurrency(FunctionName=queue_template.NAME, ReservedConcurrentExecutions=0)
    send(sandbox, "one")
    settle(sandbox)
    assert invocations(sandbox) == []
    assert [letter["Body"] for letter in dead(sandbox)] == ["one"]


def test_record(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A record has Lambda's shape, with the message attributes that were published."""
    sandbox.deploy(queue_template.write(tmp_path, "take"))
    typed = {
        "type": {"DataType": "String", "StringValue": "a.b.v1"},
        "count": {"DataType": "Number", "StringValue": "3"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    sandbox.client("sns").publish(TopicArn=TOPIC_ARN, Message="body", MessageAttributes=typed)
    settle(sandbox)
    (record,) = invocations(sandbox)[0]["result"]["records"]
    text: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    assert record["messageAttributes"] == {
        "type": text | {"stringValue": "a.b.v1", "dataType": "String"},
        "count": text | {"stringValue": "3", "dataType": "Number"},
        "raw": text | {"binaryValue": "AAE=", "dataType": "Binary"},
    }
    assert set(record["attributes"]) == {
        "ApproximateReceiveCount",
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    }
    assert (record["body"], record["eventSource"], record["eventSourceARN"], record["awsRegion"]) == (
        "body",
        "aws:sqs",
        queue_template.QUEUE_ARN,
        "us-east-1",
    )
    assert {"messageId", "receiptHandle", "md5OfBody", "md5OfMessageAttributes"} < set(record)


def test_not_raw(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """Without raw delivery the body is SNS's notification document."""
    subscription = queue_template.subscription(RawMessageDelivery=False)
    sandbox.deploy(queue_template.write(tmp_path, "take", Subscription=subscription))
    publish(sandbox, "text", kind="a")
    settle(sandbox)
    (body,) = received(sandbox)
    assert '"Type": "Notification"' in body
    assert '"Message": "text"' in body


@pytest.mark.parametrize(
    ("policy", "scope", "wanted", "unwanted"),
    [
        ({"kind": ["a"]}, {}, ("{}", {"kind": "a"}), ("{}", {"kind": "b"})),
        ({"kind": [{"prefix": "a."}]}, {}, ("{}", {"kind": "a.b"}), ("{}", {})),
        (
            {"data": {"kind": ["a"]}},
            {"FilterPolicyScope": "MessageBody"},
            ('{"data":{"kind":"a"}}', {"kind": "b"}),
            ('{"data":{"kind":"b"}}', {"kind": "a"}),
        ),
    ],
)
def test_filter_policy(
    sandbox: SmallSandbox, tmp_path: Path, policy: dict[str, Any], scope: dict[str, str], wanted: Any, unwanted: Any
) -> None:
    """A filter policy looks at the attributes, or at the body when its scope says so."""
    subscription = queue_template.subscription(FilterPolicy=policy, **scope)
    sandbox.deploy(queue_template.write(tmp_path, "take", Subscription=subscription))
    publish(sandbox, unwanted[0], **unwanted[1])
    publish(sandbox, wanted[0], **wanted[1])
    wait_for(lambda: received(sandbox))
    settle(sandbox)
    assert received(sandbox) == [wanted[0]]


def test_queue_policy(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """SNS does not deliver to a queue whose policy does not let it in; publishing works all the same."""
    sandbox.deploy(queue_template.write(tmp_path, "take", QueuePolicy=None))
    publish(sandbox, "lost")
    assert sandbox.messages(QUEUE) == []
    (drop,) = sandbox.loop.inbox.dropped()
    assert (drop["recipient"], drop["count"]) == (queue_template.QUEUE_ARN, 1)
    assert "does not let sns.amazonaws.com send" in drop["reason"]


def test_subscription_dead_letters(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """What SNS may not deliver goes to the subscription's own dead letters, when their policy lets it in."""
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
    directory = queue_template.write(
        tmp_path,
        "take",
        QueuePolicy=None,
        DeadLettersPolicy=queue_template.queue_policy("DeadLetters", "Topic"),
        Subscription=queue_template.subscription(RedrivePolicy=redrive),
    )
    sandbox.deploy(directory)
    publish(sandbox, "lost", kind="a")
    (letter,) = dead(sandbox)
    assert letter["Body"] == "lost"
    assert letter["MessageAttributes"]["kind"]["StringValue"] == "a"


def test_missing_queue(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A subscription of a queue that is gone does not make publishing fail."""
    sandbox.deploy(queue_template.write(tmp_path, "take"))
    sqs = sandbox.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])
    publish(sandbox, "lost")
    assert "does not exist" in sandbox.loop.inbox.dropped()[0]["reason"]


def test_refused_mapping(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A mapping that the sandbox cannot carry out fails the template with a sentence."""
    mapping = {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}
    with pytest.raises(TemplateError, match=r"bus.yaml: .*does not support FilterCriteria"):
        sandbox.deploy(queue_template.write(tmp_path, "take", mapping=mapping))


def test_refused_change(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A mapping cannot be changed into one that would be refused."""
    sandbox.deploy(queue_template.write(tmp_path, "take"))
    client = sandbox.client("lambda")
    (mapping,) = client.list_event_source_mappings(FunctionName=queue_template.NAME)["EventSourceMappings"]
    with pytest.raises(ClientError, match="batch window"):
        client.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=100)


def test_deleted_stack(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """With its stack the mapping and the subscription are gone."""
    sandbox.deploy(queue_template.write(tmp_path, "take"))
    sandbox.client("cloudformation").delete_stack(StackName="contactsync-bus")
    assert sandbox.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []
    assert sandbox.client("sns").list_subscriptions()["Subscriptions"] == []


def test_nothing_lost_under_threads(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """While batches are received and deleted, what many threads send arrives, each message once."""
    sandbox.deploy(queue_template.write(tmp_path, "take"))
    backend = sandbox.client("sqs")
    url = backend.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    def fill(thread: int) -> None:
        for number in range(25):
            backend.send_message(QueueUrl=url, MessageBody=f"{thread}.{number}")

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle(sandbox)
    assert Counter(received(sandbox)) == Counter(f"{thread}.{number}" for thread in range(4) for number in range(25))


class SlowList(list[Any]):
    """Messages of a queue during whose deletion another one is sent."""

    def __init__(self, messages: list[Any], send: Callable[[], object]) -> None:
        """Take what sends."""
        super().__init__(messages)
        self._sends = [send]

    def __iter__(self) -> Iterator[Any]:
        """Send once, when all have been looked at, and wait a moment for it."""
        yield from super().__iter__()
        if self._sends:
            thread = threading.Thread(target=self._sends.pop())
            thread.start()
            thread.join(0.5)


def test_sent_during_deletion(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A message that is sent while another one is being deleted stays."""
    sandbox.deploy(queue_template.write(tmp_path, "take", Mapping=None))
    send(sandbox, "first")
    (message,) = sandbox.messages(QUEUE)
    queue = sqs_backends[ACCOUNT]["us-east-1"].get_queue(QUEUE)
    queue._messages = SlowList(queue._messages, lambda: send(sandbox, "second"))
    queue.delete_message(message["ReceiptHandle"])
    wait_for(lambda: [kept.body for kept in queue._messages] == ["second"])


def test_stop(tmp_path: Path) -> None:
    """Stopping ends a batch under way, which would never end by itself: no thread stays, and no process."""
    before = set(threading.enumerate())
    with small_sandbox() as sandbox:
        sandbox.deploy(queue_template.write(tmp_path, "wait", variables={"BEGUN": str(tmp_path / "begun")}))
        send(sandbox, "one")
        wait_for((tmp_path / "begun").exists)
        functions = sandbox.loop.functions
    assert functions.process_ids() == []
    assert [thread.name for thread in set(threading.enumerate()) - before if "queue" in thread.name] == []
