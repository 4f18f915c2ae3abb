"""Consuming: events are handled once, unknown types are quarantined, everything else that is wrong is an error."""

import json
from typing import Any

import pytest

from contactsync.bus.advice import Reader, sentence_for
from contactsync.bus.claims import CLAIM_LIMIT, claim_of
from contactsync.bus.consume import (
    QUARANTINE_CODE,
    QUARANTINE_REASON,
    SENTENCE_LIMIT,
    Consumed,
    Consumer,
    MessageFailure,
    MessageIds,
    Subscriber,
    failure_of,
    names_in,
    own_attributes,
    printable,
)
from contactsync.bus.envelope import MOST_PROBLEMS, Event
from contactsync.bus.events import EVENT_TYPES, AccountFailed, EventData, ExternalEventReported
from contactsync.errors import EventInvalidError, EventTypeUnknownError, ServiceUnavailableError
from tests.support.events import CORRELATION_ID, event_of
from tests.support.fakes.bus import FakeClaims, FakeOnce, FakeQuarantine
from tests.support.recorded import changed

UNAVAILABLE = ServiceUnavailableError("SendMessage", "InternalError")


class Listener:
    """A subscriber that remembers what it was told, with fakes on all sides."""

    def __init__(self, claims: FakeClaims | None = None) -> None:
        """Start without memories."""
        self.told: list[Event] = []
        self.quarantine = FakeQuarantine()
        self.once = FakeOnce()
        self.consumer = Consumer(Subscriber("listener", self.told.append), claims, self.once, self.quarantine, "test")

    def consume(self, found: dict[str, Any] | str, **attributes: str) -> Consumed:
        """Consume a message."""
        return self.consumer.consume(found if isinstance(found, str) else json.dumps(found), attributes)


def document(kind: type[EventData] = AccountFailed) -> dict[str, Any]:
    """Return an event as a JSON object."""
    found: dict[str, Any] = json.loads(event_of(kind).as_json())
    return found


@pytest.mark.parametrize("kind", EVENT_TYPES.values())
def test_handled(kind: type[EventData]) -> None:
    """An event of every known type reaches the subscriber as it was published."""
    listener = Listener()
    assert listener.consume(event_of(kind).as_json()) is Consumed.HANDLED
    assert listener.told == [event_of(kind)]


def test_duplicate() -> None:
    """A duplicate is done with, and the subscriber does not hear of it."""
    listener = Listener()
    for _ in range(3):
        assert listener.consume(document()) is Consumed.HANDLED
    assert len(listener.told) == 1


@pytest.mark.parametrize("name", ["contactsync.account.failed.v2", "contactsync.account.moved.v1", "somebody.elses"])
def test_unknown_type(name: str) -> None:
    """A type or version that is not known is set aside whole, with its attributes and the reason."""
    listener = Listener()
    found = changed(document(), "type", name) | {"data": {"of": ["another", "form"]}}
    assert listener.consume(found, type=name, severity="low") is Consumed.QUARANTINED
    ((body, attributes),) = listener.quarantine.kept
    assert json.loads(body) == found
    assert attributes[QUARANTINE_CODE] == "EventTypeUnknown"
    assert name in attributes[QUARANTINE_REASON]
    assert own_attributes(attributes) == {"type": name, "severity": "low"}
    assert listener.told == []


def test_quarantine_full() -> None:
    """What cannot be set aside is an error, so that it is delivered again."""
    listener = Listener()
    listener.quarantine.error = UNAVAILABLE
    with pytest.raises(ServiceUnavailableError):
        listener.consume(changed(document(), "type", "unknown"))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "[]",
        "null",
        "{}",
        '{"type": 1}',
        '{"type": "contactsync.account.failed.v1"}',
        "[" * 100_000,
        json.dumps(changed(document(), "data.account_id", "44445555666")),
        json.dumps(changed(document(), "specversion", "2.0")),
        json.dumps(changed(document(), "time", "yesterday")),
        json.dumps(document() | {"data": None}),
    ],
)
@pytest.mark.usefixtures("_deep_nesting")
def test_malformed(body: str) -> None:
    """What is no event of its type is our error, and the subscriber does not hear of it."""
    listener = Listener()
    with pytest.raises(EventInvalidError):
        listener.consume(body)
    assert (listener.told, listener.quarantine.kept) == ([], [])


