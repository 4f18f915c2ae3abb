"""Scripted faults and latency, by themselves and as boto3 sees them."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from pydantic import ValidationError

from contactsync.sandbox.requests.faults import Faults, FaultSettings
from contactsync.sandbox.requests.latency import Latency, LatencySettings
from contactsync.sandbox.server import Sandbox
from tests.sandbox.sandbox_clients import CONTACT, client, control, running

MANAGEMENT, MEMBER = "111122223333", "444455556666"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run one sandbox for all tests here."""
    with running() as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _no_faults(sandbox: Sandbox) -> None:
    sandbox.conditions.faults.clear()
    sandbox.call_log.clear()


def strike(faults: Faults, operation: str = "PutAlternateContact", account: str = MEMBER) -> str | None:
    """Make a call and tell the error that it meets."""
    hit = faults.strike("account", operation, account, MANAGEMENT)
    return hit.error if hit else None


def test_matching() -> None:
    """A fault strikes the service, operation, account and caller that it names, and any that it does not name."""
    faults = Faults([FaultSettings(operation="PutAlternateContact", account=MEMBER, caller=MANAGEMENT, error="E")])
    assert strike(faults) == "E"
    assert strike(faults, operation="GetAlternateContact") is None
    assert strike(faults, account=MANAGEMENT) is None
    assert faults.strike("sqs", "PutAlternateContact", MEMBER, MANAGEMENT) is None
    assert faults.strike("account", "PutAlternateContact", MEMBER, MEMBER) is None
    faults.add(FaultSettings(service="*", error="Any"))
    assert faults.strike("sqs", "SendMessage", MEMBER, MEMBER) is not None


def test_containing() -> None:
    """A fault can be for calls whose parameters contain a text, such as the key of one item."""
    faults = Faults([FaultSettings(service="dynamodb", containing=f"{MEMBER}#security", error="E")])
    key = {"Key": {"sk": {"S": f"{MEMBER}#security"}}}
    assert faults.strike("dynamodb", "GetItem", MANAGEMENT, MANAGEMENT, {"Key": {"sk": {"S": MEMBER}}}) is None
    assert faults.strike("dynamodb", "GetItem", MANAGEMENT, MANAGEMENT) is None
    assert faults.strike("dynamodb", "GetItem", MANAGEMENT, MANAGEMENT, key) is not None


def test_count() -> None:
    """A fault with a count strikes so often, and then the next one in line does."""
    faults = Faults([FaultSettings(error="First", count=2), FaultSettings(error="Second", count=1)])
    assert [strike(faults) for _ in range(4)] == ["First", "First", "Second", None]
    assert [fault.is_spent for fault in faults.all()] == [True, True]


def test_probability() -> None:
    """A fault of some probability strikes that share of the calls, the same ones for the same seed."""
    runs = [Faults([FaultSettings(error="E", probability=0.3, seed=7)]) for _ in range(2)]
    first, second = ([strike(faults) for _ in range(1000)] for faults in runs)
    assert first == second
    assert 250 < first.count("E") < 350


@pytest.mark.parametrize("wrong", [{}, {"error": "E", "count": 0}, {"error": "E", "stage": "x"}, {"eror": "E"}])
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    """A fault that does nothing, or that is misspelt, is refused."""
    with pytest.raises(ValidationError):
        FaultSettings.model_validate(wrong)


def test_latency() -> None:
    """Operations have waits of their own, and the jitter is the same for the same seed."""
    latency = Latency(LatencySettings(default=0.1, operations={"GetAlternateContact": 0.5}))
    assert latency.seconds("GetAlternateContact") == 0.5
    assert latency.seconds("Other") == 0.1
    runs = [Latency(LatencySettings(default=1, jitter=0.5, seed=3)) for _ in range(2)]
    first, second = ([one.seconds("Other") for _ in range(20)] for one in runs)
    assert first == second
    assert all(1 <= wait <= 1.5 for wait in first)


@pytest.mark.parametrize(
    ("service", "method", "arguments", "error", "status"),
    [
        ("account", "get_alternate_contact", {"AlternateContactType": "BILLING"}, "TooManyRequestsException", 429),
        ("account", "get_contact_information", {}, "InternalServerException", 500),
        ("account", "get_contact_information", {}, "AccessDeniedException", 403),
        ("organizations", "list_accounts", {}, "TooManyRequestsException", 400),
        ("organizations", "list_accounts", {}, "AWSOrganizationsNotInUseException", 400),
        ("dynamodb", "list_tables", {}, "ProvisionedThroughputExceededException", 400),
        ("dynamodb", "list_tables", {}, "InternalServerError", 500),
        ("sqs", "list_queues", {}, "AccessDenied", 403),
        ("sns", "list_topics", {}, "InternalError", 500),
        ("sns", "list_topics", {}, "Throttled", 429),
        ("sts", "get_caller_identity", {}, "ExpiredToken", 403),
        ("lambda", "get_function", {"FunctionName": "x"}, "ServiceException", 500),
        ("events", "list_rules", {}, "InternalException", 500),
        ("s3", "list_buckets", {}, "SlowDown", 503),
        ("cloudwatch", "list_metrics", {}, "ThrottlingException", 400),
        ("sesv2", "list_contact_lists", {}, "TooManyRequestsException", 429),
    ],
)
def test_protocols(
    sandbox: Sandbox, service: str, method: str, arguments: dict[str, Any], error: str, status: int
) -> None:
    """In every service's protocol boto3 reads code, message, status and request id, as the log has them."""
    control(sandbox, "POST", "/faults", {"service": service, "error": error, "message": "Said so", "count": 1})
    with pytest.raises(ClientError) as caught:
        getattr(client(sandbox, service), method)(**arguments)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["Error"]["Message"]) == (error, "Said so")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    (logged,) = sandbox.call_log.query(service=service)
    assert (logged.operation.lower(), logged.error_code) == (method.replace("_", ""), error)
    assert logged.request_id == answer["ResponseMetadata"]["RequestId"]


