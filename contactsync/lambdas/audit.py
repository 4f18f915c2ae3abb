"""The subscriber that writes the audit trail."""

from contactsync.lambdas.subscriber import subscribed
from contactsync.services.functions.audit import NEEDS, audit_recorder

handler = subscribed("audit", audit_recorder, needs=NEEDS)
