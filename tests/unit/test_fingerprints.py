"""Fingerprints: what they tell apart, what they do not show, and which keys are too weak for them."""

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from dataclasses import replace

import pytest

from contactsync.contacts import AlternateContact, Contact, ContactType
from contactsync.fingerprint_keys import key_problem
from contactsync.fingerprints import (
    CONTACT_BITS,
    FIELD_BITS,
    changed_fingerprints,
    field_fingerprints,
    fingerprint,
    is_fingerprint_of,
)
from contactsync.operations.operation import OutcomeDetail
from contactsync.operations.operation import OutcomeStatus as Status
from tests.support.builders import KEY, RUN, alternate, alternate_values, request
from tests.support.worlds.one_account import ONE, record, writes
from tests.support.worlds.world import World

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
ANOTHER = secrets.token_bytes(32)


def earlier(contact: Contact | None, key: bytes = KEY) -> str:
    """Return a fingerprint as records had it before the contact type was part of it."""
    text = json.dumps(contact.values() if contact else None, sort_keys=True, ensure_ascii=False)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def earlier_fields(contact: Contact) -> dict[str, str]:
    """Return the fields' fingerprints as operations had them."""
    return {
        name: hmac.new(KEY, f"{name}={value}".encode(), hashlib.sha256).hexdigest()
        for name, value in contact.values().items()
    }


def test_needs_key() -> None:
    """The same contact has another fingerprint under another key, and the absent contact one of its own."""
    assert fingerprint(SECURITY, alternate(), KEY) != fingerprint(SECURITY, alternate(), ANOTHER)
    assert field_fingerprints(SECURITY, alternate(), KEY).keys() == alternate_values().keys()
    assert fingerprint(SECURITY, None, KEY) != fingerprint(SECURITY, AlternateContact.observed({}), KEY)


def test_type_matters() -> None:
    """The same person as two contacts has nothing in common, neither whole nor in any field."""
    assert fingerprint(SECURITY, alternate(), KEY) != fingerprint(BILLING, alternate(), KEY)
    assert fingerprint(SECURITY, None, KEY) != fingerprint(BILLING, None, KEY)
    one, other = (field_fingerprints(kind, alternate(), KEY) for kind in (SECURITY, BILLING))
    assert not set(one.values()) & set(other.values())


def test_field_matters() -> None:
    """The same text in two fields has two fingerprints."""
    found = field_fingerprints(SECURITY, alternate(Name="Wanda", Title="Wanda"), KEY)
    assert found["Name"] != found["Title"]


