"""Events that nobody can publish: set aside after some looks at the outbox, told once, and all others go out."""

from collections import Counter
from datetime import timedelta

import pytest

from contactsync.bus.dead_letters.letters import OUTBOX
from contactsync.bus.dead_letters.places import DeadLetterPlaces
from contactsync.bus.envelope import announcement
from contactsync.bus.events import NoticeRequested, Severity
from contactsync.bus.ports import Refusal, SetAside
from contactsync.bus.relay import TRIES, TRIES_WHEN_ALL, Relay
from contactsync.errors import (
    AccessDeniedError,
    DeadLetterQueueUnknownError,
    EventsSetAsideError,
    PublishFailedError,
    ServiceUnavailableError,
)
from contactsync.orchestration.steps import set_aside_error
from tests.support.fakes.bus import FakeDeadLetters, FakeOutbox, FakeTopic
from tests.support.fakes.surroundings import START, FakeClock
from tests.unit.bus.test_publish import announced, publisher


class Housekeeping:
    """Runs of the task that sends the outbox, with a topic that a test makes refuse."""

    def __init__(self) -> None:
        """Start with nothing to send."""
        self.topic, self.outbox = FakeTopic(), FakeOutbox()
        self.told: list[SetAside] = []
        self.clock = FakeClock(START + timedelta(minutes=5))

    def run(self) -> PublishFailedError | None:
        """Look once, five minutes after the last look, and return what makes the run red."""
        self.clock.sleep(300)
        try:
            Relay(self.outbox, publisher(self.topic), self.clock).send_left(self.told.extend)
        except PublishFailedError as error:
            return error
        return None

    def runs(self, number: int) -> list[bool]:
        """Look several times, and return which were red."""
        return [self.run() is not None for _ in range(number)]


@pytest.fixture
def housekeeping() -> Housekeeping:
    """Give housekeeping with twenty events, of which one makes every call invalid."""
    made = Housekeeping()
    made.outbox.add(*(announced(number) for number in range(20)))
    made.topic.invalid = {announced(7).id}
    return made


def test_set_aside(housekeeping: Housekeeping) -> None:
    """The others go out at once, the one is set aside with its reason, and housekeeping is green from then on."""
    assert housekeeping.runs(TRIES + 2) == [True] * (TRIES - 1) + [False] * 3
    assert len(housekeeping.topic.taken) == 19
    assert not housekeeping.outbox.kept
    (aside,) = housekeeping.told
    assert (aside.event_id, aside.event_type) == (announced(7).id, "contactsync.account.failed.v1")
    assert aside.code == "InvalidParameter"
    assert "redrive outbox" in aside.reason


def test_named(housekeeping: Housekeeping) -> None:
    """The error of a red run names the event, its type and the cause."""
    error = housekeeping.run()
    assert f"{announced(7).id} (contactsync.account.failed.v1: InvalidParameter)" in str(error)


def test_named_many(housekeeping: Housekeeping) -> None:
    """Of many events the first are named, and the others counted."""
    housekeeping.topic.errors = [ServiceUnavailableError("PublishBatch", "InternalError")]
    error = housekeeping.run()
    assert "and 15 more." in str(error)
    assert str(error).count("contactsync.account.failed.v1") == 5


def test_entry_refused(housekeeping: Housekeeping) -> None:
    """An entry of a batch that SNS says is the sender's fault counts as well."""
    housekeeping.topic.invalid = set()
    poison = announced(3).id
    housekeeping.topic.refusals = {poison: [Refusal(poison, "InvalidParameterValue", may_pass=False)] * 9}
    assert housekeeping.runs(4) == [True, True, False, False]
    assert [one.event_id for one in housekeeping.told] == [poison]


@pytest.mark.parametrize("code", ["InternalError", "Throttled"])
def test_passing(housekeeping: Housekeeping, code: str) -> None:
    """What may pass is sent again for as long as it takes."""
    housekeeping.topic.invalid = set()
    poison = announced(3).id
    housekeeping.topic.refusals = {poison: [Refusal(poison, code, may_pass=True)] * 90}
    assert all(housekeeping.runs(20))
    housekeeping.topic.refusals = {}
    assert housekeeping.run() is None
    assert housekeeping.told == []
    assert len(housekeeping.topic.taken) == 20


