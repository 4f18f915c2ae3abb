"""Sync operations for auditors: JSON in one schema for all versions, and CSV with a row per outcome.

Both are streamed, from one pass over the outcomes of each operation.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from contactsync.contacts import ContactType
from contactsync.operations.counting import counted_as, ordered
from contactsync.operations.operation import AccountOutcome, OutcomeStatus, SyncOperation, TypePlan
from contactsync.operations.outcome_counts import missing_of
from contactsync.views.outcome_row import RESULT, as_named, choose
from contactsync.views.rows import csv_lines, json_text

IN_MEMORY: Final = 16_384
"""Bytes of one contact type's outcomes that are kept in memory; more are written to a temporary file."""

READ: Final = 16_384
"""Characters that are read from a temporary file at a time."""

OutcomesOf = Callable[[str], Iterable[AccountOutcome]]
"""A function that returns the outcomes of the operation with this sync id."""

OPERATION_COLUMNS: Final = (
    "sync_id",
    "operation_timestamp",
    "initiating_user",
    "triggered_by",
    "source_account",
    "contact_type",
    "operation_status",
    "dag_run_id",
    "config_version",
    "dry_run",
    "reason",
    "decision",
    "halt",
)
"""The columns of CSV about the outcome's operation."""

OUTCOME_COLUMNS: Final = as_named(
    "account_id",
    "account_name",
    "status",
    "counts_as",
    "detail",
    "timestamp",
    "generation",
    "changed_fields",
    "error_code",
    "error",
    "retry_count",
    "first_attempt",
    "paused_since",
)
CSV_COLUMNS: Final = (*OPERATION_COLUMNS, *OUTCOME_COLUMNS)


def operations_json(operations: Iterable[SyncOperation], outcomes: OutcomesOf) -> Iterator[str]:
    """Yield the parts of a JSON array with one object per operation and contact type, and a line per account.

    An operation without any contact type gives one object, whose `contact_type` is null.
    """
    yield "["
    separator = "\n"
    for operation in operations:
        for part in _objects(operation, outcomes):
            yield separator
            yield from part
            separator = ",\n"
    yield "\n]\n"


def operations_csv(operations: Iterable[SyncOperation], outcomes: OutcomesOf) -> Iterator[str]:
    """Yield CSV lines: a header, then every outcome with the facts of its operation."""
    rows = (_row(operation, outcome) for operation in operations for outcome in outcomes(operation.sync_id))
    return csv_lines(CSV_COLUMNS, rows)


def _objects(operation: SyncOperation, outcomes: OutcomesOf) -> Iterator[Iterator[str]]:
    """Yield an object per contact type from one pass over the outcomes, which are sorted by account."""
    with ExitStack() as files:
        by_type: dict[ContactType, _OfType] = {}
        for outcome in outcomes(operation.sync_id):
            if outcome.contact_type not in by_type:
                by_type[outcome.contact_type] = _OfType.within(files)
            by_type[outcome.contact_type].add(outcome)
        # A repeated plan may no longer have a contact type for which some accounts are settled already.
        contact_types = [t for t in ContactType if t in operation.plans or t in by_type]
        for contact_type in contact_types or (None,):
            of_type = by_type.get(contact_type) if contact_type else None
            yield _object(operation, contact_type, of_type or _OfType.within(files))


def _object(operation: SyncOperation, contact_type: ContactType | None, of_type: "_OfType") -> Iterator[str]:
    plan = operation.plans.get(contact_type) if contact_type else None
    facts = {**operation_facts(operation), "contact_type": contact_type, **(plan_facts(plan) if plan else {})}
    missing = missing_of(plan, of_type.there) if plan and operation.is_planned else 0
    yield f"{json_text({**facts, **of_type.facts(missing)})[:-1]},\n"
    yield '"target_accounts": ['
    yield from _read(of_type.accounts)
    yield '],\n"results": {'
    yield from _read(of_type.results)
    yield "}}"


@dataclass
class _OfType:
    """The outcomes of one contact type: their numbers, and their text, in temporary files above IN_MEMORY bytes."""

    accounts: IO[str]
    results: IO[str]
    counts: Counter[str] = field(default_factory=Counter)
    there: int = 0
    """Number of these outcomes that belong to the latest plan."""
    fields: set[str] = field(default_factory=set)

    @classmethod
    def within(cls, files: ExitStack) -> "_OfType":
        accounts, results = (_spool(files) for _ in range(2))
        return cls(accounts, results)

    def add(self, outcome: AccountOutcome) -> None:
        separator = ", " if self.counts else ""
        account_id = json_text(outcome.account_id)
        self.accounts.write(f"{separator}{account_id}")
        self.results.write(f"{separator}\n{account_id}: {json_text(choose(RESULT, outcome))}")
        self.counts[counted_as(outcome)] += 1
        self.there += not outcome.outside
        self.fields.update(outcome.changed_fields)

    def facts(self, missing: int) -> dict[str, Any]:
        counts = self.counts + Counter({OutcomeStatus.FAILED: missing})
        return {"changed_fields": sorted(self.fields), "counts": ordered(counts), "missing": missing}


def _spool(files: ExitStack) -> IO[str]:
    spool = SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="")  # noqa: SIM115 -- `files` closes it
    return files.enter_context(spool)


def _read(file: IO[str]) -> Iterator[str]:
    file.seek(0)
    while text := file.read(READ):
        yield text


def operation_facts(operation: SyncOperation) -> dict[str, Any]:
    """Return the facts that all contact types of an operation share: the documented keys, then further ones."""
    return {
        "sync_id": operation.sync_id,
        "timestamp": operation.timestamp,
        "initiating_user": operation.initiating_user,
        "triggered_by": operation.triggered_by,
        "source_account": operation.source_account,
        "status": operation.status,
        "dag_run_id": operation.dag_run_id,
        "event_id": operation.event_id,
        "reason": operation.reason,
        "dry_run": operation.dry_run,
        "config_version": operation.config_version,
        "planned": operation.planned,
        "finished": operation.finished,
        "note": operation.note,
        "warnings": list(operation.warnings),
        "unmatched": list(operation.unmatched),
        "halt": vars(operation.halt) if operation.halt else None,
        "follow_up": operation.follow_up,
        "followed_by": operation.followed_by,
    }


def plan_facts(plan: TypePlan) -> dict[str, Any]:
    """Return the plan for one contact type, without fingerprints."""
    return {
        "generation": plan.generation,
        "absent": plan.absent,
        "approved": plan.approved,
        "needs_approval": plan.needs_approval,
        "decision": vars(plan.decision) if plan.decision else None,
    }


def _row(operation: SyncOperation, outcome: AccountOutcome) -> dict[str, Any]:
    plan = operation.plans.get(outcome.contact_type)
    facts = {
        **operation_facts(operation),
        "operation_timestamp": operation.timestamp,
        "operation_status": operation.status,
        "contact_type": outcome.contact_type,
        "decision": plan.decision.verdict if plan and plan.decision else None,
        "halt": operation.halt.code if operation.halt else None,
    }
    return {**{name: facts[name] for name in OPERATION_COLUMNS}, **choose(OUTCOME_COLUMNS, outcome)}
