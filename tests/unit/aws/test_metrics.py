"""Metrics hold nothing up: a thread in Airflow's processes and at the command line, a log line in functions."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from contactsync.aws.metrics import LONGEST_QUEUE, NAMESPACE, BackgroundMetrics, EmbeddedMetrics
from tests.support.fakes.bus import FakeMetrics

LONG = 30.0


@dataclass
class Stuck:
    """CloudWatch that answers only when a test lets it."""

    recorded: list[Mapping[str, float]] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    answers: threading.Event = field(default_factory=threading.Event)

    def record(self, values: Mapping[str, float]) -> None:
        """Wait until there is an answer."""
        self.asked.set()
        assert self.answers.wait(LONG)
        self.recorded.append(values)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    """Give a CloudWatch that does not answer, and let it answer at the end."""
    made = Stuck()
    yield made
    made.answers.set()


def test_nobody_waits(stuck: Stuck) -> None:
    """Values are handed over while CloudWatch does not answer, and are recorded in their order when it does."""
    metrics = BackgroundMetrics(stuck)
    for number in range(10):
        metrics.record({"EventsPublished": number})
    assert stuck.recorded == []
    assert not metrics.flush(0)
    stuck.answers.set()
    assert metrics.flush(LONG)
    assert [values["EventsPublished"] for values in stuck.recorded] == list(range(10))


def test_bounded(stuck: Stuck, caplog: pytest.LogCaptureFixture) -> None:
    """What waits is bounded: a process that lives on beside a silent CloudWatch does not grow."""
    metrics = BackgroundMetrics(stuck)
    metrics.record({"First": 1})
    assert stuck.asked.wait(LONG)
    for _ in range(LONGEST_QUEUE + 5):
        metrics.record({"More": 1})
    assert caplog.text.count("More are left out: CloudWatch does not answer") == 5
    stuck.answers.set()
    assert metrics.flush(LONG)
    assert len(stuck.recorded) == 1 + LONGEST_QUEUE


def test_a_failure_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever recording raises is logged, and what comes next is recorded."""
    inner = FakeMetrics()

    class Failing:
        def record(self, values: Mapping[str, float]) -> None:
            """Fail once."""
            if "Bad" in values:
                raise LookupError
            inner.record(values)

    metrics = BackgroundMetrics(Failing())
    metrics.record({"Bad": 1})
    metrics.record({"Good": 1})
    assert metrics.flush(LONG)
    assert inner.recorded == [{"Good": 1}]
    assert "Metrics Bad were not recorded" in caplog.text


def test_nothing_recorded() -> None:
    """Where nothing was recorded there is nothing to wait for, and no thread."""
    before = threading.active_count()
    assert BackgroundMetrics(FakeMetrics()).flush(0)
    assert threading.active_count() == before


def test_fork() -> None:
    """A process that was forked has a thread of its own, and does not wait for its parent's values."""
    inner = FakeMetrics()
    metrics = BackgroundMetrics(inner)
    metrics.record({"Parent": 1})
    assert metrics.flush(LONG)
    metrics._process = os.getpid() + 1  # as in a child: the number is another one
    assert metrics.flush(0)
    metrics.record({"Child": 1})
    assert metrics.flush(LONG)
    assert inner.recorded == [{"Parent": 1}, {"Child": 1}]


def test_embedded() -> None:
    """A function writes one line in the embedded metric format, with the dimension that alarms look for."""
    lines: list[str] = []
    EmbeddedMetrics("prod", lines.append).record({"EventsRefused": 1.0, "PublishTime": 0.2})
    (line,) = lines
    assert line.endswith("\n")
    found = json.loads(line)
    (about,) = found.pop("_aws")["CloudWatchMetrics"]
    assert found == {"Environment": "prod", "EventsRefused": 1.0, "PublishTime": 0.2}
    assert (about["Namespace"], about["Dimensions"]) == (NAMESPACE, [["Environment"]])
    assert {one["Name"]: one["Unit"] for one in about["Metrics"]} == {
        "EventsRefused": "Count",
        "PublishTime": "Seconds",
    }


def test_embedded_cannot_fail() -> None:
    """A log that takes nothing keeps nothing else from being done."""

    def broken(_: str) -> None:
        raise BrokenPipeError

    EmbeddedMetrics("prod", broken).record({"EventsRefused": 1.0})
