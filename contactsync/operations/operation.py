"""Sync operations and account outcomes: one attempt to bring the targets to the desired contacts, and what it did."""

import uuid
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Protocol

from contactsync.accounts import Account
from contactsync.contacts import ContactType

SYNC_ID_NAMESPACE: Final = uuid.UUID("0f5a1f0e-6a2c-5a0b-9f43-6f0f6f0c7a11")

_NOTHING: Final[Mapping[str, int]] = {}

UNPLANNED: Final = 0
"""The configuration version of a run that failed before it was planned; real versions count from 1."""

PLAN_ITSELF: Final = 0
"""The try number of outcomes that the plan settles; tries of tasks count from 1."""


def sync_id_of(dag_run_id: str) -> str:
    """Return the operation's id (UUIDv5 of the DAG run id), so that a repeated step works on the same operation."""
    return str(uuid.uuid5(SYNC_ID_NAMESPACE, dag_run_id))


class OperationStatus(StrEnum):
    """How far a sync operation has come."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class OutcomeStatus(StrEnum):
    """What an operation did to one account, in one word; PENDING until a task has settled it."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


class OutcomeDetail(StrEnum):
    """Why an outcome has its status."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    EXCLUDED = "excluded"
    NOT_ACTIVE = "not_active"
    NOT_APPROVED = "not_approved"
    SUPERSEDED = "superseded"
    DRY_RUN = "dry_run"
    """Of a dry run of an earlier version, which did not say what would change."""
    WOULD_UPDATE = "would_update"
    WOULD_DELETE = "would_delete"
    WOULD_NOT_CHANGE = "would_not_change"
    PERMISSION_DENIED = "permission_denied"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    INVALID = "invalid"
    ERROR = "error"
    NO_OUTCOME = "no_outcome"
    PAUSED = "paused"
    HALTED = "halted"
    UNSETTLED = "unsettled"


@dataclass(frozen=True)
class Attempt:
    """One try of the task that settles an account; times are UTC."""

    try_number: int
    """Airflow's number of the try, from 1; PLAN_ITSELF for what the plan settles."""
    started: datetime
    ended: datetime
    status: OutcomeStatus
    detail: OutcomeDetail
    error_code: str | None = None
    written_fields: tuple[str, ...] = ()
    """The names of the fields that this try wrote, also when it failed afterwards."""
    first_try: int = 1
    """The number of the first try since the task was cleared last; Airflow does not start again at 1."""
    generation: int | None = None
    """The generation of the desired contact that the account has since this try.

    If the try failed and may have written, the generation that it tried to write.
    """
    deleted: bool = False
    """Whether that desired contact is a deletion; in older items only the detail says so."""


class FoundAccount(Protocol):
    """What a plan found out about an account."""

    @property
    def account(self) -> Account:
        """The account as the organization lists it."""


OF_LAST_TRY: Final = MappingProxyType({"of_last_try": True})
"""Metadata of the fields of an outcome that are about its last try; the next try starts without them."""


@dataclass(frozen=True)
class AccountOutcome:
    """What one operation did to one contact type of one account; holds no contact value.

    A field whose metadata is OF_LAST_TRY is about the last try only: `settled` keeps all other fields.
    """

    account_id: str
    account_name: str
    contact_type: ContactType
    status: OutcomeStatus = OutcomeStatus.PENDING
    detail: OutcomeDetail | None = field(default=None, metadata=OF_LAST_TRY)
    changed_fields: tuple[str, ...] = field(default=(), metadata=OF_LAST_TRY)
    generation: int | None = field(default=None, metadata=OF_LAST_TRY)
    """The generation of the desired contact that the account has since then."""
    error_code: str | None = field(default=None, metadata=OF_LAST_TRY)
    error_message: str | None = field(default=None, metadata=OF_LAST_TRY)
    attempts: tuple[Attempt, ...] = ()
    timestamp: datetime | None = None
    paused_since: datetime | None = field(default=None, metadata=OF_LAST_TRY)
    """Since when its task has been waiting without using up a try; None when it does not wait."""
    announced: str | None = field(default=None, metadata=OF_LAST_TRY)
    """The id of the event that announced this failure on the bus."""
    written_announced: datetime | None = None
    """The start of the latest try whose writes were announced on the bus."""
    other_form: tuple[str, ...] = field(default=(), metadata=OF_LAST_TRY)
    """The names of the fields that the account has in another form of the desired value; that counts as equal."""
    outside: bool = field(default=False, metadata=OF_LAST_TRY)
    """Whether it is only about an earlier plan of the run; the latest plan does not include this account."""

    @classmethod
    def expected(cls, member: FoundAccount, contact_type: ContactType) -> "AccountOutcome":
        """Return the outcome of an account that a task has yet to settle, with what is stored about the account."""
        account = member.account
        # The name is never empty: an empty one marks what the report stores in place of a lost outcome.
        return cls(account.account_id, account.name or account.account_id, contact_type)

    @property
    def key(self) -> tuple[str, ContactType]:
        """What identifies an outcome within its operation."""
        return self.account_id, self.contact_type

    @property
    def is_substitute(self) -> bool:
        """Whether the report stored it in place of a lost one, so that it is not known what the plan had found."""
        return self.detail is OutcomeDetail.NO_OUTCOME and not (self.attempts or self.account_name)

    def is_ruled_out(self, planned: datetime) -> bool:
        """Return whether the plan made at that time ruled this out, whatever was stored about it afterwards."""
        last = self.attempts[-1] if self.attempts else None
        return self.outside or (last is not None and last.try_number == PLAN_ITSELF and last.started >= planned)

    @property
    def retry_count(self) -> int:
        """Number of tries after the first one since the task was last cleared; a killed try counts too."""
        return max(self.attempts[-1].try_number - self.attempts[-1].first_try, 0) if self.attempts else 0

    @property
    def written_fields(self) -> tuple[str, ...]:
        """The names of the fields that all tries wrote, also when a try failed afterwards."""
        return tuple(sorted({name for attempt in self.attempts for name in attempt.written_fields}))

    def settled(self, attempt: Attempt, **changes: Any) -> "AccountOutcome":  # noqa: ANN401 -- fields of this class
        """Return this outcome after one more attempt, which replaces an earlier record of the same try.

        `changes` are fields of the last try; all other fields stay.
        """
        earlier = tuple(a for a in self.attempts if a.try_number not in {PLAN_ITSELF, attempt.try_number})
        forgotten = {one.name: _default_of(one) for one in fields(self) if one.metadata == OF_LAST_TRY}
        of_this_try = {"detail": attempt.detail, "error_code": attempt.error_code, **changes}
        return replace(
            self,
            status=attempt.status,
            attempts=(*earlier, attempt),
            timestamp=attempt.ended,
            **{**forgotten, **of_this_try},
        )


