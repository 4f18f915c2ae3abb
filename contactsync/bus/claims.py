"""Claim checks: data that does not fit into a message is kept elsewhere, and is taken back only as it was."""

import hashlib
import hmac
from typing import Final

from contactsync.bus.envelope import Event, parse_data
from contactsync.bus.ports import Claim, Claims
from contactsync.errors import ClaimRefusedError

CLAIM_LIMIT: Final = 4 * 2**20
"""Bytes of an event's data that are kept elsewhere; ten times what the outbox can hold."""


def claim_of(event_id: str, data: bytes) -> Claim:
    """Return the claim to an event's data."""
    return Claim(event_id, hashlib.sha256(data).hexdigest(), len(data))


def with_data(event: Event, claims: Claims | None) -> Event:
    """Return the event with its data, read back and checked when it is kept elsewhere.

    The data is fetched only for events that are to be handled: it may be gone by the time a duplicate comes. Raises
    ClaimRefusedError for data that is missing, larger, or another than was published, which no later try changes;
    EventInvalidError when it is not what the event's type asks for.
    """
    if event.dataref is None or event.datasha256 is None or event.datasize is None:
        return event
    claim = Claim(event.id, event.datasha256, event.datasize)
    if claims is None:
        raise refused(claim, "this subscriber has no bucket for claim checks (CONTACTSYNC_CLAIM_BUCKET)")
    if claim.size > CLAIM_LIMIT:
        raise refused(claim, f"it would have {claim.size} bytes, and {CLAIM_LIMIT} are the most")
    data = claims.get(claim, event.dataref)
    found = claim_of(event.id, data)
    if found.size != claim.size:
        raise refused(claim, f"it has {found.size} bytes, and {claim.size} were published")
    if not hmac.compare_digest(found.sha256, claim.sha256):
        raise refused(claim, "its SHA-256 is not that of what was published, so it was replaced")
    return parse_data(event, data)


def refused(claim: Claim, problem: str) -> ClaimRefusedError:
    """Return the error that says why data is not taken."""
    return ClaimRefusedError(event_id=claim.event_id, problem=problem)