def test_modeled_exception(sandbox: Sandbox) -> None:
    """An error of the service's model is raised as boto3's own exception class."""
    sandbox.conditions.faults.add(FaultSettings(service="dynamodb", error="ConditionalCheckFailedException"))
    dynamodb = client(sandbox, "dynamodb")
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.list_tables()


def test_before(sandbox: Sandbox) -> None:
    """A call that fails before it is carried out changes nothing."""
    account = client(sandbox, "account")
    before = account.get_alternate_contact(AlternateContactType="SECURITY")["AlternateContact"]
    sandbox.conditions.faults.add(FaultSettings(error="InternalServerException", count=1))
    with pytest.raises(account.exceptions.InternalServerException):
        account.put_alternate_contact(AlternateContactType="SECURITY", **CONTACT)
    assert account.get_alternate_contact(AlternateContactType="SECURITY")["AlternateContact"] == before


def test_after(sandbox: Sandbox) -> None:
    """A call that fails afterwards has been carried out."""
    account = client(sandbox, "account")
    sandbox.conditions.faults.add(FaultSettings(error="InternalServerException", count=1, stage="after"))
    with pytest.raises(account.exceptions.InternalServerException):
        account.put_alternate_contact(AlternateContactType="OPERATIONS", **CONTACT)
    found = account.get_alternate_contact(AlternateContactType="OPERATIONS")["AlternateContact"]
    assert found["EmailAddress"] == CONTACT["EmailAddress"]


@pytest.mark.parametrize(("stage", "expected"), [("before", "Old"), ("after", "Sam")])
def test_dropped_connection(sandbox: Sandbox, stage: str, expected: str) -> None:
    """A dropped connection leaves the client without an answer, whether or not the call was carried out."""
    account = client(sandbox, "account")
    account.put_alternate_contact(AlternateContactType="BILLING", **(CONTACT | {"Name": "Old"}))
    control(sandbox, "POST", "/faults", {"error": "ConnectionDropped", "count": 1, "stage": stage})
    with pytest.raises(ConnectionClosedError):
        account.put_alternate_contact(AlternateContactType="BILLING", **CONTACT)
    assert sandbox.call_log.query(error="ConnectionDropped")[0].status == 0
    assert account.get_alternate_contact(AlternateContactType="BILLING")["AlternateContact"]["Name"] == expected


def test_account_in_organization_context(sandbox: Sandbox) -> None:
    """A fault for a member strikes calls of the management account that name the member, and no others."""
    member = sandbox.organization.account_ids()[1]
    sandbox.conditions.faults.add(FaultSettings(account=member, error="AccessDeniedException"))
    account = client(sandbox, "account")
    account.get_alternate_contact(AlternateContactType="SECURITY")
    with pytest.raises(account.exceptions.AccessDeniedException):
        account.get_contact_information(AccountId=member)


def test_delay(sandbox: Sandbox) -> None:
    """A fault without an error only makes calls slow."""
    sandbox.conditions.faults.add(FaultSettings(delay=0.2, count=1))
    started = time.monotonic()
    client(sandbox, "account").get_contact_information()
    assert time.monotonic() - started >= 0.2
    assert sandbox.call_log.query(service="account")[0].duration >= 0.2


def test_over_http(sandbox: Sandbox) -> None:
    """Faults are listed, added and removed over the control API, and wrong ones are refused in a sentence."""
    added = control(sandbox, "POST", "/faults", [{"error": "A"}, {"error": "B", "count": 1}], status=201)["faults"]
    assert [fault["error"] for fault in control(sandbox, "GET", "/faults")["faults"]] == ["A", "B"]
    control(sandbox, "DELETE", f"/faults/{added[0]['id']}")
    assert "There is no fault" in control(sandbox, "DELETE", f"/faults/{added[0]['id']}", status=404)["error"]
    assert [fault["error"] for fault in control(sandbox, "GET", "/faults")["faults"]] == ["B"]
    for wrong in ({}, None, [1], {"error": "E", "probability": 2}, {"error": "E", "wrong": 1}):
        assert control(sandbox, "POST", "/faults", wrong, status=400)["error"].endswith(".")
    assert control(sandbox, "DELETE", "/faults")["faults"] == []


def test_latency_over_http(sandbox: Sandbox) -> None:
    """Latency is changed while the sandbox runs."""
    control(sandbox, "PUT", "/latency", {"operations": {"GetContactInformation": 0.2}})
    try:
        started = time.monotonic()
        client(sandbox, "account").get_contact_information()
        assert time.monotonic() - started >= 0.2
    finally:
        assert control(sandbox, "PUT", "/latency", {})["operations"] == {}
