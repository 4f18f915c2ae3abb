"""The relay: what is published leaves the outbox, what is not stays, and nothing is ever lost."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.bus.relay import SILENCE, Relay
from contactsync.errors import (
    AccessDeniedError,
    ContactSyncError,
    PublishFailedError,
    ServiceUnavailableError,
    StateConflictError,
)
from tests.support.fakes.bus import FakeMetrics, FakeOutbox, FakeTopic
from tests.support.fakes.surroundings import START, FakeClock
from tests.unit.bus.test_publish import DOWN, announced, publisher


def relay(topic: FakeTopic, outbox: FakeOutbox, clock: FakeClock | None = None) -> Relay:
    """Return the relay between an outbox and a topic."""
    return Relay(outbox=outbox, publisher=publisher(topic), clock=clock or FakeClock())


def test_sent_and_removed() -> None:
    """What was published leaves the outbox."""
    topic, outbox = FakeTopic(), FakeOutbox()
    outbox.add(announced(1), announced(2))
    relay(topic, outbox).send([announced(1), announced(2)])
    assert not outbox.kept
    assert len(topic.taken) == 2


def test_left_when_out_of_reach(caplog: pytest.LogCaptureFixture) -> None:
    """What is not taken stays, nothing is raised, and the log says so."""
    outbox = FakeOutbox()
    outbox.add(announced(1), announced(2))
    relay(FakeTopic(errors=[DOWN]), outbox).send([announced(1), announced(2)])
    assert set(outbox.kept) == {announced(1).id, announced(2).id}
    assert "2 events are left in the outbox (InternalError)" in caplog.text


def test_left_when_not_removed() -> None:
    """A process that publishes and cannot remove leaves the event to be published twice."""
    topic, outbox = FakeTopic(), FakeOutbox(error=ServiceUnavailableError("BatchWriteItem", "InternalServerError"))
    outbox.add(announced(1))
    relay(topic, outbox).send([announced(1)])
    assert set(outbox.kept) == {announced(1).id}
    outbox.error = None
    clock = FakeClock(START + timedelta(minutes=5))
    assert relay(topic, outbox, clock).send_left() == 1
    assert [message.id for message in topic.taken] == [announced(1).id] * 2
    assert not outbox.kept


def test_what_is_left_is_sent() -> None:
    """Housekeeping publishes what is older than a minute, and leaves to its process what is younger."""
    topic, outbox = FakeTopic(), FakeOutbox()
    outbox.add(*(announced(number) for number in range(250)))
    assert relay(topic, outbox, FakeClock(START + timedelta(seconds=59))).send_left() == 0
    assert relay(topic, outbox, FakeClock(START + timedelta(seconds=61))).send_left() == 250
    assert not outbox.kept


def test_what_is_left_cannot_be_sent() -> None:
    """Housekeeping fails when the bus still takes nothing, and nothing is lost."""
    outbox = FakeOutbox()
    outbox.add(announced(1))
    clock = FakeClock(START + timedelta(minutes=5))
    with pytest.raises(PublishFailedError, match=r"1 events .*InternalError"):
        relay(FakeTopic(errors=[DOWN]), outbox, clock).send_left()
    assert set(outbox.kept) == {announced(1).id}


@pytest.mark.parametrize("code", ["AuthorizationError", "KMSDisabled"])
def test_what_does_not_pass(code: str, caplog: pytest.LogCaptureFixture) -> None:
    """What somebody has to correct is told as that, and not as something that is merely sent again."""
    denied = AccessDeniedError("PublishBatch", code)
    outbox = FakeOutbox()
    outbox.add(announced(1))
    made = relay(FakeTopic(errors=[denied, denied]), outbox, FakeClock(START + timedelta(minutes=5)))
    with pytest.raises(PublishFailedError, match=f"{code} does not pass by itself: check the topic") as caught:
        made.send_left()
    assert not caught.value.retryable
    relay(FakeTopic(errors=[denied]), outbox).send([announced(1)])
    assert "does not pass by itself" in caplog.text
    assert set(outbox.kept) == {announced(1).id}


def test_mixed_causes() -> None:
    """Where one cause may pass, trying again may help, and the other one is named all the same."""
    error = PublishFailedError(failed=2, causes=["InternalError", "NotFound"], lasting=["NotFound"])
    assert error.retryable
    assert ". NotFound does not pass by itself" in str(error)


def test_bad_one_among_many() -> None:
    """An event that SNS finds invalid stays in the outbox alone, whatever stands beside it."""
    made = {f"s{number}": announced(number) for number in range(100)}
    topic, outbox = FakeTopic(invalid={made["s15"].id}), FakeOutbox()
    outbox.add(*made.values())
    with pytest.raises(PublishFailedError, match=r"1 events .*InvalidParameter"):
        relay(topic, outbox, FakeClock(START + timedelta(minutes=5))).send_left()
    assert set(outbox.kept) == {made["s15"].id}
    assert len(topic.taken) == 99


def test_silence() -> None:
    """A topic that does not answer is not asked for each of many announcements, and is asked again later."""
    clock, outbox = FakeClock(START + timedelta(minutes=5)), FakeOutbox()
    topic = FakeTopic(errors=[DOWN])
    made = relay(topic, outbox, clock)
    for number in range(100):
        outbox.add(announced(number))
        made.send([announced(number)])
    assert (topic.calls, len(outbox.kept)) == (1, 100)
    clock.sleep(SILENCE)
    made.send([announced(99)])
    assert (topic.calls, len(outbox.kept)) == (2, 99)


def test_housekeeping_asks_once() -> None:
    """Housekeeping asks a topic that is out of reach once, and counts everything that is left."""
    topic, outbox = FakeTopic(errors=[DOWN] * 100), FakeOutbox()
    outbox.add(*(announced(number) for number in range(450)))
    made = relay(topic, outbox, FakeClock(START + timedelta(minutes=5)))
    with pytest.raises(PublishFailedError, match="450 events"):
        made.send_left()
    assert topic.calls == 1
    assert left_of(made) == 450


@pytest.mark.parametrize(
    "error", [ServiceUnavailableError("BatchWriteItem", "InternalServerError"), StateConflictError("Table state", 5)]
)
def test_housekeeping_cannot_remove(error: ContactSyncError) -> None:
    """What cannot be removed does not keep what comes after it from being sent, and is told."""
    topic, outbox = FakeTopic(), FakeOutbox(error=error)
    outbox.add(*(announced(number) for number in range(250)))
    made = relay(topic, outbox, FakeClock(START + timedelta(minutes=5)))
    with pytest.raises(PublishFailedError, match=rf"250 events .*{error.code}"):
        made.send_left()
    assert len(topic.taken) == len(outbox.kept) == left_of(made) == 250
    made.send([announced(1)])  # raises nothing either


def left_of(made: Relay) -> float:
    """Return what the metric says is left."""
    assert isinstance(made.publisher.metrics, FakeMetrics)
    return made.publisher.metrics.total("OutboxLeft")


def test_unreadable_is_told() -> None:
    """What the outbox cannot read is counted and fails housekeeping, after everything else was sent."""
    topic, outbox = FakeTopic(), FakeOutbox(unreadable=["EventTypeUnknown", "EventInvalid"])
    outbox.add(*(announced(number) for number in range(120)))
    made = relay(topic, outbox, FakeClock(START + timedelta(minutes=5)))
    with pytest.raises(PublishFailedError, match=r"2 events .*EventInvalid, EventTypeUnknown.* update"):
        made.send_left()
    assert not outbox.kept
    assert left_of(made) == 2


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), max_size=30))
def test_never_lost(history: list[tuple[int, bool, bool]]) -> None:
    """However often the bus or the outbox fails in between, every event goes out at least once and then is gone."""
    topic, outbox = FakeTopic(), FakeOutbox()
    stored: set[str] = set()
    for number, bus_down, outbox_down in history:
        outbox.add(announced(number))
        stored.add(announced(number).id)
        topic.errors = [DOWN] if bus_down else []
        outbox.error = ServiceUnavailableError("BatchWriteItem", "Down") if outbox_down else None
        relay(topic, outbox).send([announced(number)])
    topic.errors, outbox.error = [], None
    relay(topic, outbox, FakeClock(START + timedelta(hours=1))).send_left()
    assert not outbox.kept
    assert {message.id for message in topic.taken} == stored