STRANGE = "wanda@quagga.example"


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("data.details", {STRANGE: 1}, "details.***"),
        ("data.title", {STRANGE: 1}, "title"),
        ("data", {STRANGE: 1}, "title"),
    ],
)
def test_problems_name_fields_only(path: str, value: object, place: str) -> None:
    """A problem names the fields that we know, and no key that a stranger chose."""
    body = json.dumps(changed(document(ExternalEventReported), path, value))
    with pytest.raises(EventInvalidError) as caught:
        Listener().consume(body)
    assert any(problem.startswith(f"{place}: ") for problem in caught.value.problems)
    assert "wanda" not in f"{caught.value} {caught.value!r}"


def test_problems_bounded() -> None:
    """Of many problems the first are told, and how many more there are."""
    details = {f"k{number}": number for number in range(500)}
    with pytest.raises(EventInvalidError) as caught:
        Listener().consume(changed(document(ExternalEventReported), "data.details", details))
    assert len(caught.value.problems) == MOST_PROBLEMS + 1
    assert caught.value.problems[-1] == "and 480 more"


def test_added_field() -> None:
    """Fields that this software does not know are ignored: they may be added within a version."""
    listener = Listener()
    found = changed(document(), "data.added", 1) | {"traceparent": "00-1"}
    assert listener.consume(found) is Consumed.HANDLED
    assert listener.told == [event_of()]


def test_failure() -> None:
    """What the subscriber raises comes out, and the event is not handled."""

    def fail(_: Event) -> None:
        raise LookupError("no luck")

    listener = Listener()
    failing = Consumer(Subscriber("failing", fail), None, listener.once, listener.quarantine, "test")
    with pytest.raises(LookupError):
        failing.consume(event_of().as_json(), {})
    assert listener.once.handled == set()


def claimed(claims: FakeClaims, **changes: Any) -> dict[str, Any]:
    """Return an event whose data is kept elsewhere."""
    found = {**document(), **changes}
    data = json.dumps(found.pop("data")).encode()
    claim = claim_of(found["id"], data)
    return {**found, "dataref": claims.put(claim, data), "datasha256": claim.sha256, "datasize": claim.size}


def test_claim_check() -> None:
    """Data that did not fit into the message is fetched."""
    claims = FakeClaims()
    listener = Listener(claims)
    listener.consume(claimed(claims))
    assert listener.told == [event_of()]


def test_claim_gone() -> None:
    """A duplicate does not need the data any more; a new event without its data is set aside with the reason."""
    claims = FakeClaims()
    listener = Listener(claims)
    found, other = claimed(claims), claimed(claims, id="another")
    listener.consume(found)
    claims.kept.clear()
    assert listener.consume(found) is Consumed.HANDLED
    assert listener.consume(other) is Consumed.QUARANTINED
    assert "not in the bucket" in set_aside(listener, "ClaimRefused")


def set_aside(listener: Listener, code: str) -> str:
    """Return why the one message that was set aside was."""
    ((_, attributes),) = listener.quarantine.kept
    assert attributes[QUARANTINE_CODE] == code
    return attributes[QUARANTINE_REASON]


@pytest.mark.parametrize("data", [b"", b"{}", b"x" * 5_000_000, "replaced"])
def test_claim_replaced(data: bytes | str) -> None:
    """Another object at the same place is not the event's data: smaller, larger, or as large as it."""
    claims = FakeClaims()
    listener = Listener(claims)
    found = claimed(claims)
    kept = claims.kept[found["dataref"]]
    claims.kept[found["dataref"]] = kept.replace(b"unavailable", b"unAvailable") if isinstance(data, str) else data
    assert listener.consume(found) is Consumed.QUARANTINED
    assert "event e-1" in set_aside(listener, "ClaimRefused")
    assert (listener.told, listener.once.handled) == ([], set())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"datasha256": "0" * 64}, "does not name"),
        ({"dataref": "claim://another"}, "does not name"),
        ({"id": "another"}, "does not name"),
        ({"datasize": 1}, "larger"),
        ({"datasize": CLAIM_LIMIT + 1}, "is the limit"),
    ],
)
def test_claim_of_another(changes: dict[str, Any], problem: str) -> None:
    """A claim that is not this event's, or says another size, is set aside; more than that is not read."""
    claims = FakeClaims()
    listener = Listener(claims)
    assert listener.consume({**claimed(claims), **changes}) is Consumed.QUARANTINED
    assert problem in set_aside(listener, "ClaimRefused")


