"""Claim checks: data that does not fit into a message is kept elsewhere, and accepted again only if unchanged."""

import hashlib
import hmac
from typing import Final

from contactsync.bus.envelope import Event, parse_data
from contactsync.bus.ports import Claim, Claims
from contactsync.errors import ClaimRefusedError

CLAIM_LIMIT: Final = 4 * 2**20
"""Bytes of an event's data that may be kept elsewhere; ten times what the outbox can hold."""


def claim_of(event_id: str, data: bytes) -> Claim:
    """Return the claim check of an event's data."""
    return Claim(event_id, hashlib.sha256(data).hexdigest(), len(data))


def with_data(event: Event, claims: Claims | None) -> Event:
    """Return the event with its data, which is read and checked if it is kept elsewhere.

    Fetch the data only for events that will be handled: when a duplicate comes, it may no longer exist. Raises
    ClaimRefusedError for data that is missing, too large or different from what was published (no later try changes
    that); EventInvalidError when it does not fit the event's type.
    """
    if event.dataref is None or event.datasha256 is None or event.datasize is None:
        return event
    claim = Claim(event.id, event.datasha256, event.datasize)
    if claims is None:
        raise refused(claim, "this subscriber has no bucket for claim checks (CONTACTSYNC_CLAIM_BUCKET)")
    if claim.size > CLAIM_LIMIT:
        raise refused(claim, f"it would have {claim.size} bytes, and {CLAIM_LIMIT} bytes is the limit")
    data = claims.get(claim, event.dataref)
    actual = claim_of(event.id, data)
    if actual.size != claim.size:
        raise refused(claim, f"the object has {actual.size} bytes, but {claim.size} bytes were published")
    if not hmac.compare_digest(actual.sha256, claim.sha256):
        raise refused(claim, "the object's SHA-256 differs from that of the published data, so the object was replaced")
    return parse_data(event, data)


def refused(claim: Claim, problem: str) -> ClaimRefusedError:
    """Return the error that says why the data is not accepted."""
    return ClaimRefusedError(event_id=claim.event_id, problem=problem)
