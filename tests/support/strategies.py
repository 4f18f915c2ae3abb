"""Hypothesis strategies: contacts, accounts, configurations, outcomes, operations, and JSON of any kind."""

import string
from datetime import UTC
from typing import Any

from hypothesis import strategies as st

from contactsync.accounts import Account, AccountState
from contactsync.bus.values import EARLIEST, LATEST
from contactsync.contacts import (
    STATE_REQUIRED_COUNTRIES,
    AlternateContact,
    Contact,
    ContactType,
    PrimaryContact,
    contact_class,
)
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    Decision,
    Halt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
    Verdict,
    sync_id_of,
)
from tests.support.builders import MANAGEMENT_ACCOUNT

contact_types = st.sampled_from(ContactType)
account_ids = st.integers(200_000_000_000, 999_999_999_999).map(str)
moments = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.just(UTC)).filter(
    lambda moment: moment < LATEST
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(), parts, max_size=4),
    max_leaves=12,
)


def texts(limit: int) -> st.SearchStrategy[str]:
    """Give normalised text of 1 to `limit` characters."""
    written = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=limit)
    return written.map(str.strip).filter(bool)


emails = st.builds(
    "{}@{}.{}".format,
    st.text(string.ascii_letters + string.digits + "_+=.#|!&-", min_size=1, max_size=30),
    st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=30),
    st.text(string.ascii_letters, min_size=2, max_size=6),
)
alternate_phones = st.text("0123456789 ()+-", min_size=1, max_size=25).map(str.strip).filter(bool)
primary_phones = (
    st.text("0123456789 ()-", min_size=1, max_size=19)
    .map(lambda text: f"+{text}".strip())
    .filter(lambda text: len(text) > 1)
)
countries = st.one_of(
    st.sampled_from(sorted(STATE_REQUIRED_COUNTRIES)),
    st.text(string.ascii_uppercase, min_size=2, max_size=2),
)


@st.composite
def primary_contacts(draw: st.DrawFn) -> PrimaryContact:
    """Give valid primary contacts."""
    country = draw(countries)
    state = texts(50) if country in STATE_REQUIRED_COUNTRIES else st.none() | texts(50)
    return PrimaryContact.model_validate(
        {
            "FullName": draw(texts(50)),
            "AddressLine1": draw(texts(60)),
            "AddressLine2": draw(st.none() | texts(60)),
            "AddressLine3": draw(st.none() | texts(60)),
            "City": draw(texts(50)),
            "StateOrRegion": draw(state),
            "DistrictOrCounty": draw(st.none() | texts(50)),
            "PostalCode": draw(texts(20)),
            "CountryCode": country,
            "PhoneNumber": draw(primary_phones),
            "CompanyName": draw(st.none() | texts(50)),
            "WebsiteUrl": draw(st.none() | texts(256)),
        }
    )


@st.composite
def alternate_contacts(draw: st.DrawFn) -> AlternateContact:
    """Give valid alternate contacts."""
    return AlternateContact.model_validate(
        {
            "Name": draw(texts(64)),
            "Title": draw(texts(50)),
            "EmailAddress": draw(emails),
            "PhoneNumber": draw(alternate_phones),
        }
    )


def contacts(contact_type: ContactType) -> st.SearchStrategy[Contact]:
    """Give valid contacts of a type."""
    return primary_contacts() if contact_type is ContactType.PRIMARY else alternate_contacts()


def observed_contacts(contact_type: ContactType) -> st.SearchStrategy[Contact]:
    """Give contacts as accounts may have them, older than today's limits: any field, any text."""
    kind = contact_class(contact_type)
    names = [str(info.alias) for info in kind.model_fields.values()]
    values = st.dictionaries(st.sampled_from(names), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
    return values.map(kind.observed)


def accounts(max_size: int = 12, *, min_size: int = 0) -> st.SearchStrategy[list[Account]]:
    """Give the management account and so many members in any state, in any order."""
    member = st.builds(Account, account_ids, st.text(max_size=20), st.sampled_from(AccountState))
    management = Account(MANAGEMENT_ACCOUNT, "management", AccountState.ACTIVE)
    found = st.lists(member, min_size=min_size, max_size=max_size, unique_by=lambda account: account.account_id)
    return found.map(lambda listed: [management, *listed]).flatmap(st.permutations).map(list)


attempts = st.builds(
    Attempt,
    st.integers(0, 30),
    moments,
    moments,
    st.sampled_from(OutcomeStatus),
    st.sampled_from(OutcomeDetail),
    st.none() | st.sampled_from(["AccessDeniedException", "TooManyRequestsException", "WriteNotSeen"]),
)
outcomes = st.builds(
    AccountOutcome,
    account_ids,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    contact_types,
    st.sampled_from(OutcomeStatus),
    st.none() | st.sampled_from(OutcomeDetail),
    st.lists(st.sampled_from(["Name", "Title", "EmailAddress", "PhoneNumber"]), unique=True).map(tuple),
    st.none() | st.integers(1, 10**9),
    st.none() | st.just("AccessDeniedException"),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    st.lists(attempts, max_size=3).map(tuple),
    st.none() | moments,
    st.none() | moments,
    other_form=st.sampled_from([(), ("PhoneNumber",), ("Name", "PhoneNumber")]),
    outside=st.booleans(),
)
decisions = st.builds(Decision, st.sampled_from(Verdict), st.sampled_from(["", "admin"]), moments)
halts = st.builds(Halt, st.just("TrustedAccessOff"), texts(50), moments)
type_plans = st.builds(
    TypePlan,
    st.none() | st.integers(1, 10**9),
    st.booleans(),
    st.booleans(),
    st.dictionaries(st.sampled_from(["Name", "Title"]), st.text("0123456789abcdef", min_size=64, max_size=64)),
    st.booleans(),
    st.none() | decisions,
    expected=st.none() | st.integers(0, 10_000),
)
run_ids = st.text(string.ascii_letters + string.digits + "-_:+.", min_size=1, max_size=60)


@st.composite
def operations(draw: st.DrawFn) -> SyncOperation:
    """Give operations, in the order of contact types that a plan keeps."""
    run = draw(run_ids)
    plans = draw(st.dictionaries(contact_types, type_plans))
    return SyncOperation(
        sync_id=sync_id_of(run),
        dag_run_id=run,
        timestamp=draw(moments),
        planned=draw(moments),
        initiating_user=draw(run_ids),
        triggered_by=draw(st.none() | run_ids),
        source_account=draw(account_ids),
        plans={kind: plans[kind] for kind in ContactType if kind in plans},
        config_version=draw(st.integers(1, 10**6)),
        status=draw(st.sampled_from(OperationStatus)),
        dry_run=draw(st.booleans()),
        reason=draw(st.none() | texts(40)),
        event_id=draw(st.none() | run_ids),
        note=draw(st.none() | texts(40)),
        counts=draw(st.dictionaries(st.sampled_from([str(s) for s in OutcomeStatus]), st.integers(0, 10**5))),
        finished=draw(st.none() | moments),
        halt=draw(st.none() | halts),
        follow_up=draw(st.integers(0, 3)),
        followed_by=draw(st.none() | run_ids),
        ends=draw(st.integers(0, 5)),
    )
