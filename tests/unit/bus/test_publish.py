"""Publishing: enriched, packed, sent again where that helps, and nothing that cannot be sent holds the others back."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.bus.claims import CLAIM_LIMIT, with_data
from contactsync.bus.envelope import Announcement, announcement, parse_announcement, parse_event
from contactsync.bus.events import AccountFailed, ConfigurationChanged, EventData, NoticeRequested, Severity
from contactsync.bus.ports import Message, Refusal
from contactsync.bus.publish import BATCH_LIMIT, SIZE_LIMIT, Publisher, batches
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    EventInvalidError,
    RequestInvalidError,
    ResourceMissingError,
    ServiceUnavailableError,
)
from tests.support.events import data_of
from tests.support.fakes.bus import FakeClaims, FakeMetrics, FakeTopic
from tests.support.fakes.surroundings import START, FakeClock

DOWN = ServiceUnavailableError("PublishBatch", "InternalError")


def announced(number: int = 1, message: str | None = None) -> Announcement:
    """Return the announcement of a failed account."""
    data = AccountFailed(
        sync_id="s",
        dag_run_id="r",
        account_id=f"{number:012}",
        contact_type=ContactType.SECURITY,
        detail="unavailable",
        error_message=message,
    )
    return announcement(data, about=str(number), subject=data.account_id, correlation_id="c", time=START)


def big(number: int = 1) -> Announcement:
    """Return one that does not fit into a message."""
    return announced(number, "é" * SIZE_LIMIT)


def publisher(topic: FakeTopic, **parts: Any) -> Publisher:
    """Return a publisher to a fake topic."""
    values = {"claims": FakeClaims(), "metrics": FakeMetrics(), "clock": FakeClock(), "environment": "prod"}
    return Publisher(topic=topic, **{**values, **parts})


def ids(announcements: Sequence[Announcement]) -> list[str]:
    """Return the ids of announcements."""
    return [one.id for one in announcements]


def test_ids() -> None:
    """The ids of changes and runs fit, however long they may be; what does not fit is our error, without the value."""
    data = data_of(AccountFailed)
    assert announcement(data, about="a", subject="s", correlation_id="é" * 512, time=START).correlation_id == "é" * 512
    with pytest.raises(EventInvalidError, match="correlation_id: String should have at most 512") as caught:
        announcement(data, about="a", subject="s", correlation_id="wanda" * 200, time=START)
    assert "wanda" not in str(caught.value)


def test_message() -> None:
    """A message is a CloudEvents 1.0 event, with the attributes that subscriptions filter by."""
    topic, one = FakeTopic(), announced()
    publisher(topic).publish([one])
    (message,) = topic.taken
    body = json.loads(message.body)
    assert {name: body[name] for name in body if name not in ("data", "time")} == {
        "specversion": "1.0",
        "id": one.id,
        "source": "/contactsync/prod",
        "type": "contactsync.account.failed.v1",
        "subject": "000000000001",
        "datacontenttype": "application/json",
        "correlationid": "c",
        "severity": "low",
        "environment": "prod",
    }
    assert message.attributes == {
        "type": body["type"],
        "severity": "low",
        "environment": "prod",
        "correlation_id": "c",
        "timestamp": "2026-01-14T09:00:00.000000Z",
    }
    assert parse_event(message.body).data == one.data


def test_severity_of_a_notice() -> None:
    """A notice has its own severity, which its subscriptions filter by."""
    data = NoticeRequested(notice_id="n", scenario="halted", priority=Severity.HIGH)
    topic = FakeTopic()
    publisher(topic).publish([announcement(data, about="n", subject="s", correlation_id="c", time=START)])
    assert topic.taken[0].attributes["severity"] == "high"


@pytest.mark.parametrize("count", [0, 1, 10, 11, 25])
def test_batches(count: int) -> None:
    """So many announcements go out in batches of ten, in their order."""
    topic = FakeTopic()
    result = publisher(topic).publish([announced(number) for number in range(count)])
    assert ids(result.taken) == [message.id for message in topic.taken]
    assert len(result.taken) == count
    assert topic.calls == -(-count // BATCH_LIMIT)


@given(st.lists(st.integers(0, SIZE_LIMIT - 40), max_size=30))
def test_batch_limits(sizes: list[int]) -> None:
    """No batch is larger than SNS takes, and no message is lost or moved."""
    messages = [Message(str(number), "x" * size, {"t": "v"}) for number, size in enumerate(sizes)]
    packed = list(batches(messages))
    assert [message for batch in packed for message in batch] == messages
    assert all(len(batch) <= BATCH_LIMIT for batch in packed)
    assert all(sum(message.size for message in batch) <= SIZE_LIMIT for batch in packed)


def test_size_counts_bytes_and_attributes() -> None:
    """The size is that of the final bytes: characters of several bytes, and the attributes' names, types and values."""
    assert Message("1", "é", {"type": "x"}).size == 2 + len("type") + len("String") + 1


