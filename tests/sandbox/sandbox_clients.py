"""What tests do with a sandbox: run it, make clients, call the control API."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config

from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox

ONE_ATTEMPT = Config(retries={"total_max_attempts": 1}, read_timeout=60)
UNLIMITED = {"quotas": {"enabled": False}, "organization": {"accounts": 3}}
CONTACT = {"Name": "Sam", "Title": "CISO", "EmailAddress": "sam@example.com", "PhoneNumber": "+1 555 0100"}


@contextlib.contextmanager
def running(scenario: Scenario | None = None, *, templates: Path | None = None) -> Iterator[Sandbox]:
    """Run a sandbox; without a scenario it has three members and no quotas."""
    with Sandbox(scenario or Scenario.model_validate(UNLIMITED), templates=templates) as sandbox:
        yield sandbox


def client(
    sandbox: Sandbox, service: str, *, session: boto3.Session | None = None, config: Config = ONE_ATTEMPT
) -> Any:
    """Make a client, of the management account unless a session is given; it does not retry."""
    chosen = session or sandbox.session()
    return chosen.client(service, endpoint_url=sandbox.endpoint_url, config=config)  # type: ignore[call-overload]


def member_session(sandbox: Sandbox, account: str) -> boto3.Session:
    """Assume a role in an account."""
    role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
    answer = client(sandbox, "sts").assume_role(RoleArn=role, RoleSessionName="tests")
    given = answer["Credentials"]
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name="us-east-1")


def control(sandbox: Sandbox, method: str, path: str, body: object = None, *, status: int | None = None) -> Any:
    """Call the control API; the answer has the wanted status, or is a success."""
    answer = requests.request(method, f"{sandbox.endpoint_url}/_sandbox{path}", json=body, timeout=60)
    assert answer.status_code == status if status else answer.ok, answer.text
    return answer.json()
