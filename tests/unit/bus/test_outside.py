"""Events of other systems: only what is allowed, cleaned, and the same event when it is sent again."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactsync.bus.events import ExternalEventReported, Severity
from contactsync.bus.outside import announced_outside, cleaned
from contactsync.errors import EventInvalidError
from tests.support.fakes.surroundings import START

ARN = "arn:aws:iam::111122223333:role/ticketing"
LEAST = {"system": "ticketing", "kind": "ticket.opened", "title": "A ticket"}


def made(**changes: Any) -> ExternalEventReported:
    """Return what becomes of an event."""
    data = announced_outside({**LEAST, **changes}, reported_by=ARN, now=START).data
    assert isinstance(data, ExternalEventReported)
    return data


def test_least() -> None:
    """Three fields are enough; who reported it is what IAM says, and nobody is told unless it says so."""
    found = made()
    assert (found.system, found.kind, found.title, found.details) == ("ticketing", "ticket.opened", "A ticket", {})
    assert (found.reported_by, found.priority) == (ARN, Severity.INFO)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("line\none\ttwo\x00", "line one two"),
        ("ask wanda.quill@quagga.example now", "ask *** now"),
        ("<wanda@quagga.example>", "<***>"),
        ("call +1 (206) 555-0134 today", "call *** today"),
        ("call 020 7946 0958", "call ***"),
        ("account 111122223333", "account 111122223333"),
        ("run of 2026-11-21", "run of 2026-11-21"),
        ("on 10/12/14", "on 10/12/14"),
        ("\u202eevil", "evil"),
        ("5 of 12 accounts", "5 of 12 accounts"),
        ("wanda\uff20quagga.example", "***"),
        ("wanda\ufe6bquagga.example", "***"),
        ("wanda\u200b@quagga.example", "***"),
        ("wa\u00adnda@quagga.example", "***"),
        ("wanda%40quagga.example", "***"),
        ("206\u2011555\u20110134", "***"),
        ("+1\u2013206\u2013555\u20130134", "***"),
        ("+1\u00b7206\u00b7555\u00b70134", "***"),
        ("+1 206 \u2022 555 0134", "***"),
        ("\uff0b\uff11 \uff12\uff10\uff16 \uff15\uff15\uff15 \uff10\uff11\uff13\uff14", "***"),
        ("+1-206-555-0134x12", "***"),
        ("+1-206-555-0134 ext. 12", "***"),
        ("Gr\u00f6\u00dfe, \u7533\u8acb", "Gr\u00f6\u00dfe, \u7533\u8acb"),
    ],
)
def test_cleaned(text: str, clean: str) -> None:
    """Control characters go, contact values are masked, account ids stay."""
    assert cleaned(text) == clean


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"type": "contactsync.sync_operation.completed.v1"}, "type"),
        ({"reported_by": "arn:aws:iam::1:root"}, "reported_by"),
        ({"system": "Ticketing"}, "system"),
        ({"title": ""}, "title"),
        ({"title": "x" * 257}, "title"),
        ({"severity": "catastrophic"}, "severity"),
        ({"details": {"a": 1}}, "details"),
        ({"details": {"a": "x" * 1025}}, "details"),
        ({"details": dict.fromkeys((f"k{n}" for n in range(21)), "")}, "details"),
        ({"details": {"Bad Name": ""}}, "details"),
        ({"id": "with space"}, "id"),
        ({"system": "a\n"}, "system"),
        ({"title": 1}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"details": [["a", "b"]]}, "details"),
        ({"details": {"a": None}}, "details"),
        ({"severity": 1}, "severity"),
    ],
)
def test_refused(changes: dict[str, Any], problem: str) -> None:
    """What is not allowed is refused with the field's name, and without its value."""
    with pytest.raises(EventInvalidError) as caught:
        made(**changes)
    assert any(found.startswith(problem) for found in caught.value.problems)
    assert "catastrophic" not in str(caught.value)


STRANGE = "wanda@quagga.example"


@pytest.mark.parametrize("changes", [{STRANGE: 1}, {"details": {STRANGE: "x"}}, {"details": {STRANGE: 1}}])
def test_strange_keys(changes: dict[str, Any]) -> None:
    """A key that is no field of ours is not repeated: it may be somebody's address."""
    with pytest.raises(EventInvalidError) as caught:
        made(**changes)
    assert any("***" in problem for problem in caught.value.problems)
    assert "wanda" not in f"{caught.value} {caught.value.problems}"


def test_many_problems() -> None:
    """Of many problems the sender learns the first, and how many more there are."""
    with pytest.raises(EventInvalidError) as caught:
        made(**{f"k{number}": 1 for number in range(30)})
    assert caught.value.problems[20:] == ["and 10 more"]