@pytest.mark.parametrize("lost", [("datasha256",), ("datasize",), ("datasha256", "datasize"), ("dataref",)])
def test_claim_without_digest(lost: tuple[str, ...]) -> None:
    """A claim without its digest and size is no event: an earlier version's, or nobody's."""
    claims = FakeClaims()
    found = {name: value for name, value in claimed(claims).items() if name not in lost}
    with pytest.raises(EventInvalidError, match="dataref with datasha256 and datasize"):
        Listener(claims).consume(found)


@pytest.mark.parametrize(
    "changes",
    [{"datasha256": "A" * 64}, {"datasha256": "0" * 63}, {"datasize": 0}, {"datasize": -1}, {"datasize": "9"}],
)
def test_claim_malformed(changes: dict[str, Any]) -> None:
    """A digest or size of another form is refused by its name."""
    claims = FakeClaims()
    with pytest.raises(EventInvalidError, match=next(iter(changes))):
        Listener(claims).consume({**claimed(claims), **changes})


def test_claims_out_of_reach() -> None:
    """A bucket that does not answer sets nothing aside: the message comes again."""
    claims = FakeClaims()
    listener = Listener(claims)
    found = claimed(claims)
    claims.error = ServiceUnavailableError("GetObject", "SlowDown")
    with pytest.raises(ServiceUnavailableError):
        listener.consume(found)
    assert listener.quarantine.kept == []


def test_no_bucket() -> None:
    """A subscriber without a bucket says so."""
    listener = Listener()
    assert listener.consume(claimed(FakeClaims())) is Consumed.QUARANTINED
    assert "bucket" in set_aside(listener, "ClaimRefused")


def test_claim_of_another_form() -> None:
    """Data that is not what the type asks for is our error."""
    claims = FakeClaims()
    with pytest.raises(EventInvalidError, match="sync_id"):
        Listener(claims).consume(claimed(claims, data={"sync_id": ""}))


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": "prod", "source": "/contactsync/prod"},
        {"environment": "prod"},
        {"source": "/contactsync/prod"},
        {"source": "/contactsync/test/"},
        {"source": "https://example.com/another/product"},
    ],
)
def test_foreign(changes: dict[str, str]) -> None:
    """An event of another environment or product is set aside with the reason, and no subscriber acts on it."""
    listener = Listener()
    assert listener.consume({**document(), **changes}) is Consumed.QUARANTINED
    reason = set_aside(listener, "EventForeign")
    assert all(value in reason for value in changes.values())
    assert (listener.told, listener.once.handled) == ([], set())


def test_failure_kept() -> None:
    """Of our own errors the sentence is kept; of others the name only, because their text may quote the message."""
    own = EventTypeUnknownError("e-1", "new.v9")
    assert failure_of(own, 2) == MessageFailure("EventTypeUnknown", str(own), 2)
    assert failure_of(UNAVAILABLE, 2) == MessageFailure("InternalError", sentence_for(UNAVAILABLE, Reader()), 2)
    kept = failure_of(KeyError("wanda.quillfeather@quagga.example"), 1)
    assert kept.code == "KeyError"
    assert "wanda" not in kept.sentence


def test_printable() -> None:
    """Control characters and halves of surrogate pairs are replaced, and text is cut."""
    assert printable("a\x00b\ud800c\nd") == "a\ufffdb\ufffdc\ufffdd"
    assert len(printable("x" * 5000)) == SENTENCE_LIMIT
    printable("\ud800").encode()


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (event_of().as_json(), MessageIds("e-1", "contactsync.account.failed.v1", CORRELATION_ID)),
        ('{"id": 1, "type": "", "correlationid": "c"}', MessageIds(None, None, "c")),
        ("[]", MessageIds()),
        ("{", MessageIds()),
        ('{"id": "' + "x" * 999 + '"}', MessageIds("x" * 256)),
    ],
)
def test_names(body: str, names: MessageIds) -> None:
    """What a message says it is can be read, whatever is wrong with the rest."""
    assert names_in(body) == names
