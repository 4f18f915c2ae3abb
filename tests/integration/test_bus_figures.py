"""What the bus costs beside bare boto3 calls, measured in one run; the figures are printed (`-s`)."""

import statistics
import time
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
def services() -> Iterator[Services]:
    """Run a sandbox with the project's templates."""
    with (
        Sandbox(Scenario.model_validate({"organization": {"accounts": 1}}), templates=ROOT / "infra") as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
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


def p95s(*actions: Callable[[int], object]) -> list[float]:
    """Return the 95th percentile of each action's time in seconds; they take turns, so that all meet the same noise."""
    times: list[list[float]] = [[] for _ in actions]
    for number in range(SINGLE):
        for action, kept in zip(actions, times, strict=True):
            began = time.perf_counter()
            action(number)
            kept.append(time.perf_counter() - began)
    return [statistics.quantiles(kept, n=20)[-1] for kept in times]


@pytest.mark.long
def test_publishing(services: Services) -> None:
    """Publishing costs less than four bare calls; a thread makes one more, for its metrics."""
    sns, topic = boto3.client("sns"), services.settings.bus.topic
    body = services.publisher.message(announced(0, "warm")).body
    services.publisher.publish([announced(0, "warm")])
    wait_for(services, "warm", 1)
    bare, ours = p95s(
        lambda _: sns.publish(TopicArn=topic, Message=body),
        lambda number: services.publisher.publish([announced(number, "single")]),
    )
    wait_for(services, "single", SINGLE)
    many = [announced(number, "many") for number in range(MANY)]
    bodies = [services.publisher.message(one).body for one in many]
    began = time.perf_counter()
    for batch in tens(bodies):
        entries: Any = [{"Id": str(number), "Message": text} for number, text in enumerate(batch)]
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    bare_rate = MANY / (time.perf_counter() - began)
    began = time.perf_counter()
    assert len(services.publisher.publish(many).taken) == MANY
    our_rate = MANY / (time.perf_counter() - began)
    print(  # noqa: T201 -- figures
        f"publish p95 {ours * 1000:.1f} ms, bare {bare * 1000:.1f} ms: {ours / bare:.2f}; "
        f"{our_rate:.0f} messages/s in batches, bare {bare_rate:.0f}: {our_rate / bare_rate:.2f}"
    )
    assert ours < 4 * bare
    assert our_rate > bare_rate / 3


@pytest.mark.long
def test_subscribing(services: Services) -> None:
    """The audit function keeps up with a tenth of what a loop of bare calls does, with idempotency in between."""
    services.publisher.publish([announced(0, "cold")])
    wait_for(services, "cold", 1)
    began = time.perf_counter()
    services.publisher.publish([announced(number, "subscribed") for number in range(MANY)])
    wait_for(services, "subscribed", MANY)
    our_rate = MANY / (time.perf_counter() - began)
    bare_rate = bare_consumer(services)
    print(f"subscriber {our_rate:.0f} messages/s, bare {bare_rate:.0f}: {our_rate / bare_rate:.2f}")  # noqa: T201 -- figures
    assert our_rate > bare_rate / 10


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
