"""Contacts in another form: what AWS may change when it stores a value is no difference, and no reason to fail."""

import secrets
from dataclasses import dataclass, replace
from typing import Any

import pytest

from contactsync.contacts import AlternateContact, Contact, ContactType, PhoneComparison, changed_fields, other_forms
from contactsync.errors import AccountsFailedError
from contactsync.operations.operation import OutcomeDetail
from contactsync.sync.report import stored_report
from tests.support.builders import KEY, RUN, account, alternate, alternate_values, request
from tests.support.fakes.surroundings import FakeAccountContacts
from tests.support.worlds.world import World

SECURITY = ContactType.SECURITY
ONE = account(1).account_id
PLAIN, PUNCTUATED = "+12065550134", "+1 (206) 555-0134"


@dataclass
class Reforming(FakeAccountContacts):
    """AWS, as it might store some fields in another form than they are given in."""

    forms: tuple[tuple[str, str], ...] = ()

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Store the other form."""
        values = {**contact.values(), **dict(self.forms)}
        super().write(contact_type, account_id, AlternateContact.observed(values))


def world_of(*, forms: dict[str, str] | None = None, held: Contact | None = None, **settings: Any) -> World:
    """Return one account that holds something, in an AWS with forms of its own."""
    world = World.of(1, contact_types=["security"], **settings)
    stored = {**world.contacts.stored}
    if held:
        stored[ONE, SECURITY] = held
    world.contacts = Reforming(stored=stored, forms=tuple((forms or {}).items()))
    return world


def carry(world: World, run: str = RUN) -> OutcomeDetail | None:
    """Plan, settle the account, and return its outcome's detail."""
    world.plan(request(dag_run_id=run))
    return world.sync(ONE, run=run)[0].detail


@pytest.mark.parametrize(
    ("desired", "observed", "same"),
    [
        (PLAIN, PUNCTUATED, True),
        (PLAIN, "+1 206 5550134", True),
        ("206 555 0134", "(206) 555-0134", True),
        (PLAIN, "12065550134", False),
        (PLAIN, "+12065550135", False),
        (PLAIN, "+12065550134 5", False),
    ],
)
def test_phones(desired: str, observed: str, same: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Numbers are the same by their digits and the plus before them, unless they are compared exactly."""
    pair = alternate(PhoneNumber=desired), alternate(PhoneNumber=observed)
    assert (changed_fields(*pair, PhoneComparison.DIGITS) == ()) is same
    assert changed_fields(*pair, PhoneComparison.EXACT) == ("PhoneNumber",)
    assert other_forms(*pair) == (("PhoneNumber",) if same else None)


def test_punctuation_is_no_difference() -> None:
    """An account whose number is only written in another way is left alone in every run; the report says it once."""
    world = world_of(held=alternate(PhoneNumber=PLAIN))
    for run in ("first", "second"):
        assert carry(world, run) is OutcomeDetail.UNCHANGED
    assert world.contacts.changes() == []
    shown = stored_report(world.operation("second"), world.outcomes("second").values(), 1)
    (remark,) = (remark for remark in shown.remarks if "another form" in remark)
    assert "PhoneNumber in 1" in remark
    assert PLAIN not in remark


def test_exact_comparison() -> None:
    """Where it is configured, the number is written in the management account's way."""
    world = world_of(held=alternate(PhoneNumber=PLAIN), phone_comparison="exact")
    assert carry(world) is OutcomeDetail.UPDATED
    assert world.contacts.stored[ONE, SECURITY] == alternate()


@pytest.mark.parametrize("comparison", ["digits", "exact"])
@pytest.mark.parametrize(
    "forms",
    [
        {"PhoneNumber": PLAIN},
        {"EmailAddress": "WANDA.QUILLFEATHER@QUAGGA.EXAMPLE"},
        {"Name": "WANDA  QUILLFEATHER", "PhoneNumber": PLAIN},
    ],
    ids=["phone", "capitals", "several"],
)
def test_aws_changes_the_form(forms: dict[str, str], comparison: str) -> None:
    """A write that AWS stores in another form is seen, and made once: later runs know the form."""
    world = world_of(forms=forms, held=alternate(Title="Before"), phone_comparison=comparison)
    assert carry(world, "first") is OutcomeDetail.UPDATED
    assert world.outcomes("first")[ONE, SECURITY].other_form == tuple(sorted(forms))
    for run in ("second", "third"):
        assert carry(world, run) is OutcomeDetail.UNCHANGED
    assert len(world.contacts.changes()) == 1


def test_form_by_the_former_key() -> None:
    """The form that AWS keeps is still known after the key was changed, and after the former one was removed."""
    world = world_of(forms={"Name": "WANDA QUILLFEATHER"}, held=alternate(Title="Before"))
    assert carry(world, "first") is OutcomeDetail.UPDATED
    new = secrets.token_bytes(32)
    for run, keys in (("second", (new, KEY)), ("third", (new,))):
        replace(world.planner, fingerprint_key=new).plan(request(dag_run_id=run), map_limit=9)
        found, settings = world.account_sync.open(run)
        contact_writer = replace(world.contact_writer, fingerprint_keys=keys)
        account_sync = replace(world.account_sync, contact_writer=contact_writer, fingerprint_keys=keys)
        assert account_sync.sync(found, settings, ONE, 1)[0].detail is OutcomeDetail.UNCHANGED
    assert len(world.contacts.changes()) == 1


def test_drift_in_capitals() -> None:
    """A value that AWS keeps as it was written, and somebody else changed in capitals only, is written again."""
    world = world_of(held=alternate(Title="Before"))
    assert carry(world, "first") is OutcomeDetail.UPDATED
    world.contacts.stored[ONE, SECURITY] = alternate(Name="WANDA QUILLFEATHER")
    assert carry(world, "second") is OutcomeDetail.UPDATED


def test_another_value() -> None:
    """What AWS stores with another value is still not what was written."""
    world = world_of(forms={"PhoneNumber": "+12065550199"}, held=alternate(Title="Before"))
    world.plan()
    with pytest.raises(AccountsFailedError, match="another"):
        world.sync(ONE)


def test_dry_run() -> None:
    """A dry run names no field of which only the form differs."""
    world = world_of(held=alternate(PhoneNumber=PLAIN))
    world.plan(request(dry_run=True))
    assert world.sync(ONE)[0].changed_fields == ()


def test_written_before_the_process_ended() -> None:
    """What a try wrote is told as written, wherever its process ended: here before it could record the outcome."""
    world = world_of(held=alternate(Title="Before"))
    world.plan()
    expected = world.outcomes()
    world.sync(ONE)
    world.state.outcomes = {(world.operation().sync_id, *key): outcome for key, outcome in expected.items()}
    (outcome,) = world.sync(ONE, 2)
    assert (outcome.detail, outcome.changed_fields) == (OutcomeDetail.UPDATED, ("Title",))
    assert outcome.attempts[-1].written_fields == ("Title",)
    assert len(world.contacts.changes()) == 1


def test_written_by_another_run() -> None:
    """What another run wrote is unchanged for this one."""
    world = world_of(held=alternate(Title="Before"))
    assert carry(world, "first") is OutcomeDetail.UPDATED
    assert carry(world, "second") is OutcomeDetail.UNCHANGED
    assert alternate_values()["Title"] == world.contacts.stored[ONE, SECURITY].values()["Title"]
