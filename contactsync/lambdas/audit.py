"""The subscriber that writes the audit trail."""

from collections.abc import Callable

from contactsync.aws.tables.audit_table import DynamoDbAuditTrail
from contactsync.bus.audit import recorder
from contactsync.bus.envelope import Event
from contactsync.lambdas.subscriber import clients, required, subscribed


def record() -> Callable[[Event], None]:
    """Return what writes an event into the table that the environment names."""
    retention = int(required("CONTACTSYNC_AUDIT_RETENTION_DAYS"))
    table = required("CONTACTSYNC_AUDIT_TABLE")
    return recorder(DynamoDbAuditTrail(clients().own("dynamodb"), table, retention_days=retention))


handler = subscribed("audit", record)
