"""The items of sync operations and account outcomes in the state table (docs/data.md)."""

from collections.abc import Mapping
from typing import Any, Final

from contactsync.aws.dynamodb.attributes import (
    Attributes,
    count,
    filled,
    flag,
    id_of_account,
    listed,
    mapped,
    mapped_by,
    moment,
    name,
    one_of,
    part,
    text,
    texts,
)
from contactsync.contacts import ContactType
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
)

PARTITIONS: Final = 10
"""The outcomes of an operation are spread by the last digit of the account id, so that no partition is hot."""

ALL_OPERATIONS: Final = "all"


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
    """Return an operation's item; it alone carries the keys of the time and status indexes."""
    return {
        **operation_key(operation.sync_id),
        "operations": ALL_OPERATIONS,
        "operation_time": operation.timestamp,
        "operation_status": operation.status,
        "sync_id": operation.sync_id,
        "dag_run_id": operation.dag_run_id,
        "initiating_user": operation.initiating_user,
        "triggered_by": operation.triggered_by,
        "source_account": operation.source_account,
        "plans": plans_map(operation),
        "config_version": operation.config_version,
        "rules_digest": operation.rules_digest,
        "planned": operation.planned,
        "dry_run": operation.dry_run,
        "reason": operation.reason,
        "event_id": operation.event_id,
        "note": operation.note,
        "counts": operation.counts,
        "would_change": operation.would_change or None,
        "finished": operation.finished,
        "halt": halt_map(operation.halt) if operation.halt else None,
        "follow_up": operation.follow_up,
        "followed_by": operation.followed_by,
        "correlation_id": operation.correlation_id,
        "ends": operation.ends,
        "warnings": list(operation.warnings),
        "unmatched": list(operation.unmatched),
        "expires_at": expires_at,
    }


def plans_map(operation: SyncOperation) -> dict[str, Any]:
    """Return the part of an operation's item that says what it intends, by contact type."""
    return {contact_type: _plan_map(plan) for contact_type, plan in operation.plans.items()}


def _plan_map(plan: TypePlan) -> dict[str, Any]:
    return {
        "generation": plan.generation,
        "absent": plan.absent,
        "approved": plan.approved,
        "fingerprint": plan.fingerprint,
        "fingerprints": plan.fingerprints,
        "needs_approval": plan.needs_approval,
        "decision": _decision_map(plan.decision) if plan.decision else None,
        "expected": plan.expected,
    }


def _decision_map(decision: Decision) -> dict[str, Any]:
    return {"verdict": decision.verdict, "by": decision.by, "at": decision.at}


def halt_map(halt: Halt) -> dict[str, Any]:
    """Return the part of an operation's item that says why it stopped."""
    return {"code": halt.code, "message": halt.message, "at": halt.at}


def operation_from(item: Mapping[str, Any]) -> SyncOperation:
    """Read what `operation_item` wrote."""
    stored = Attributes(item)
    operation = SyncOperation(
        sync_id=stored.required("sync_id", name),
        dag_run_id=stored.required("dag_run_id", name),
        timestamp=stored.required("operation_time", moment),
        initiating_user=stored.required("initiating_user", name),
        triggered_by=stored.optional("triggered_by", text),
        source_account=stored.required("source_account", id_of_account),
        plans=stored.required("plans", mapped_by(ContactType, part(_plan_from))),
        config_version=stored.required("config_version", count),
        rules_digest=stored.optional("rules_digest", text),
        status=stored.required("operation_status", one_of(OperationStatus)),
        planned=stored.required("planned", moment),
        dry_run=stored.required("dry_run", flag),
        reason=stored.optional("reason", text),
        event_id=stored.optional("event_id", text),
        note=stored.optional("note", text),
        counts=stored.required("counts", mapped(count)),
        would_change=stored.optional("would_change", mapped(count), {}),
        finished=stored.optional("finished", moment),
        halt=stored.optional("halt", part(_halt_from)),
        follow_up=stored.optional("follow_up", count, 0),
        followed_by=stored.optional("followed_by", text),
        correlation_id=stored.optional("correlation_id", text),
        ends=stored.optional("ends", count, 0),
        warnings=stored.optional("warnings", texts, ()),
        unmatched=stored.optional("unmatched", texts, ()),
    )
    stored.check_key(operation_key(operation.sync_id))
    return operation