def test_short() -> None:
    """Fingerprints are no longer than they have to be."""
    assert len(fingerprint(SECURITY, alternate(), KEY)) == CONTACT_BITS // 4
    assert {len(one) for one in field_fingerprints(SECURITY, alternate(), KEY).values()} == {FIELD_BITS // 4}


def test_earlier_form() -> None:
    """A fingerprint in the earlier form is recognized, whole and by field, and only as that contact's."""
    other = alternate(Name="Somebody Else")
    assert is_fingerprint_of(earlier(alternate()), SECURITY, alternate(), [KEY])
    assert is_fingerprint_of(earlier(None), SECURITY, None, [KEY])
    assert not is_fingerprint_of(earlier(alternate()), SECURITY, other, [KEY])
    assert not is_fingerprint_of(earlier(alternate()), SECURITY, alternate(), [ANOTHER])
    assert not is_fingerprint_of("unknown", SECURITY, alternate(), [KEY])
    assert changed_fingerprints(earlier_fields(alternate()), SECURITY, alternate(), [KEY]) == ()
    assert changed_fingerprints(earlier_fields(alternate()), SECURITY, other, [KEY]) == ("Name",)


def planned_on(stored: str) -> World:
    """Return a world whose account has the right contact, and a record with a stored fingerprint."""
    world = World.of(1, contact_types=["security"])
    world.contacts.stored[ONE, SECURITY] = alternate()
    world.plan()
    world.records.replace(record(world), fingerprint=stored)
    world.contacts.calls.clear()
    return world


@pytest.mark.parametrize("stored", [earlier(alternate()), fingerprint(SECURITY, alternate(), KEY)])
def test_record_is_renewed(stored: str) -> None:
    """A record with either form costs no write to its account, and has today's form afterwards."""
    world = planned_on(stored)
    world.sync(ONE)
    assert writes(world) == []
    assert record(world).fingerprint == fingerprint(SECURITY, alternate(), KEY)


@pytest.mark.parametrize("make", [earlier, lambda contact, key: fingerprint(SECURITY, contact, key)])
@pytest.mark.parametrize(("former", "written"), [((ANOTHER,), []), ((), ["write"])])
def test_former_key(make, former: tuple[bytes, ...], written: list[str]) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 -- two functions of one shape
    """After the key has changed no account is written once more, provided that the former key is known."""
    world = planned_on(make(alternate(), ANOTHER))
    found, settings = world.account_sync.open(RUN)
    account_sync = replace(
        world.account_sync, contact_writer=replace(world.contact_writer, fingerprint_keys=(KEY, *former))
    )
    account_sync.sync(found, settings, ONE, 1, first_try=1)
    assert writes(world) == written
    assert record(world).fingerprint == fingerprint(SECURITY, alternate(), KEY)


@pytest.mark.parametrize("title", ["Head of Security", "Deputy"])
@pytest.mark.parametrize("other", [{}, {"Name": "Other"}], ids=["same", "other"])
def test_fields_by_either_key(title: str, other: dict[str, str]) -> None:
    """Fields are compared by the key that they were made with, whichever of the known ones that is."""
    found = field_fingerprints(SECURITY, alternate(), ANOTHER)
    changed = changed_fingerprints(found, SECURITY, alternate(Title=title, **other), [KEY, ANOTHER])
    assert changed == (*other, *(["Title"] if title == "Deputy" else []))
    assert changed_fingerprints(found, SECURITY, None, [KEY, ANOTHER]) == tuple(sorted(alternate_values()))
    assert changed_fingerprints({}, SECURITY, alternate(), [KEY, ANOTHER]) == tuple(sorted(alternate_values()))


@pytest.mark.parametrize(("former", "detail"), [((ANOTHER,), "would_not_change"), ((), "would_update")])
def test_dry_run_across_keys(former: tuple[bytes, ...], detail: str) -> None:
    """A dry run that was planned with the former key finds no difference where there is none."""
    world = World.of(1, contact_types=["security"])
    world.contacts.stored[ONE, SECURITY] = alternate()
    replace(world.planner, fingerprint_key=ANOTHER).plan(request(dry_run=True), map_limit=9)
    found, settings = world.account_sync.open(RUN)
    account_sync = replace(world.account_sync, fingerprint_keys=(KEY, *former))
    assert account_sync.sync(found, settings, ONE, 1)[0].detail == detail


@pytest.mark.parametrize(("former", "follows"), [((ANOTHER,), False), ((), True)])
@pytest.mark.parametrize("policy", ["approve", "ignore"])
def test_second_look_across_keys(former: tuple[bytes, ...], policy: str, follows: bool) -> None:  # noqa: FBT001 -- a column of the table
    """A run that was planned with the former key is followed by none when its source is what it was."""
    world = World.of(1, contact_types=["security"], deletion={"policy": policy})
    world.contacts.stored[None, SECURITY] = None  # type: ignore[assignment] # as the fake answers it
    replace(world.planner, fingerprint_key=ANOTHER).plan(request(), map_limit=9)
    world.state.deletions.clear()
    second_look = replace(world.second_look, fingerprint_keys=(KEY, *former))
    report = replace(world.reporter, second_look=second_look).report(RUN, {}, has_plan=True)
    assert (report.follow_up is not None) is follows


def test_stored_where_needed() -> None:
    """A dry run keeps the fields' fingerprints, any other run the whole contact's alone."""
    world = World.of(1, contact_types=["security"])
    world.plan(request(dry_run=True))
    plan = world.operation().plans[SECURITY]
    assert (plan.fingerprint, set(plan.fingerprints)) == (None, set(alternate().values()))
    world.plan(request(dag_run_id="another"))
    plan = world.operation("another").plans[SECURITY]
    assert (plan.fingerprint, plan.fingerprints) == (fingerprint(SECURITY, alternate(), KEY), {})


def test_dry_run_across_versions() -> None:
    """A dry run that an earlier version planned is compared in that version's form."""
    world = World.of(1, contact_types=["security"])
    world.contacts.stored[ONE, SECURITY] = alternate(Title="Deputy")
    world.plan(request(dry_run=True))
    operation = world.operation()
    plan = replace(operation.plans[SECURITY], fingerprints=earlier_fields(alternate()))
    world.operations.update(replace(operation, plans={SECURITY: plan}))
    world.sync(ONE)
    outcome = world.outcomes()[ONE, SECURITY]
    assert (outcome.status, outcome.changed_fields) == (Status.SKIPPED, ("Title",))
    assert outcome.detail is OutcomeDetail.WOULD_UPDATE


@pytest.mark.parametrize(("title", "follows"), [("Head of Security", False), ("Deputy", True)])
def test_report_across_versions(title: str, follows: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    """The report of an operation that an earlier version planned sees whether the source has moved."""
    world = World.of(1, contact_types=["security"], deletion={"policy": "ignore"})
    world.plan()
    operation = world.operation()
    plan = replace(operation.plans[SECURITY], fingerprint=None, fingerprints=earlier_fields(alternate()))
    world.operations.update(replace(operation, plans={SECURITY: plan}))
    world.state.desired.clear()
    world.contacts.stored[None, SECURITY] = alternate(Title=title)
    report = world.reporter.report(RUN, {}, has_plan=True)
    assert (report.follow_up is not None) is follows


@pytest.mark.parametrize(
    "key",
    [
        "Kq9",
        "changeme",
        "x" * 31,
        "9f86d081884c7d659a2feaa0c55ad0",
        " " * 20 + "k3Jw9" + " " * 20,
        "x" * 64,
        "ab" * 40,
        "0123456789" * 4,
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "zyxwvutsrqponmlkjihgfedcba9876543210",
        "qwertyuiopasdfghjklzxcvbnm123456",
        "changeme" * 5,
        "Changeme-changeme-CHANGEME-changeme1",
        "passwordPasswordpasswordPassword123!",
        "secretsecretchangemechangeme1234",
        "my-secret-fingerprint-key-for-production",
        "contactsync-prod-fingerprint-key-2026",
        '{"fingerprint_key": "changeme123456"}',
        "deadbeef" * 8,
        "00000000-0000-0000-0000-000000000000",
        "111122223333" * 3,
        "the quick brown fox jumps over the lazy dog",
        "correct horse battery staple correct horse",
        "13579acegikmoqsuwyACEGIKMOQSUWY24",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.",
        "!QAZ@WSX#EDC$RFV%TGB^YHN&UJM*IK<",
        "zaq1xsw2cde3vfr4bgt5nhy6mju7ki8,",
        "mnbvcxzlkjhgfdsapoiuytrewq098765",
        "p4ssw0rdp4$$w0rdS3cr3tK3yF0rC0nt4ctSync!!",
        "Th1s1sMyS3cr3tK3yF0rF1ng3rpr1nts",
        "ourveryownlittleplatformteamsharedvalue2026",
        "unserganzgeheimerschluesselfuerkontakte",
        "MondayTuesdayWednesdayThursdayFriday",
        "drowssapterceSyektnirpregnifcnystcatnoc",
        "k e y k e y s e c r e t p a s s w o r d",
        "31415926535897932384626433832795028841971",
        "2026-01-01T00:00:00Z/2026-12-31T23:59:59Z",
        "aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpP",
        "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "123e4567-e89b-12d3-a456-426614174000",
        "arn:aws:iam::123456789012:role/contactsync",
        "<put-a-random-32-byte-value-here>",
        "{{resolve:secretsmanager:contactsync}}",
        "${CONTACTSYNC_FINGERPRINT_KEY_VALUE}",
        hashlib.sha256(b"").hexdigest(),
        hashlib.md5(b"password", usedforsecurity=False).hexdigest(),
        base64.b64encode(hashlib.sha256(b"secret").digest()).decode(),
        base64.b64encode(b"this is my secret fingerprint key ok").decode(),
        base64.urlsafe_b64encode(b"ein geheimer Schluessel fuer Kontakte").decode(),
        b"this is my secret fingerprint key".hex(),
        base64.b64encode(bytes(range(32))).decode(),
        bytes(range(32)).hex(),
    ],
)
def test_weak_key(key: str) -> None:
    """A key that is short, or of words, runs and repetitions in any writing, is refused with the way to make one."""
    problem = key_problem(key)
    assert problem is not None
    assert "openssl rand -base64 32" in problem
    assert key.strip() not in problem


def test_strong_key() -> None:
    """What a random generator makes of 16 bytes and more is taken, whatever the notation."""
    for _ in range(150):
        whole = secrets.token_bytes(32)
        for key in (
            base64.b64encode(whole).decode(),
            base64.b64encode(whole.hex().encode()).decode(),
            whole.hex(),
            whole[:16].hex(),
            secrets.token_urlsafe(24),
            str(uuid.uuid4()),
        ):
            assert key_problem(key) is None