def test_claim_check() -> None:
    """What does not fit is kept in the bucket, and the event says where; the consumer gets it all."""
    topic, claims = FakeTopic(), FakeClaims()
    publisher(topic, claims=claims).publish([big()])
    (message,) = topic.taken
    event = parse_event(message.body)
    assert event.data is None
    assert message.size < 1000
    assert event.dataref is not None
    assert with_data(event, claims).data == big().data


def test_claim_of_other_content() -> None:
    """An event that is published again with other content keeps both contents: an earlier message stays whole."""
    topic, claims = FakeTopic(), FakeClaims()
    for text in ("é" * SIZE_LIMIT, "è" * SIZE_LIMIT):
        publisher(topic, claims=claims).publish([announced(1, text)])
    found = [with_data(parse_event(message.body), claims).data for message in topic.taken]
    assert [getattr(data, "error_message")[0] for data in found] == ["é", "è"]  # noqa: B009 -- the base class has none


def test_claim_too_large() -> None:
    """What is larger than any claim may be is refused for good, and the others go out."""
    claims = FakeClaims()
    result = publisher(FakeTopic(), claims=claims).publish([announced(1), announced(2, "x" * CLAIM_LIMIT)])
    assert (set(result.refused.values()), len(result.for_good), len(result.taken)) == ({"EventTooLarge"}, 1, 1)
    assert claims.kept == {}


def test_too_large_without_bucket() -> None:
    """Without a bucket such an event is refused, and the others go out."""
    topic = FakeTopic()
    result = publisher(topic, claims=None).publish([announced(1), big(2), announced(3)])
    assert result.refused == {big(2).id: "EventTooLarge"}
    assert ids(result.taken) == [announced(1).id, announced(3).id]


def test_bucket_out_of_reach() -> None:
    """A claim check that cannot be stored keeps only its own event back."""
    claims = FakeClaims(error=ServiceUnavailableError("PutObject", "SlowDown"))
    result = publisher(FakeTopic(), claims=claims).publish([big(1), announced(2)])
    assert result.refused == {big(1).id: "SlowDown"}
    assert len(result.taken) == 1


def test_refused_for_now() -> None:
    """What the topic may take later is sent again, alone, and waited for."""
    topic, clock = FakeTopic(), FakeClock()
    topic.refusals[announced(2).id] = [Refusal(announced(2).id, "InternalError", may_pass=True)]
    result = publisher(topic, clock=clock).publish([announced(1), announced(2)])
    assert not result.refused
    assert [message.id for message in topic.taken] == [announced(1).id, announced(2).id]
    assert (topic.calls, len(clock.slept)) == (2, 1)


def test_refused_for_good() -> None:
    """What is the sender's fault is not sent again."""
    topic = FakeTopic()
    topic.refusals[announced(1).id] = [Refusal(announced(1).id, "InvalidParameter", may_pass=False)]
    result = publisher(topic).publish([announced(1), announced(2)])
    assert result.refused == {announced(1).id: "InvalidParameter"}
    assert result.for_good == {announced(1).id}
    assert topic.calls == 1


LASTING = [
    AccessDeniedError("PublishBatch", "AuthorizationError"),
    ResourceMissingError("PublishBatch", "NotFound"),
    RequestInvalidError("PublishBatch", "InvalidParameter"),
]


@pytest.mark.parametrize("error", LASTING, ids=lambda error: error.code)
def test_refused_until_corrected(error: AwsCallError) -> None:
    """What a permission, a missing topic or an invalid request keeps back is known as such, counted, and tried once."""
    topic, metrics = FakeTopic(errors=[error]), FakeMetrics()
    result = publisher(topic, metrics=metrics).publish([announced(1)])
    assert (result.refused, result.for_good) == ({announced(1).id: error.code}, {announced(1).id})
    assert (topic.calls, metrics.total("EventsRefused")) == (1, 1)


@pytest.mark.parametrize("code", ["InternalError", "Throttled"])
def test_refused_for_now_only(code: str) -> None:
    """What may pass is not told as if it could not."""
    topic, metrics = FakeTopic(errors=[ServiceUnavailableError("PublishBatch", code)]), FakeMetrics()
    result = publisher(topic, metrics=metrics).publish([announced(1), announced(2)])
    assert (len(result.refused), result.for_good) == (2, frozenset())
    assert metrics.total("EventsRefused") == 0


def test_refused_again_and_again() -> None:
    """Sending again is bounded."""
    topic = FakeTopic()
    topic.refusals[announced(1).id] = [Refusal(announced(1).id, "InternalError", may_pass=True)] * 9
    result = publisher(topic).publish([announced(1)])
    assert result.refused == {announced(1).id: "InternalError"}
    assert topic.calls == 3


