"""A stored version as plain data, whatever somebody's hand put there."""

import json

from boto3.dynamodb.types import Binary

from contactsync.configuration.versions import StoredVersion


def test_effective_of_an_invalid_version() -> None:
    """Sets and bytes of a table are shown as JSON can say them; sets of bytes, too."""
    data = {"contact_types": {"security", "billing"}, "scope": Binary(b"x"), "rates": {Binary(b"x")}}
    found = StoredVersion(1, data, None, None, None).effective
    assert json.loads(json.dumps(found)) == {
        "contact_types": ["billing", "security"],
        "scope": "(Binary)",
        "rates": ["(Binary)"],
    }
