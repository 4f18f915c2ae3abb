"""The ports Operations and DesiredContacts together, for the suites that need both."""

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

from contactsync.contacts import ContactType
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import SyncOperation, TypePlan
from contactsync.operations.ports import DesiredContacts, Operations
from tests.support import builders
from tests.support.builders import contact_of


@dataclass
class Store:
    """Both ports on one store."""

    operations: Operations
    desired: DesiredContacts

    def planned(
        self, *contact_types: ContactType, run: str | None = None, minute: int = 0
    ) -> tuple[SyncOperation, list[DesiredContact]]:
        """Make an operation with fresh generations, and its desired contacts."""
        plans = {
            kind: TypePlan(self.operations.raise_generation(kind), absent=False, approved=True)
            for kind in contact_types
        }
        operation = builders.operation(run=run or str(uuid.uuid4()), plans=plans)
        operation = replace(operation, planned=operation.planned + timedelta(minutes=minute))
        return operation, [
            DesiredContact(kind, plan.generation or 0, operation.sync_id, contact_of(kind))
            for kind, plan in plans.items()
        ]
