"""What the bus costs beside bare boto3 calls, measured in one run; the figures are printed (`-s`).

Bare calls and ours take turns and medians are compared, so that a busy machine slows both; the rest is counted.
"""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest

from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import ConfigurationChanged
from contactsync.cli.local.local_system import product_environment
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.support.fakes.surroundings import START

ROOT = Path(__file__).parents[2]
SINGLE, MANY = 100, 300
T = TypeVar("T")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox with the project's templates."""
    scenario = Scenario.model_validate({"organization": {"accounts": 1}})
    with Sandbox(scenario, templates=ROOT / "infra") as running:
        yield running


@pytest.fixture(scope="module")
def services(sandbox: Sandbox) -> Iterator[Services]:
    """Return the product's services at the sandbox."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in product_environment(sandbox).items():
            patch.setenv(name, value)
        yield Services.from_environment()


def announced(number: int, key: str) -> Announcement:
    """Return an announcement."""
    data = ConfigurationChanged(config_key=key, version=number + 1, changed_by="tests")
    return announcement(data, about=f"{key}#{number}", subject=key, correlation_id=key, time=START)


def tens(things: Iterable[T]) -> Iterator[list[T]]:
    """Yield ten at a time."""
    remaining = iter(things)
    while batch := list(islice(remaining, 10)):
        yield batch


def medians(times: int, *actions: Callable[[int], object]) -> list[float]:
    """Return the median of each action's time in seconds; they take turns, so that all meet the same noise."""
    taken: list[list[float]] = [[] for _ in actions]
    for number in range(times):
        for action, kept in zip(actions, taken, strict=True):
            began = time.perf_counter()
            action(number)
            kept.append(time.perf_counter() - began)
    return [statistics.median(kept) for kept in taken]


@pytest.mark.long
def test_publishing(services: Services) -> None:
    """Publishing costs less than four bare calls, one by one and in batches; a thread makes one more, for metrics."""
    sns, topic = boto3.client("sns"), services.settings.bus.topic
    body = services.publisher.message(announced(0, "warm")).body
    services.publisher.publish([announced(0, "warm")])
    wait_for(services, "warm", 1)
    bare, ours = medians(
        SINGLE,
        lambda _: sns.publish(TopicArn=topic, Message=body),
        lambda number: services.publisher.publish([announced(number, "single")]),
    )
    wait_for(services, "single", SINGLE)
    batches = list(tens(announced(number, "many") for number in range(MANY)))

    def bare_batch(number: int) -> None:
        bodies = [services.publisher.message(one).body for one in batches[number]]
        entries: Any = [{"Id": str(entry), "Message": text} for entry, text in enumerate(bodies)]
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)

    def our_batch(number: int) -> None:
        assert len(services.publisher.publish(batches[number]).taken) == len(batches[number])

    bare_tens, our_tens = medians(len(batches), bare_batch, our_batch)
    print(  # noqa: T201 -- figures
        f"publish {ours * 1000:.1f} ms, bare {bare * 1000:.1f} ms: {ours / bare:.2f}; "
        f"ten in {our_tens * 1000:.1f} ms, bare {bare_tens * 1000:.1f} ms: {our_tens / bare_tens:.2f}"
    )
    assert ours < 4 * bare
    assert our_tens < 4 * bare_tens


@pytest.mark.long
def test_subscribing(sandbox: Sandbox, services: Services) -> None:
    """The audit function writes three times for a message: a claim, the event, and the end of the claim.

    A message that comes twice may add some. How fast it is beside a loop of bare calls is a figure, and not a bound.
    """
    services.publisher.publish([announced(0, "cold")])
    wait_for(services, "cold", 1)
    began = time.perf_counter()
    sandbox.call_log.clear()
    services.publisher.publish([announced(number, "subscribed") for number in range(MANY)])
    wait_for(services, "subscribed", MANY)
    our_rate = MANY / (time.perf_counter() - began)
    calls = Counter(call.operation for call in sandbox.call_log.query())
    bare_rate = bare_consumer(services)
    print(  # noqa: T201 -- figures
        f"subscriber {our_rate:.0f} messages/s, bare {bare_rate:.0f}: {our_rate / bare_rate:.2f}; {dict(calls)}"
    )
    assert calls["PutItem"] >= 2 * MANY
    assert calls["PutItem"] + calls["UpdateItem"] < 3.5 * MANY


def wait_for(services: Services, key: str, count: int) -> None:
    """Wait until the audit trail has so many events."""
    end = time.monotonic() + 240
    while len(list(services.audit_trail.correlated(key))) < count:
        assert time.monotonic() < end
        time.sleep(0.2)


def bare_consumer(services: Services) -> float:
    """Return how many messages per second a loop of bare calls receives, stores and deletes."""
    sqs, dynamodb = boto3.client("sqs"), boto3.client("dynamodb")
    url = sqs.create_queue(QueueName="bare")["QueueUrl"]
    for batch in tens(range(MANY)):
        entries: Any = [
            {"Id": str(n), "MessageBody": services.publisher.message(announced(n, "x")).body} for n in batch
        ]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    began, done = time.perf_counter(), 0
    while done < MANY:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            item: Any = {"pk": {"S": "bare"}, "sk": {"S": message["MessageId"]}, "data": {"S": message["Body"]}}
            dynamodb.put_item(TableName=services.settings.audit.table, Item=item)
        gone: Any = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=gone)
        done += len(messages)
    return MANY / (time.perf_counter() - began)