def _plan_from(stored: Attributes) -> TypePlan:
    return TypePlan(
        generation=stored.optional("generation", count),
        absent=stored.required("absent", flag),
        approved=stored.required("approved", flag),
        fingerprint=stored.optional("fingerprint", text),
        fingerprints=stored.required("fingerprints", mapped(text)),
        needs_approval=stored.optional("needs_approval", flag, default=False),
        decision=stored.optional("decision", part(_decision_from)),
        expected=stored.optional("expected", count),
    )


def _decision_from(stored: Attributes) -> Decision:
    verdict = stored.required("verdict", one_of(Verdict))
    return Decision(verdict, stored.required("by", text), stored.required("at", moment))


def _halt_from(stored: Attributes) -> Halt:
    return Halt(stored.required("code", name), stored.required("message", filled), stored.required("at", moment))


def outcome_item(sync_id: str, outcome: AccountOutcome, expires_at: int) -> dict[str, Any]:
    """Return an outcome's item; it enters the index by account when it is settled and so has a time."""
    return {
        **outcome_key(sync_id, outcome.account_id, outcome.contact_type),
        "sync_id": sync_id,
        "account_id": outcome.account_id,
        "account_name": outcome.account_name,
        "contact_type": outcome.contact_type,
        "outcome_status": outcome.status,
        "detail": outcome.detail,
        "changed_fields": outcome.changed_fields,
        "generation": outcome.generation,
        "error_code": outcome.error_code,
        "error_message": outcome.error_message,
        "retry_count": outcome.retry_count,
        "attempts": [_attempt_map(attempt) for attempt in outcome.attempts],
        "outcome_time": outcome.timestamp,
        "paused_since": outcome.paused_since,
        "announced": outcome.announced,
        "written_announced": outcome.written_announced,
        "other_form": outcome.other_form or None,
        "outside": outcome.outside or None,
        "try_started": outcome.attempts[-1].started if outcome.attempts else None,
        "expires_at": expires_at,
    }


def _attempt_map(attempt: Attempt) -> dict[str, Any]:
    return {
        "try_number": attempt.try_number,
        "started": attempt.started,
        "ended": attempt.ended,
        "status": attempt.status,
        "detail": attempt.detail,
        "error_code": attempt.error_code,
        "written_fields": attempt.written_fields,
        "first_try": attempt.first_try if attempt.first_try > 1 else None,
        "generation": attempt.generation,
        "deleted": attempt.deleted or None,
    }


def outcome_from(item: Mapping[str, Any]) -> AccountOutcome:
    """Read what `outcome_item` wrote."""
    return past_outcome_from(item)[1]


def past_outcome_from(item: Mapping[str, Any]) -> tuple[str, AccountOutcome]:
    """Read that with the id of the operation that the outcome belongs to."""
    stored = Attributes(item)
    sync_id = stored.required("sync_id", text)
    outcome = AccountOutcome(
        account_id=stored.required("account_id", id_of_account),
        account_name=stored.required("account_name", text),
        contact_type=stored.required("contact_type", one_of(ContactType)),
        status=stored.required("outcome_status", one_of(OutcomeStatus)),
        detail=stored.optional("detail", one_of(OutcomeDetail)),
        changed_fields=stored.required("changed_fields", texts),
        generation=stored.optional("generation", count),
        error_code=stored.optional("error_code", text),
        error_message=stored.optional("error_message", text),
        attempts=stored.required("attempts", listed(part(_attempt_from))),
        timestamp=stored.optional("outcome_time", moment),
        paused_since=stored.optional("paused_since", moment),
        announced=stored.optional("announced", text),
        written_announced=stored.optional("written_announced", moment),
        other_form=stored.optional("other_form", texts, ()),
        outside=stored.optional("outside", flag, default=False),
    )
    stored.check_key(outcome_key(sync_id, outcome.account_id, outcome.contact_type))
    return sync_id, outcome


def _attempt_from(stored: Attributes) -> Attempt:
    return Attempt(
        try_number=stored.required("try_number", count),
        started=stored.required("started", moment),
        ended=stored.required("ended", moment),
        status=stored.required("status", one_of(OutcomeStatus)),
        detail=stored.required("detail", one_of(OutcomeDetail)),
        error_code=stored.optional("error_code", text),
        written_fields=stored.required("written_fields", texts),
        first_try=stored.optional("first_try", count, 1),
        generation=stored.optional("generation", count),
        deleted=stored.optional("deleted", flag, default=False),
    )