@pytest.mark.parametrize("code", ["KMSAccessDenied", "KMSDisabled", "AuthorizationError", "ThrottledException"])
def test_means_the_topic(housekeeping: Housekeeping, code: str) -> None:
    """A refusal that is about the topic's key or the caller is no fault of the event, whatever SNS says of it."""
    housekeeping.topic.invalid = set()
    housekeeping.topic.refusals = {
        announced(number).id: [Refusal(announced(number).id, code, may_pass=False)] * 20 for number in range(20)
    }
    assert all(housekeeping.runs(TRIES_WHEN_ALL + 2))
    assert housekeeping.told == []
    assert len(housekeeping.outbox.kept) == 20


def test_denied(housekeeping: Housekeeping) -> None:
    """While the topic refuses everybody nothing is set aside."""
    housekeeping.topic.errors = [AccessDeniedError("PublishBatch", "AuthorizationError") for _ in range(30)]
    assert all(housekeeping.runs(TRIES_WHEN_ALL + 2))
    assert (housekeeping.told, len(housekeeping.outbox.kept)) == ([], 20)


def test_all_alike(housekeeping: Housekeeping) -> None:
    """When all events are refused alike the topic may be wrong: that is waited for, and not for ever."""
    housekeeping.topic.invalid = {announced(number).id for number in range(20)}
    assert housekeeping.runs(TRIES_WHEN_ALL + 1) == [True] * (TRIES_WHEN_ALL - 1) + [False] * 2
    assert len(housekeeping.told) == 20


def test_not_stored(housekeeping: Housekeeping) -> None:
    """An event that cannot be set aside stays, makes the run red, and is tried by the next run."""
    housekeeping.outbox.stuck = ServiceUnavailableError("TransactWriteItems", "InternalServerError")
    assert all(housekeeping.runs(TRIES + 1))
    housekeeping.outbox.stuck = None
    assert housekeeping.run() is None
    assert [one.event_id for one in housekeeping.told] == [announced(7).id]


def test_unreadable() -> None:
    """What cannot be read is set aside too, and says what it was."""
    housekeeping = Housekeeping()
    housekeeping.outbox.unreadable = ["EventTypeUnknown", "EventInvalid"]
    assert housekeeping.runs(4) == [True, True, False, False]
    assert Counter(one.code for one in housekeeping.told) == {"EventTypeUnknown": 1, "EventInvalid": 1}


def aside_of(number: int, *, about_delivery: bool = False) -> SetAside:
    """Return an event that was set aside."""
    return SetAside(("outbox", f"k-{number}"), "InvalidParameter", "reason", f"e-{number}", "a.b.v1", about_delivery)


def test_error() -> None:
    """What people are told names the first events and counts the others."""
    error = set_aside_error([aside_of(number) for number in range(8)])
    assert isinstance(error, EventsSetAsideError)
    assert "refused 8 events" in str(error)
    assert "e-4 (a.b.v1: InvalidParameter) and 3 more" in str(error)
    assert "dead-letters list outbox" in str(error)


def test_not_told_for_ever() -> None:
    """A notice of such trouble that is set aside itself makes no further notice."""
    assert set_aside_error([aside_of(1, about_delivery=True)]) is None
    assert set_aside_error([]) is None
    mixed = set_aside_error([aside_of(1, about_delivery=True), aside_of(2)])
    assert "refused 1 events" in str(mixed)


def test_notice_of_trouble() -> None:
    """The relay knows the notice of such trouble."""
    housekeeping = Housekeeping()
    data = NoticeRequested(notice_id="n", scenario="delivery_trouble", priority=Severity.HIGH)
    notice = announcement(data, about="n", subject="s", correlation_id="c", time=START)
    housekeeping.outbox.add(notice)
    housekeeping.topic.invalid = {notice.id}
    housekeeping.runs(TRIES)
    assert [one.is_about_delivery for one in housekeeping.told] == [True]


def test_places() -> None:
    """Queues of several kinds are found by their names, and messages are given back where they are from."""
    sqs, aside = FakeDeadLetters(), FakeDeadLetters(queues={OUTBOX: {}})
    places = DeadLetterPlaces([sqs, aside])
    assert places.names == ("audit", "notices", "rule", "trigger", "outbox")
    letters = [sqs.put("audit", "one"), aside.put(OUTBOX, "two")]
    taken = [letter for queue in ("audit", OUTBOX) for letter in places.take(queue)]
    assert places.counts(OUTBOX).in_flight == 1
    places.give_back(taken)
    assert (sqs.hidden, aside.hidden) == (set(), set())
    for letter in letters:
        places.send_on(letter)
        assert places.send_all([letter]) == {}
        places.delete(letter)
        places.delete_all([letter])
    assert places.send_all([]) == {}
    places.delete_all([])
    with pytest.raises(DeadLetterQueueUnknownError, match="trigger, outbox"):
        places.counts("audits")