def test_same_event() -> None:
    """With an id of its own an event that is sent again is the same event; without, each is another."""
    first, again = (announced_outside({**LEAST, "id": "T-1"}, reported_by=ARN, now=START) for _ in range(2))
    assert (first.id, first.correlation_id) == (again.id, again.correlation_id)
    other = announced_outside({**LEAST, "id": "T-1", "system": "paging"}, reported_by=ARN, now=START)
    assert other.id != first.id
    stranger = announced_outside({**LEAST, "id": "T-1"}, reported_by=f"{ARN}2", now=START)
    assert stranger.id != first.id


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Another"},
        {"severity": "high"},
        {"details": {"a": "b"}},
        {"kind": "ticket.closed"},
        {"correlation_id": "another"},
    ],
)
def test_same_id_other_content(changes: dict[str, Any]) -> None:
    """Another content under the same id is another event, so that the ids in each answer are found."""
    given = {**LEAST, "id": "T-1"}
    first, other = (announced_outside(body, reported_by=ARN, now=START) for body in (given, {**given, **changes}))
    assert other.id != first.id
    assert (other.correlation_id == first.correlation_id) == ("correlation_id" not in changes)


def test_same_content_in_another_order() -> None:
    """The order of keys, and what cleaning takes away, makes no other event."""
    one = {**LEAST, "id": "T-1", "title": "Ask a@quagga.example", "details": {"a": "1", "b": "2"}}
    other = {"id": "T-1", "details": {"b": "2", "a": "1"}, "severity": "info", **LEAST, "title": "Ask b@quagga.example"}
    first, second = (announced_outside(body, reported_by=ARN, now=START) for body in (one, other))
    assert (first.id, first.correlation_id) == (second.id, second.correlation_id)


def test_correlation_of_systems() -> None:
    """Two systems that number alike are not tied to each other."""
    made = [announced_outside({**LEAST, "system": s, "id": "1"}, reported_by=ARN, now=START) for s in ("a", "b")]
    assert made[0].correlation_id != made[1].correlation_id


RUN_IDS = st.text(alphabet="abcXYZ019_.~:+-", min_size=1, max_size=250)


@given(RUN_IDS)
def test_run_ids(run_id: str) -> None:
    """Property: whatever Airflow takes for a run's id is taken for a correlation id and an id, as it is."""
    made = announced_outside({**LEAST, "correlation_id": run_id, "id": run_id}, reported_by=ARN, now=START)
    assert made.correlation_id == run_id


@pytest.mark.parametrize(
    "found",
    [
        "manual__2026-11-21T10:00:00+00:00",
        "scheduled__2026-11-21T10:00:00.123456+05:30_Ab12~x",
        "asset_triggered__2026-11-21T10:00:00+00:00_aB3",
        "arn:aws:states:us-east-1:111122223333:execution:machine/name",
        "5f0d5c0e-3a51-4b0e-9d3e-7c1a2b3c4d01",
    ],
)
def test_ids_of_others(found: str) -> None:
    """Ids that others choose are taken as they are."""
    made = announced_outside({**LEAST, "correlation_id": found, "id": found}, reported_by=ARN, now=START)
    assert made.correlation_id == found


@pytest.mark.parametrize("name", ["correlation_id", "id"])
@pytest.mark.parametrize(
    "value", ["", "x" * 251, "a b", "a\n", "a\x00", "w@quagga.example", "\ud800", "é", 1, 1.5, True, []]
)
def test_impossible_ids(name: str, value: object) -> None:
    """What nobody uses as an id, or could be an address, is refused by the field's name."""
    with pytest.raises(EventInvalidError, match=name):
        announced_outside({**LEAST, name: value}, reported_by=ARN, now=START)


def test_sessions() -> None:
    """Sessions of a role are one caller, and a session that is named after a person's address does not say so."""
    role = "arn:aws:sts::111122223333:assumed-role/ticketing"
    named = (f"{role}/i-0abc", f"{role}/wanda.quill@quagga.example")
    found = [announced_outside({**LEAST, "id": "T-1"}, reported_by=arn, now=START) for arn in named]
    assert found[0].id == found[1].id
    reported = [one.data.reported_by for one in found if isinstance(one.data, ExternalEventReported)]
    assert reported == [f"{role}/i-0abc", f"{role}/***"]


@pytest.mark.parametrize(
    "kind", ["iam::111122223333:user/", "sts::111122223333:federated-user/", "iam::111122223333:user/a/"]
)
def test_users(kind: str) -> None:
    """Nor does the ARN of a user that is named so."""
    arn = f"arn:aws:{kind}wanda.quill@quagga.example"
    data = announced_outside(LEAST, reported_by=arn, now=START).data
    assert isinstance(data, ExternalEventReported)
    assert data.reported_by == f"arn:aws:{kind}***"


def test_without_id() -> None:
    """Without an id of its own each event is another one."""
    without = {announced_outside(LEAST, reported_by=ARN, now=START).id for _ in range(3)}
    assert len(without) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(max_examples=200)
@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys((*LEAST, "details", "severity", "id"), JSON)))
def test_never_anything_else(data: object) -> None:
    """Whatever is sent is an event, or is refused with problems."""
    with suppress(EventInvalidError):
        announced = announced_outside(data, reported_by=ARN, now=START)
        assert announced.data.event_type == "contactsync.external_event.reported.v1"


@settings(max_examples=200)
@given(st.text())
def test_cleaned_stays(text: str) -> None:
    """Clean text is one printable line, and stays as it is when it is cleaned again."""
    once = cleaned(text)
    assert cleaned(once) == once
    assert once.isprintable()
