"""STS: whose credentials are used, where they come from, and what time it is at AWS."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from contactsync.aws.sdk.clients import Clients
from contactsync.aws.sdk.error_codes import translated
from contactsync.checks.keyboard import Identity
from contactsync.clock import Clock

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


def identity(clients: Clients, clock: Clock) -> Identity:
    """Ask STS; no policy can forbid this call."""
    sts: STSClient = clients.quick("sts")
    with translated("GetCallerIdentity"):
        answer: Any = sts.get_caller_identity()
    now = clock.now()
    said = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date", "")
    return Identity(answer["Account"], answer["Arn"], clients.credentials_source, _skew(said, now))


def _skew(said: str, now: datetime) -> timedelta | None:
    """Return how far a time is ahead of the time in an HTTP header, which has whole seconds."""
    try:
        theirs = parsedate_to_datetime(said)
    except ValueError:
        return None
    return now - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))
