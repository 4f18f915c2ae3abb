"""What contactsync announces: one model per event type and version; none holds a contact value.

A change that takes a field away or changes its meaning is a new version, beside the old one. A field may be added
within a version: consumers ignore what they do not know.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from contactsync.bus.values import Count, Flag, Moment
from contactsync.contacts import ContactType

AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$", json_schema_extra={"maxLength": 12})]
"""The length is for readers of the schema whose `$` also matches before a last line feed."""
TEXT_LENGTH: Final = 2048
ACCOUNTS_AT_MOST: Final = 90
"""Accounts in one event: their marks and the event make one transaction, of 100 items at most."""
Text = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH)]

IDS: Final = frozenset(
    {
        "account_id", "changed_by", "code", "config_key", "dag_id", "dag_run_id", "detail", "error_code", "followed_by",
        "initiating_user", "kind", "notice_id", "reported_by", "scenario", "sync_id", "system",
    }
)  # fmt: skip
"""The fields of data that name something: they hold no control character. Sentences may hold line ends."""


class Severity(StrEnum):
    """How urgent an event is to people; the configuration calls it priority."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"
    """Nobody is told."""


class EventData(BaseModel):
    """What an event says; the envelope around it is the same for all."""

    model_config = ConfigDict(frozen=True)

    event_type: ClassVar[str]
    severity: ClassVar[Severity] = Severity.INFO


class SyncOperationData(EventData):
    """What every event about a sync operation says."""

    sync_id: Text
    dag_run_id: Text
    contact_types: tuple[ContactType, ...]
    source_account: AccountId
    config_version: Count
    dry_run: Flag = False


class SyncOperationStarted(SyncOperationData):
    """A sync operation was planned; its accounts follow."""

    event_type: ClassVar[str] = "contactsync.sync_operation.started.v1"

    initiating_user: Text
    triggered_by: Text | None = None
    planned: Moment


class SyncOperationEnded(SyncOperationData):
    """What is known at the end of a sync operation."""

    started: Moment
    finished: Moment
    counts: dict[str, Count]
    """Outcomes, that is accounts times contact types, by status."""
    followed_by: str | None = None
    """The run that follows up, because the source was another one by then."""


class SyncOperationCompleted(SyncOperationEnded):
    """A sync operation ended with fewer failures than the configuration's threshold."""

    event_type: ClassVar[str] = "contactsync.sync_operation.completed.v1"


class SyncOperationFailed(SyncOperationEnded):
    """A sync operation ended with as many failures as the configuration's threshold, or could not run."""

    event_type: ClassVar[str] = "contactsync.sync_operation.failed.v1"
    severity: ClassVar[Severity] = Severity.MEDIUM

    note: str | None = None


class SyncOperationHalted(SyncOperationEnded):
    """A sync operation stopped for one cause that concerns every account."""

    event_type: ClassVar[str] = "contactsync.sync_operation.halted.v1"
    severity: ClassVar[Severity] = Severity.HIGH

    code: Text
    message: Text


class AccountFailed(EventData):
    """One contact type of one account ended as failed, or AWS denied the permission; the last word of its operation.

    A later try, after somebody cleared the task, can end otherwise.
    """

    event_type: ClassVar[str] = "contactsync.account.failed.v1"
    severity: ClassVar[Severity] = Severity.LOW

    sync_id: Text
    dag_run_id: Text
    account_id: AccountId
    contact_type: ContactType
    detail: Text
    error_code: str | None = None
    error_message: str | None = None
    retry_count: Count = 0
    written_fields: tuple[str, ...] = ()
    """The names of the fields that the operation wrote, or may have written, before it failed."""


class AccountsWritten(EventData):
    """One contact type of some accounts was written, with the same fields and from the same desired contact.

    A write that was found done by a later try counts too. The same write is in one event only, however often the
    operation is reported.
    """

    event_type: ClassVar[str] = "contactsync.accounts.written.v1"

    sync_id: Text
    dag_run_id: Text
    contact_type: ContactType
    detail: Literal["updated", "deleted"]
    generation: Count | None = None
    """Which desired contact the accounts were brought to; it counts up per contact type."""
    written_fields: tuple[str, ...]
    """The names of the fields, no values."""
    account_ids: Annotated[tuple[AccountId, ...], Field(min_length=1, max_length=ACCOUNTS_AT_MOST)]
    """Larger operations have several events."""
    first_settled: Moment
    last_settled: Moment
    """When the tasks of the first and of the last of these accounts had recorded what they did."""


class ConfigurationChanged(EventData):
    """A version of the configuration was stored; it counts for operations planned from now on."""

    event_type: ClassVar[str] = "contactsync.configuration.changed.v1"

    config_key: Text
    version: Annotated[Count, Field(ge=1)]
    changed_by: Text
    reason: str | None = None
    changed_keys: tuple[str, ...] = ()
    """The names of the top-level keys that differ from the version before; no values."""


class NoticeRequested(EventData):
    """People are to be told something; the subscriber for notices renders and delivers it."""

    event_type: ClassVar[str] = "contactsync.notice.requested.v1"

    notice_id: Text
    scenario: Text
    priority: Severity
    dag_id: str | None = None
    dag_run_id: str | None = None
    sync_id: str | None = None
    attempt: Annotated[Count, Field(ge=1)] = 1
    """Greater when a channel did not take the notice before."""
    channels: tuple[str, ...] = ()
    """Those that did not; all that are configured when it is empty."""
    code: str | None = None
    """The error's short name, where the notice is about one error."""
    message: str | None = None
    """The error's sentence; it holds no contact value."""
    of_task: Flag = False
    """A task failed, whatever its operation has stored: that may be the end of an earlier try."""


class ExternalEventReported(EventData):
    """Another system reported something through the publisher function; its texts are cleaned, not trusted."""

    event_type: ClassVar[str] = "contactsync.external_event.reported.v1"

    system: Text
    kind: Text
    title: Text
    priority: Severity
    details: dict[str, str]
    reported_by: Text
    """The ARN of the caller, as API Gateway's IAM authorization has found it."""


EVENT_TYPES: Final = MappingProxyType(
    {
        model.event_type: model
        for model in (
            SyncOperationStarted,
            SyncOperationCompleted,
            SyncOperationFailed,
            SyncOperationHalted,
            AccountFailed,
            AccountsWritten,
            ConfigurationChanged,
            NoticeRequested,
            ExternalEventReported,
        )
    }
)
"""The models by event type; every one has a schema under docs/schemas."""
