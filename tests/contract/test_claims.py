"""The port Claims: what does not fit into a message is kept, bounded, and never given out for another event."""

import uuid

import pytest

from contactsync.aws.claim_bucket import S3Claims
from contactsync.bus.claims import claim_of
from contactsync.bus.ports import Claim, Claims
from contactsync.errors import ClaimRefusedError
from tests.contract.conftest import Adapters
from tests.support.fakes.bus import FakeClaims

DATA = b'{"a": "value"}'


@pytest.fixture(params=["fake", "sandbox"])
def claims(request: pytest.FixtureRequest) -> Claims:
    """Give the fake, then the adapter."""
    return FakeClaims() if request.param == "fake" else bucket_of(request.getfixturevalue("adapters"))


def bucket_of(adapters: Adapters) -> S3Claims:
    """Return the adapter that the composition root makes."""
    found = adapters.services.publisher.claims
    assert isinstance(found, S3Claims)
    return found


@pytest.fixture
def event_id() -> str:
    """Give an id that no other test uses."""
    return str(uuid.uuid4())


def test_kept(claims: Claims, event_id: str) -> None:
    """Data comes back as it was, also when it was kept twice."""
    claim = claim_of(event_id, DATA)
    first = claims.put(claim, DATA)
    assert claims.put(claim, DATA) == first
    assert claims.get(claim, first) == DATA


def test_other_data(claims: Claims, event_id: str) -> None:
    """Other data of the same event does not replace what a message on its way refers to."""
    one, other = claim_of(event_id, DATA), claim_of(event_id, b"{}")
    first, second = claims.put(one, DATA), claims.put(other, b"{}")
    assert (claims.get(one, first), claims.get(other, second)) == (DATA, b"{}")


def test_missing(claims: Claims, event_id: str) -> None:
    """What is not there is refused for good."""
    claim = claim_of(event_id, DATA)
    reference = claims.put(claim, DATA).replace(event_id, "gone")
    with pytest.raises(ClaimRefusedError, match="not in the bucket"):
        claims.get(Claim("gone", claim.sha256, claim.size), reference)


def test_larger(claims: Claims, event_id: str) -> None:
    """No more is read than was published."""
    claim = claim_of(event_id, DATA)
    reference = claims.put(claim, DATA)
    with pytest.raises(ClaimRefusedError):
        claims.get(Claim(event_id, claim.sha256, 3), reference)


@pytest.mark.parametrize(
    "place", ["another", "s3://elsewhere/events/a.json", "https://example.com/a", "file:///etc/passwd"]
)
def test_elsewhere(claims: Claims, event_id: str, place: str) -> None:
    """A reference to anything but this event's own data is refused, without a look at it."""
    claim = claim_of(event_id, DATA)
    claims.put(claim, DATA)
    with pytest.raises(ClaimRefusedError, match="does not name"):
        claims.get(claim, place)


@pytest.mark.parametrize("strange", ["../exports/a", "..", "a/b", ".", "", "a b", "\u20ac"])
def test_paths(adapters: Adapters, strange: str) -> None:
    """An id that would lead out of the folder, once an HTTP client has resolved it, is refused."""
    made = bucket_of(adapters)
    claim = claim_of(strange, DATA)
    with pytest.raises(ClaimRefusedError, match="does not name"):
        made.get(claim, made._reference(claim))


def test_key(adapters: Adapters, event_id: str) -> None:
    """Objects lie in the folder that subscribers may read."""
    claim = claim_of(event_id, DATA)
    reference = bucket_of(adapters).put(claim, DATA)
    bucket = adapters.services.settings.claims.bucket
    assert reference == f"s3://{bucket}/events/{event_id}.{claim.sha256}.json"