def test_out_of_reach() -> None:
    """A topic that does not answer is asked once, whatever is left to send."""
    topic = FakeTopic(errors=[DOWN])
    result = publisher(topic).publish([announced(number) for number in range(25)])
    assert topic.calls == 1
    assert set(result.refused.values()) == {"InternalError"}
    assert len(result.refused) == 25


def test_invalid_batch() -> None:
    """The messages of a batch that SNS finds invalid are sent one by one, in their order."""
    topic = FakeTopic(errors=[RequestInvalidError("PublishBatch", "InvalidParameter")])
    result = publisher(topic).publish([announced(number) for number in range(12)])
    assert (len(result.refused), len(result.taken), topic.calls) == (0, 12, 12)
    assert [message.id for message in topic.taken] == ids(result.taken)


def test_invalid_message() -> None:
    """The one message that makes a batch invalid is refused alone."""
    topic = FakeTopic(invalid={announced(3).id})
    result = publisher(topic).publish([announced(number) for number in range(10)])
    assert result.refused == {announced(3).id: "InvalidParameter"}
    assert len(topic.taken) == 9


def test_out_of_reach_one_by_one() -> None:
    """A topic that stops to answer while messages are sent one by one is not asked again."""
    topic = FakeTopic(errors=[RequestInvalidError("PublishBatch", "InvalidParameter"), DOWN])
    result = publisher(topic).publish([announced(number) for number in range(25)])
    assert topic.calls == 2
    assert set(result.refused.values()) == {"InternalError"}
    assert len(result.refused) == 25


TORN = "a\ud800b"
"""Text that JSON's escapes can say and UTF-8 cannot; it stands in Airflow's and AWS's texts that were cut."""


@pytest.mark.parametrize(
    ("kind", "name"),
    [(NoticeRequested, "message"), (ConfigurationChanged, "reason"), (AccountFailed, "error_message")],
)
def test_torn_text(kind: type[EventData], name: str) -> None:
    """Half of a surrogate pair in any text is replaced when the announcement is made, and the event goes out."""
    topic = FakeTopic()
    made = announcement(data_of(kind, **{name: TORN}), about=TORN, subject=TORN, correlation_id=TORN, time=START)
    assert publisher(topic).publish([made]).taken == (made,)
    event = parse_event(topic.taken[0].body)
    assert getattr(event.data, name) == "a\ufffdb"
    assert (event.subject, event.correlationid) == ("a\ufffdb", "a\ufffdb")


@pytest.mark.parametrize("character", ["\ufffe", "\uffff"])
def test_refused_characters(character: str) -> None:
    """What SQS refuses in a message would keep its event in the outbox for ever; it is replaced."""
    topic = FakeTopic()
    data = data_of(ConfigurationChanged, reason=f"a{character}b")
    publisher(topic).publish([announcement(data, about="a", subject="s", correlation_id="c", time=START)])
    assert character not in topic.taken[0].body
    assert "a\ufffdb" in topic.taken[0].body


def torn() -> Announcement:
    """Return an announcement that was not made as it should be."""
    data = data_of(NoticeRequested, message=TORN)
    return Announcement(id="torn", time=START, subject="s", correlation_id="c", data=data)


def test_torn_text_stored() -> None:
    """Half of a surrogate pair that is stored already is replaced when it is read; whole pairs stay."""
    data = parse_announcement(torn().as_json().replace('"c"', '"\\ud83d\\ude00"')).data
    assert isinstance(data, NoticeRequested)
    assert data.message == "a\ufffdb"
    assert parse_announcement(torn().as_json().replace('"c"', '"\\ud83d\\ude00"')).correlation_id == "\U0001f600"


def test_unwritable(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be written as a message is refused alone, and no value of it is logged."""
    result = publisher(FakeTopic()).publish([announced(1), torn(), announced(2)])
    assert result.refused == {"torn": "EventInvalid"}
    assert ids(result.taken) == [announced(1).id, announced(2).id]
    assert "Event torn is not a valid event: it cannot be written (UnicodeEncodeError)" in caplog.text
    assert "position" not in caplog.text


def test_metrics() -> None:
    """What was taken and what was not is counted, and the time measured."""
    topic, metrics = FakeTopic(errors=[AccessDeniedError("PublishBatch", "AuthorizationError")]), FakeMetrics()
    publisher(topic, metrics=metrics).publish([announced(1)])
    publisher(topic, metrics=metrics).publish([announced(2), announced(3)])
    assert metrics.total("EventsNotTaken") == 1
    assert metrics.total("EventsPublished") == 2
    assert all("PublishTime" in values for values in metrics.recorded)
