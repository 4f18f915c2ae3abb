"""Accounts of an organization, and which of them a run may touch."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class AccountState(StrEnum):
    """What AWS Organizations says of an account; UNKNOWN stands for a state that AWS added later."""

    PENDING_ACTIVATION = "PENDING_ACTIVATION"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    PENDING_CLOSURE = "PENDING_CLOSURE"
    CLOSED = "CLOSED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Account:
    """An account of the organization; `account_id` has 12 digits."""

    account_id: str
    name: str
    state: AccountState

    @property
    def label(self) -> str:
        """What people read in tables and in Airflow's grid."""
        return f"{self.name} ({self.account_id})"


@dataclass(frozen=True)
class Scope:
    """The accounts that a run concerns, in the order of the organization's listing.

    `targets` may be touched; `excluded` and `not_active` are only reported. The management account is in none of them.
    """

    targets: tuple[Account, ...] = field(default=())
    excluded: tuple[Account, ...] = field(default=())
    not_active: tuple[Account, ...] = field(default=())


def select(
    accounts: Iterable[Account], *, management_account: str, excluded: Collection[str], wanted: Collection[str]
) -> Scope:
    """Sort the organization's accounts; an empty `wanted` means all. Excluded wins over every other property."""
    concerned = [a for a in accounts if a.account_id != management_account and (not wanted or a.account_id in wanted)]
    allowed = [a for a in concerned if a.account_id not in excluded]
    return Scope(
        targets=tuple(a for a in allowed if a.state is AccountState.ACTIVE),
        excluded=tuple(a for a in concerned if a.account_id in excluded),
        not_active=tuple(a for a in allowed if a.state is not AccountState.ACTIVE),
    )
