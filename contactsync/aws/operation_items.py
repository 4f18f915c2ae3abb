"""The items of sync operations and account outcomes in the state table (docs/data.md)."""

from datetime import datetime
from typing import Any, Final

from contactsync.aws.items import to_moment
from contactsync.contacts import ContactType
from contactsync.sync.operation import (
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


def operation_from(item: dict[str, Any]) -> SyncOperation:
    """Read what `operation_item` wrote."""
    return SyncOperation(
        sync_id=item["sync_id"],
        dag_run_id=item["dag_run_id"],
        timestamp=to_moment(item["operation_time"]),
        initiating_user=item["initiating_user"],
        triggered_by=item.get("triggered_by"),
        source_account=item["source_account"],
        # A DynamoDB map has no order; contact types keep theirs.
        plans={t: _plan_from(item["plans"][t]) for t in ContactType if t in item["plans"]},
        config_version=item["config_version"],
        status=OperationStatus(item["operation_status"]),
        planned=to_moment(item["planned"]),
        dry_run=item["dry_run"],
        reason=item.get("reason"),
        event_id=item.get("event_id"),
        note=item.get("note"),
        counts=item["counts"],
        would_change=item.get("would_change") or {},
        finished=_moment_or_none(item.get("finished")),
        halt=_halt_from(item["halt"]) if item.get("halt") else None,
        follow_up=item.get("follow_up", 0),
        followed_by=item.get("followed_by"),
        correlation_id=item.get("correlation_id"),
        ends=item.get("ends", 0),
        warnings=tuple(item.get("warnings", ())),
        unmatched=tuple(item.get("unmatched", ())),
    )


def _plan_from(item: dict[str, Any]) -> TypePlan:
    return TypePlan(
        generation=item.get("generation"),
        absent=item["absent"],
        approved=item["approved"],
        fingerprint=item.get("fingerprint"),
        fingerprints=item["fingerprints"],
        needs_approval=item.get("needs_approval", False),
        decision=_decision_from(item["decision"]) if item.get("decision") else None,
        expected=item.get("expected"),
    )


def _decision_from(item: dict[str, Any]) -> Decision:
    return Decision(Verdict(item["verdict"]), item["by"], to_moment(item["at"]))


def _halt_from(item: dict[str, Any]) -> Halt:
    return Halt(item["code"], item["message"], to_moment(item["at"]))


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
    }


def outcome_from(item: dict[str, Any]) -> AccountOutcome:
    """Read what `outcome_item` wrote."""
    return AccountOutcome(
        account_id=item["account_id"],
        account_name=item["account_name"],
        contact_type=ContactType(item["contact_type"]),
        status=OutcomeStatus(item["outcome_status"]),
        detail=OutcomeDetail(item["detail"]) if "detail" in item else None,
        changed_fields=tuple(item["changed_fields"]),
        generation=item.get("generation"),
        error_code=item.get("error_code"),
        error_message=item.get("error_message"),
        attempts=tuple(_attempt_from(attempt) for attempt in item["attempts"]),
        timestamp=_moment_or_none(item.get("outcome_time")),
        paused_since=_moment_or_none(item.get("paused_since")),
        announced=item.get("announced"),
        written_announced=_moment_or_none(item.get("written_announced")),
        other_form=tuple(item.get("other_form", ())),
        outside=item.get("outside", False),
    )


def _attempt_from(item: dict[str, Any]) -> Attempt:
    return Attempt(
        try_number=item["try_number"],
        started=to_moment(item["started"]),
        ended=to_moment(item["ended"]),
        status=OutcomeStatus(item["status"]),
        detail=OutcomeDetail(item["detail"]),
        error_code=item.get("error_code"),
        written_fields=tuple(item["written_fields"]),
        first_try=item.get("first_try", 1),
        generation=item.get("generation"),
    )


def _moment_or_none(text: str | None) -> datetime | None:
    return to_moment(text) if text else None
