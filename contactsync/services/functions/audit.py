"""The parts of the subscriber that writes the audit trail."""

from collections.abc import Callable
from typing import Final

from contactsync.aws.tables.audit_table import DynamoDbAuditTrail
from contactsync.bus.audit import recorder
from contactsync.bus.envelope import Event
from contactsync.services.functions.environment import function_clients, function_settings
from contactsync.settings.groups import Group

NEEDS: Final = (Group.AUDIT,)


def audit_recorder() -> Callable[[Event], None]:
    """Return the function that writes an event into the audit table."""
    audit = function_settings().audit
    return recorder(
        DynamoDbAuditTrail(function_clients().own("dynamodb"), audit.table, retention_days=audit.retention_days)
    )