def _default_of(declared: Field[Any]) -> Any:  # noqa: ANN401 -- whatever the field holds
    return declared.default if declared.default_factory is MISSING else declared.default_factory()


class Verdict(StrEnum):
    """What became of a deletion that needed approval."""

    APPROVED = "approved"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    WITHDRAWN = "withdrawn"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True)
class Decision:
    """Who decided about a deletion, and when; `by` is empty when nobody answered in time."""

    verdict: Verdict
    by: str
    at: datetime


@dataclass(frozen=True)
class Halt:
    """Why an operation stopped for all accounts: one cause, with a sentence that says how to fix it."""

    code: str
    message: str
    at: datetime


@dataclass(frozen=True)
class TypePlan:
    """What an operation has to do for one contact type."""

    generation: int | None
    """The generation that was raised for it, from 1; None in a dry run."""
    absent: bool
    """Whether the management account has no such contact, so that the accounts' contact has to be deleted."""
    approved: bool
    """Whether that deletion may be carried out; True for everything else."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    """In a dry run: fingerprints of the desired fields; its tasks have nothing else to compare with (ADR 3)."""
    needs_approval: bool = False
    """Whether a person has to approve this deletion first."""
    decision: Decision | None = None
    """What was decided, once it was."""
    fingerprint: str | None = None
    """The fingerprint of the planned contact, except in a dry run; the report compares the source with it."""
    expected: int | None = None
    """Number of outcomes that the plan stored for it; None when an earlier version planned it."""


@dataclass(frozen=True)
class SyncOperation:
    """One attempt to bring the targets to the desired contacts; the outcomes of the targets are stored beside it."""

    sync_id: str
    dag_run_id: str
    timestamp: datetime
    initiating_user: str
    source_account: str
    plans: dict[ContactType, TypePlan]
    config_version: int
    """The version of the configuration that it was planned with, from 1; UNPLANNED without a plan."""
    status: OperationStatus
    planned: datetime
    """When the run was planned last; `timestamp` is when it was planned first."""
    dry_run: bool = False
    reason: str | None = None
    event_id: str | None = None
    note: str | None = None
    """A sentence for the report when there is nothing to do."""
    counts: dict[str, int] = field(default_factory=dict)
    """Number of its outcomes by the words of contactsync.operations.counting."""
    would_change: dict[str, int] = field(default_factory=dict)
    """Number of accounts that a dry run would change, by contact type."""
    finished: datetime | None = None
    halt: Halt | None = None
    follow_up: int = 0
    """Its place in a row of follow-ups, from 1; 0 when a change or a person started the run."""
    followed_by: str | None = None
    """The run id of the follow-up that the report started, because the source had changed since the plan."""
    correlation_id: str | None = None
    """What a follow-up shares with the operation that it follows."""
    triggered_by: str | None = None
    """Airflow's user who started the run, beside the principal that changed the contact; None in older items."""
    rules_digest: str | None = None
    """`Configuration.rules_digest` of that version; None when an earlier version of contactsync planned it."""
    ends: int = 0
    """Number of different ends that were stored in a row: an operation ends again after a clear."""
    warnings: tuple[str, ...] = ()
    """Sentences about what the plan found unusual, and did not stop for."""
    unmatched: tuple[str, ...] = ()
    """A sentence for each rule of the configuration that names accounts or tags that nobody has."""

    def ended_as(
        self,
        status: OperationStatus,
        counts: Mapping[str, int],
        would_change: Mapping[str, int] = _NOTHING,
        *,
        at: datetime,
    ) -> "SyncOperation":
        """Return the operation with an end; storing the same end again does not count as another end."""
        another = self.finished is None or (self.status, self.counts) != (status, counts)
        return replace(
            self,
            status=status,
            counts=dict(counts),
            would_change=dict(would_change),
            finished=at,
            ends=self.ends + another,
        )

    @property
    def is_planned(self) -> bool:
        """Whether its plan has stored every outcome; a run whose plan failed ends without any number."""
        return self.status is not OperationStatus.PENDING and not (self.finished and not self.counts)

    @property
    def correlation(self) -> str:
        """The id that connects everything that one contact change, or one person's run, led to."""
        return self.correlation_id or self.event_id or self.dag_run_id

    @property
    def started_by(self) -> str:
        """Who started it, for people: the principal, and Airflow's user if that is somebody else."""
        by_airflow = self.triggered_by if self.triggered_by != self.initiating_user else None
        return f"{self.initiating_user} ({by_airflow})" if by_airflow else self.initiating_user

    @property
    def contact_types(self) -> tuple[ContactType, ...]:
        """The contact types that the operation is about."""
        return tuple(self.plans)
