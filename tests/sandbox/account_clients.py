"""Clients of the sandbox's account service for any caller, and the organization that its tests share."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from contactsync.sandbox.contacts.account_rules import ContactType
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.scenario.scenario import parse_scenario
from contactsync.sandbox.server import Sandbox

MEMBERS = 120
MANAGEMENT, OUTSIDER = "111122223333", "999900001111"
ADMINISTRATOR, SUSPENDED, SAME, EMPTY = (member_account_id(number) for number in (1, 2, 3, 4))
CONTACT = {
    "Name": "Robin Tester",
    "Title": "Tester",
    "EmailAddress": "robin@example.com",
    "PhoneNumber": "+1 (206) 555-0199",
}
PRIMARY = {
    "FullName": "Robin Tester",
    "AddressLine1": "7 Example Street",
    "City": "Newark",
    "StateOrRegion": "New Jersey",
    "PostalCode": "07102",
    "CountryCode": "US",
    "PhoneNumber": "+19735550199",
}
SCENARIO = parse_scenario(
    {
        "organization": {
            "accounts": MEMBERS,
            "delegated_administrator": ADMINISTRATOR,
            "members": [
                {"number": 2, "state": "SUSPENDED"},
                {"number": 3, "contacts": dict.fromkeys(ContactType, "same_as_management")},
                {"number": 4, "contacts": dict.fromkeys(ContactType)},
            ],
        },
        "quotas": {"enabled": False},
    }
)


@dataclass
class Clients:
    """Clients of one sandbox, by the account whose credentials they have."""

    endpoint_url: str
    organization: Any
    members: Iterator[str] = field(default_factory=lambda: map(member_account_id, range(5, MEMBERS + 1)))

    def account(self, caller: str = MANAGEMENT) -> Any:
        """Make a client of the account service."""
        return self._client("account", caller)

    def organizations(self, caller: str = MANAGEMENT) -> Any:
        """Make a client of organizations."""
        return self._client("organizations", caller)

    def raw(self, operation: str, body: bytes, caller: str = MANAGEMENT) -> requests.Response:
        """Send a body that boto3 would refuse to send."""
        keys = self._keys(caller)
        scope = f"Credential={keys['aws_access_key_id']}/20260101/us-east-1/account/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
        return requests.post(f"{self.endpoint_url}/{operation}", data=body, headers=headers, timeout=60)

    def _client(self, service: str, caller: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        client: Any = boto3.client
        return client(
            service, region_name="us-east-1", endpoint_url=self.endpoint_url, config=config, **self._keys(caller)
        )

    def _keys(self, caller: str) -> dict[str, Any]:
        keys: dict[str, Any] = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
        if caller == MANAGEMENT:
            return keys
        sts = boto3.client("sts", region_name="us-east-1", endpoint_url=self.endpoint_url, **keys)
        role = f"arn:aws:iam::{caller}:role/contactsync"
        assumed = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return {
            "aws_access_key_id": assumed["AccessKeyId"],
            "aws_secret_access_key": assumed["SecretAccessKey"],
            "aws_session_token": assumed["SessionToken"],
        }


@contextlib.contextmanager
def running() -> Iterator[Clients]:
    """Run the sandbox that the tests of one module share."""
    with Sandbox(SCENARIO) as sandbox:
        yield Clients(sandbox.endpoint_url, sandbox.organization)


def refusal(call: Any, **arguments: Any) -> dict[str, Any]:
    """Make a call that must fail and return the error's answer."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return dict(raised.value.response)


def code_and_status(call: Any, **arguments: Any) -> tuple[str, int]:
    """Make a call that must fail and return the error's code and HTTP status."""
    answer = refusal(call, **arguments)
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


DENIED, ABSENT, INVALID = (
    ("AccessDeniedException", 403),
    ("ResourceNotFoundException", 404),
    ("ValidationException", 400),
)
