"""What synchronization stores in the state table and that of desired contacts, with all that reads it."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from contactsync.aws.dynamodb.items import to_item
from contactsync.aws.operations.desired_contacts_table import desired_item
from contactsync.aws.operations.operation_items import generation_key, operation_key, outcome_key
from contactsync.aws.operations.records_table import record_key
from contactsync.cli.state import read_state
from contactsync.contacts import ContactType
from contactsync.errors import ItemUnreadableError
from contactsync.operations.account_record import AccountRecord, Mark
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import AccountOutcome, OperationStatus, OutcomeStatus, SyncOperation
from contactsync.sync.housekeeping import RunState
from contactsync.views.export import operations_csv, operations_json
from contactsync.views.rows import json_text
from contactsync.views.statement import Standing
from tests.support.builders import contact_of
from tests.support.fakes.surroundings import START
from tests.support.stored.deployment import Stored
from tests.support.stored.spoiling import Kind, Reader

SECURITY, BILLING, PRIMARY = ContactType.SECURITY, ContactType.BILLING, ContactType.PRIMARY
LATER: Final = START + timedelta(days=1)


def operation_kind(stored: Stored) -> Kind:
    """Store a sync operation."""
    services = stored.services
    bad, good = stored.operation(), stored.operation()
    queries, operations = services.operation_queries, services.operations

    def has(one: SyncOperation) -> Callable[[Any], object]:
        return lambda found: one.sync_id in {each.sync_id for each in found}

    def open_still() -> bool:
        left = operations.get(good.sync_id)
        return left is not None and left.status is OperationStatus.IN_PROGRESS

    def listing(read: Callable[[], Any], *indexed_by: str) -> Reader:
        return Reader(read, others=has(good), bad=has(bad), indexed_by=("operation_time", *indexed_by))

    return Kind(
        stored.state,
        to_item(operation_key(bad.sync_id)),
        {
            "get": Reader(lambda: operations.get(bad.sync_id)),
            "recent": listing(lambda: list(queries.recent()), "operations"),
            "by status": listing(lambda: list(queries.recent(status=OperationStatus.IN_PROGRESS)), "operation_status"),
            "unfinished": listing(lambda: list(operations.unfinished()), "operation_status"),
            "overdue": Reader(
                lambda: services.steps.housekeeper.overdue(lambda _: RunState.RUNNING),
                others=has(good),
                bad=lambda _: True,  # it may have finished in time, as far as it says
            ),
            "JSON": Reader(
                lambda: json.loads(stored.exported(operations_json)),
                others=lambda found: good.sync_id in {one["sync_id"] for one in found},
                bad=lambda found: bad.sync_id in {one["sync_id"] for one in found},
                indexed_by=("operations", "operation_time"),
            ),
            "CSV": Reader(lambda: stored.exported(operations_csv), others=bool),
            "report": Reader(lambda: stored.report(bad.dag_run_id)),
            "housekeeping": Reader(lambda: stored.closing(bad.dag_run_id)),
        },
        absent=("finished",),
        protected=open_still,
        listings=[("operations", "list", "-o", "json"), ("operations", "list"), ("export",), ("export", "-o", "csv")],
        commands=[("operations", "show", bad.sync_id), ("export", bad.sync_id)],
    )


def outcome_kind(stored: Stored) -> Kind:
    """Store an account outcome."""
    services = stored.services
    found, other = stored.operation(), stored.operation()
    stored.outcomes(found, stored.one, stored.two, announced="an event", written_announced=START)
    stored.outcomes(other, stored.one)
    operations, queries = services.operations, services.operation_queries

    def judged() -> list[AccountOutcome]:
        return list(stored.reporter.judged(found, {}, [stored.one, stored.two]))

    def listing(read: Callable[[], list[AccountOutcome]]) -> Reader:
        return Reader(
            read,
            others=lambda answer: stored.two in {one.account_id for one in answer},
            bad=lambda answer: stored.one in {one.account_id for one in answer},
        )

    def is_failed_or_read() -> bool:
        """Tell whether an outcome that cannot be read is no success."""
        if stored.one in {one.account_id for one in operations.outcomes(found.sync_id)}:
            return True
        return all(one.status is OutcomeStatus.FAILED for one in judged() if one.account_id == stored.one)

    return Kind(
        stored.state,
        to_item(outcome_key(found.sync_id, stored.one, SECURITY)),
        {
            "of account": Reader(lambda: operations.outcomes_of(found.sync_id, stored.one)),
            "listing": listing(lambda: list(operations.outcomes(found.sync_id))),
            "history": Reader(
                lambda: list(queries.account_history(stored.one)),
                others=lambda answer: other.sync_id in {one.sync_id for one in answer},
                bad=lambda answer: found.sync_id in {one.sync_id for one in answer},
                indexed_by=("account_id", "outcome_time"),
            ),
            "export": Reader(
                lambda: "".join(operations_json([found], services.stored_operations.outcomes)),
                others=lambda answer: stored.two in answer,
                bad=lambda answer: stored.one in answer,
            ),
            "announced": Reader(lambda: stored.reporter.announce_outcomes(found)),
            "judged": Reader(judged),
            "report": Reader(lambda: stored.report(found.dag_run_id)),
            "housekeeping": Reader(lambda: stored.closing(found.dag_run_id)),
        },
        absent=("outside",),
        protected=is_failed_or_read,
        listings=[("operations", "show", found.sync_id), ("accounts", "history", stored.one), ("export",)],
        finally_=lambda: operations.store_plan(found, []),
    )


def record_kind(stored: Stored) -> Kind:
    """Store an account record."""
    services = stored.services
    found = stored.operation()
    stored.outcomes(found, stored.one, stored.two)
    records = services.records
    for account_id in (stored.one, stored.two):
        records.replace(
            AccountRecord(account_id, SECURITY),
            generation=1,
            fingerprint="0f",
            form="1f",
            writer=found.sync_id,
            writer_try=1,
            written_fields=("Name",),
            verified_at=START,
            mark=Mark("a token", "another run", 1, START),
        )
    keys = [(stored.one, SECURITY), (stored.two, SECURITY)]

    def is_unsettled_or_read() -> bool:
        """Tell whether an account whose record may hold a mark is no success, and not said to carry anything."""
        try:
            services.records.get(stored.one, SECURITY)
        except ItemUnreadableError:
            judged = {one.account_id: one for one in stored.reporter.judged(found, {})}
            stated = {(one.account_id, one.contact_type): one.standing for one in read_state(services).contacts()}
            return (
                judged[stored.one].status is OutcomeStatus.FAILED
                and judged[stored.two].status is OutcomeStatus.SUCCESS
                and stated[stored.one, SECURITY] is Standing.UNREADABLE
            )
        return True

    def settled_again() -> None:
        stored.outcomes(found, stored.one, stored.two)

    return Kind(
        stored.state,
        to_item(record_key(stored.one, SECURITY)),
        {
            "get": Reader(lambda: records.get(stored.one, SECURITY)),
            "many": Reader(
                lambda: list(records.many(keys)),
                others=lambda answer: stored.two in {one.account_id for one in answer},
                bad=lambda answer: stored.one in {one.account_id for one in answer},
            ),
            "judged": Reader(lambda: list(stored.reporter.judged(found, {}))),
            "statement": Reader(lambda: [json_text(vars(one)) for one in read_state(services).contacts()]),
        },
        protected=is_unsettled_or_read,
        listings=[("accounts", "state"), ("accounts", "state", "-o", "csv")],
        finally_=settled_again,
    )


def counter_kind(stored: Stored) -> Kind:
    """Store a generation counter."""
    operations, kind = stored.services.operations, ContactType.OPERATIONS
    operations.raise_generation(kind)
    operations.found_deletion(kind, 1)
    return Kind(
        stored.state,
        to_item(generation_key(kind)),
        {
            "generation": Reader(lambda: operations.generation(kind)),
            "deletion": Reader(lambda: operations.last_deletion(kind)),
            "found": Reader(lambda: operations.found_deletion(kind, 2)),
            "raised": Reader(lambda: operations.raise_to(kind, 3)),
            "next": Reader(lambda: operations.raise_generation(kind)),
        },
    )


def unplanned_kind(stored: Stored) -> Kind:
    """Store since when there have been unplanned runs."""
    operations = stored.services.operations
    operations.unplanned_since(START)
    return Kind(
        stored.state,
        to_item({"pk": "HOUSEKEEPING", "sk": "UNPLANNED"}),
        {"since": Reader(lambda: [operations.unplanned_since(LATER)], others=bool)},
    )


def desired_kind(stored: Stored) -> Kind:
    """Store a desired contact."""
    return _desired(stored, DesiredContact(PRIMARY, 3, str(uuid.uuid4()), contact_of(PRIMARY)))


def deletion_kind(stored: Stored) -> Kind:
    """Store a desired contact that is a deletion."""
    return _desired(stored, DesiredContact(ContactType.OPERATIONS, 3, str(uuid.uuid4()), None))


def _desired(stored: Stored, bad: DesiredContact) -> Kind:
    services, table = stored.services, stored.services.settings.desired.table
    for desired in (bad, DesiredContact(BILLING, 1, str(uuid.uuid4()), contact_of(BILLING))):
        services._dynamodb.put_item(TableName=table, Item=to_item(desired_item(desired)))
    kind = bad.contact_type

    def is_what_it_was() -> bool:
        """Tell whether a contact that lost something is no deletion, and a deletion no contact."""
        try:
            found = services.desired_contacts.latest(kind)
        except ItemUnreadableError as error:
            return "Quillfeather" not in str(error)
        return found is not None and (found.contact is None) is (bad.contact is None)

    return Kind(
        table,
        to_item({"contact_type": kind}),
        {
            "latest": Reader(lambda: services.desired_contacts.latest(kind)),
            "version": Reader(lambda: services.desired_versions.of(kind)),
            "versions": Reader(
                lambda: list(services.desired_versions.every()),
                others=lambda answer: BILLING in {one.contact_type for one in answer},
                bad=lambda answer: kind in {one.contact_type for one in answer},
            ),
            "next generation": Reader(lambda: services.operations.raise_generation(kind)),
        },
        protected=is_what_it_was,
        listings=[("operations", "desired")],
    )
