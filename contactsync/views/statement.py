"""A statement of state: what every account has now, which contact it must have, and why some are not changed."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from contactsync.accounts import Account, AccountState
from contactsync.contacts import ContactType
from contactsync.operations.account_record import UNKNOWN, AccountRecord
from contactsync.operations.operation import AccountOutcome, OutcomeStatus
from contactsync.scope.rules import Admission
from contactsync.scope.selection import Scope

Key = tuple[str, ContactType]


class Standing(StrEnum):
    """How one contact of an account compares with the desired one."""

    CARRIES = "carries"
    BEHIND = "behind"
    """An earlier desired contact was applied last."""
    UNSETTLED = "unsettled"
    """A write was announced, or accepted, and its result is not known."""
    UNREADABLE = "unreadable"
    """The account's record cannot be read: the log names it."""
    NEVER_SEEN = "never_seen"
    """No run has brought a contact of this type to the account."""
    NOTHING_DESIRED = "nothing_desired"
    """No run has found a contact of this type in the management account."""
    EXCLUDED = "excluded"
    OUTSIDE = "outside"
    """The configuration does not include it."""
    NOT_ACTIVE = "not_active"
    MANAGEMENT = "management_account"


@dataclass(frozen=True)
class StatedContact:
    """One contact type of one account; holds no contact value."""

    account_id: str
    account_name: str
    contact_type: ContactType
    standing: Standing
    generation: int | None = None
    """The generation that was applied last."""
    desired_generation: int | None = None
    """The generation of the desired contact; None when there is none."""
    since: datetime | None = None
    """When the operation of the desired contact settled the account."""
    verified_at: datetime | None = None
    """When a read last showed that the account has it."""
    written_by: str | None = None
    """The sync operation that wrote it; None when the account had it already."""


@dataclass(frozen=True)
class StatementState:
    """What a statement is made from, read at about the same time."""

    accounts: tuple[Account, ...]
    """All accounts of the organization, the management account included."""
    management_account: str
    scope: Scope
    """What the configuration in force says about them."""
    desired: Mapping[ContactType, int | None]
    """The generation of the desired contact of each configured type; None when there is none."""
    records: Mapping[Key, AccountRecord]
    since: Mapping[Key, datetime]
    unreadable: AbstractSet[Key] = frozenset()
    """The keys of records that cannot be read."""

    def contacts(self) -> Iterator[StatedContact]:
        """Yield each account with each configured contact type, in the order of the organization's listing."""
        admissions = {member.account.account_id: member.admissions for member in self.scope.members}
        for account in self.accounts:
            for contact_type in self.desired:
                admission = admissions.get(account.account_id, {}).get(contact_type)
                yield self._stated(account, contact_type, admission)

    def _stated(self, account: Account, contact_type: ContactType, admission: Admission | None) -> StatedContact:
        key = account.account_id, contact_type
        record, desired = self.records.get(key), self.desired[contact_type]
        return StatedContact(
            account.account_id,
            account.name,
            contact_type,
            self._left_alone(account, admission)
            or (Standing.UNREADABLE if key in self.unreadable else _standing(record, desired)),
            generation=record.generation if record else None,
            desired_generation=desired,
            since=self.since.get(key),
            verified_at=record.verified_at if record else None,
            written_by=record.writer if record else None,
        )

    def _left_alone(self, account: Account, admission: Admission | None) -> Standing | None:
        if account.account_id == self.management_account:
            return Standing.MANAGEMENT
        if admission is None:
            return Standing.OUTSIDE
        if admission is Admission.EXCLUDED:
            return Standing.EXCLUDED
        return None if account.state is AccountState.ACTIVE else Standing.NOT_ACTIVE


def _standing(record: AccountRecord | None, desired: int | None) -> Standing:
    if desired is None:
        return Standing.NOTHING_DESIRED
    if record is None:
        return Standing.NEVER_SEEN
    if _is_open(record):
        return Standing.UNSETTLED
    if record.generation is None:
        return Standing.NEVER_SEEN
    return Standing.CARRIES if record.generation == desired else Standing.BEHIND


def _is_open(record: AccountRecord) -> bool:
    """Return whether a write is on its way, may have been carried out, or was accepted and not seen in the account."""
    not_seen = record.generation is not None and record.verified_at is None
    return record.mark is not None or record.fingerprint == UNKNOWN or not_seen


def settled_since(outcomes: Iterable[AccountOutcome], desired: Mapping[ContactType, int | None]) -> dict[Key, datetime]:
    """Return when the accounts' outcomes were settled that brought the desired contacts."""
    return {
        outcome.key: outcome.timestamp
        for outcome in outcomes
        if outcome.timestamp
        and outcome.status is OutcomeStatus.SUCCESS
        and outcome.generation == desired.get(outcome.contact_type)
    }
