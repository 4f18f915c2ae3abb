"""The items of sync operations and account outcomes in the state table (docs/data.md)."""

from collections.abc import Mapping
from typing import Any, Final

from contactsync.aws.dynamodb.attributes import Attributes, filled, id_of_account, name, text
from contactsync.aws.dynamodb.codec import Codec
from contactsync.contacts import ContactType
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    Halt,
    SyncOperation,
    TypePlan,
)

PARTITIONS: Final = 10
"""Number of partitions for an operation's outcomes, by the last digit of the account id: one would get all writes."""

ALL_OPERATIONS: Final = "all"

HALT: Final = Codec(Halt, reads={"code": name, "message": filled})

OPERATION: Final = Codec(
    SyncOperation,
    names={"timestamp": "operation_time", "status": "operation_status"},
    reads={"sync_id": name, "dag_run_id": name, "initiating_user": name, "source_account": id_of_account},
    parts=[HALT, Codec(TypePlan, required=["fingerprints"])],
    required=["dry_run", "counts"],
    sparse=["would_change"],
)

OUTCOME: Final = Codec(
    AccountOutcome,
    names={"timestamp": "outcome_time", "status": "outcome_status"},
    reads={"account_id": id_of_account},
    parts=[Codec(Attempt, required=["written_fields"], sparse=["first_try", "deleted"])],
    required=["status", "changed_fields", "attempts"],
    sparse=["other_form", "outside"],
)


def operation_key(sync_id: str) -> dict[str, str]:
    """Return the key of an operation."""
    return {"pk": f"OPERATION#{sync_id}", "sk": "OPERATION"}


def generation_key(contact_type: ContactType) -> dict[str, str]:
    """Return the key of a contact type's generation counter."""
    return {"pk": f"GENERATION#{contact_type}", "sk": "GENERATION"}


def outcome_partition(sync_id: str, digit: int | str) -> str:
    """Return the partition of the outcomes whose account ids end in this digit."""
    return f"OUTCOMES#{sync_id}#{digit}"


def outcome_key(sync_id: str, account_id: str, contact_type: ContactType) -> dict[str, str]:
    """Return the key of one outcome."""
    return {"pk": outcome_partition(sync_id, account_id[-1]), "sk": f"{account_id}#{contact_type}"}


def operation_item(operation: SyncOperation, expires_at: int) -> dict[str, Any]:
    """Return an operation's item; only this item has the keys of the indexes by time and by status."""
    return {
        **operation_key(operation.sync_id),
        "operations": ALL_OPERATIONS,
        **OPERATION.to_map(operation),
        "expires_at": expires_at,
    }


def operation_from(item: Mapping[str, Any]) -> SyncOperation:
    """Read what `operation_item` wrote."""
    stored = Attributes(item)
    operation = OPERATION.read(stored)
    stored.check_key(operation_key(operation.sync_id))
    return operation


def outcome_item(sync_id: str, outcome: AccountOutcome, expires_at: int) -> dict[str, Any]:
    """Return an outcome's item; it is in the index by account once it is settled, because then it has a time."""
    return {
        **outcome_key(sync_id, outcome.account_id, outcome.contact_type),
        "sync_id": sync_id,
        **OUTCOME.to_map(outcome),
        "retry_count": outcome.retry_count,
        "try_started": outcome.attempts[-1].started if outcome.attempts else None,
        "expires_at": expires_at,
    }


def outcome_from(item: Mapping[str, Any]) -> AccountOutcome:
    """Read what `outcome_item` wrote."""
    return past_outcome_from(item)[1]


def past_outcome_from(item: Mapping[str, Any]) -> tuple[str, AccountOutcome]:
    """Read what `outcome_item` wrote, and the id of the outcome's operation."""
    stored = Attributes(item)
    sync_id = stored.required("sync_id", text)
    outcome = OUTCOME.read(stored)
    stored.check_key(outcome_key(sync_id, outcome.account_id, outcome.contact_type))
    return sync_id, outcome
