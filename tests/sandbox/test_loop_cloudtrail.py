"""Events of account calls, field by field."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contactsync.sandbox.events.cloudtrail import event_of, is_recorded
from contactsync.sandbox.events.event_settings import EventSettings
from tests.sandbox import loop_template
from tests.sandbox.loop_sandbox import small_sandbox

CONTACT = {
    "AlternateContactType": "SECURITY",
    "Name": "Ana Person",
    "Title": "CISO",
    "EmailAddress": "ana@example.com",
    "PhoneNumber": "+1 555 0100",
}
MANAGEMENT = "123456789012"


@dataclass(frozen=True)
class Call:
    """A call as the call log keeps it."""

    service: str = "account"
    operation: str = "PutAlternateContact"
    caller_account: str = MANAGEMENT
    caller_arn: str = f"arn:aws:sts::{MANAGEMENT}:assumed-role/Admin/ana"
    source_ip: str = "198.51.100.7"
    user_agent: str = "aws-cli/2"
    time: datetime = datetime(2026, 3, 4, 5, 6, 7, 890_000, UTC)
    parameters: Mapping[str, object] = field(default_factory=lambda: CONTACT)
    error_code: str | None = None
    status: int = 200
    applied: bool = False
    error_message: str | None = None
    request_id: str = "r-1"


def made(call: Call, **settings: Any) -> dict[str, Any]:
    """Make the event of a call."""
    return event_of(call, EventSettings.model_validate(settings))


def test_envelope_and_record() -> None:
    """The envelope and the record carry what AWS's do."""
    event = made(Call())
    detail = event["detail"]
    names = ("version", "source", "detail-type", "account", "region", "time", "resources")
    assert {name: event[name] for name in names} == {
        "version": "0",
        "source": "aws.account",
        "detail-type": "AWS API Call via CloudTrail",
        "account": MANAGEMENT,
        "region": "us-east-1",
        "time": "2026-03-04T05:06:07Z",
        "resources": [],
    }
    assert uuid.UUID(event["id"]) != uuid.UUID(detail["eventID"])
    assert {
        key: detail[key]
        for key in (
            "eventSource",
            "eventName",
            "awsRegion",
            "sourceIPAddress",
            "userAgent",
            "responseElements",
            "requestID",
            "readOnly",
            "eventType",
            "managementEvent",
            "recipientAccountId",
            "eventCategory",
            "eventTime",
        )
    } == {
        "eventSource": "account.amazonaws.com",
        "eventName": "PutAlternateContact",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2",
        "responseElements": None,
        "requestID": "r-1",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": MANAGEMENT,
        "eventCategory": "Management",
        "eventTime": "2026-03-04T05:06:07Z",
    }
    assert "errorCode" not in detail


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"casing": "pascal"}, dict.fromkeys(CONTACT, "***") | {"AlternateContactType": "SECURITY"}),
        (
            {"casing": "camel"},
            {
                "alternateContactType": "SECURITY",
                "name": "***",
                "title": "***",
                "emailAddress": "***",
                "phoneNumber": "***",
            },
        ),
        (
            {"casing": "camel", "redacted": False},
            {
                "alternateContactType": "SECURITY",
                "name": "Ana Person",
                "title": "CISO",
                "emailAddress": "ana@example.com",
            },
        ),
        ({"casing": "pascal", "redacted": False}, CONTACT),
    ],
)
def test_parameters(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    """Both casings, redacted or in clear; the clear camelCase sample has no phone number."""
    assert made(Call(), **settings)["detail"]["requestParameters"] == expected


@pytest.mark.parametrize(("casing", "name"), [("camel", "accountId"), ("pascal", "AccountId")])
def test_account_id(casing: str, name: str) -> None:
    """The account id is there exactly when the client sent one."""
    sent = made(Call(parameters=CONTACT | {"AccountId": "222222222222"}), casing=casing)
    assert sent["detail"]["requestParameters"][name] == "222222222222"
    assert name not in made(Call(), casing=casing)["detail"]["requestParameters"]
    assert sent["account"] == MANAGEMENT


def test_primary_contact() -> None:
    """A primary contact keeps its field names and loses its values."""
    call = Call(operation="PutContactInformation", parameters={"ContactInformation": {"FullName": "A", "City": "B"}})
    assert made(call)["detail"]["requestParameters"] == {"ContactInformation": {"FullName": "***", "City": "***"}}
    assert made(call, casing="camel")["detail"]["requestParameters"] == {
        "contactInformation": {"fullName": "***", "city": "***"}
    }


def test_failed_call() -> None:
    """A failed call is an event with its error."""
    detail = made(replace(Call(), error_code="AccessDeniedException", error_message="no"), redacted=False)["detail"]
    assert (detail["errorCode"], detail["errorMessage"]) == ("AccessDeniedException", "no")


def test_nothing_leaks() -> None:
    """No value of a contact is in a redacted event, not even in an error's message."""
    call = Call(
        error_code="ValidationException",
        error_message="ana@example.com is not valid",
        parameters=CONTACT
        | {
            "Extra": ["Ana Person"],
            "Nested": {"Deep": {"Name": "Ana Person"}},
        },
    )
    text = str(made(call))
    assert not [value for name, value in CONTACT.items() if name != "AlternateContactType" and value in text]


@pytest.mark.parametrize(
    ("arn", "kind", "extra"),
    [
        (f"arn:aws:iam::{MANAGEMENT}:root", "Root", {}),
        (f"arn:aws:iam::{MANAGEMENT}:user/team/ana", "IAMUser", {"userName": "ana"}),
        (f"arn:aws:sts::{MANAGEMENT}:assumed-role/Admin/ana", "AssumedRole", {}),
    ],
)
def test_user_identity(arn: str, kind: str, extra: dict[str, str]) -> None:
    """Each kind of caller has its own userIdentity."""
    identity = made(Call(caller_arn=arn))["detail"]["userIdentity"]
    assert (identity["type"], identity["arn"], identity["accountId"]) == (kind, arn, MANAGEMENT)
    assert extra.items() <= identity.items()
    assert ("sessionContext" in identity) == (kind == "AssumedRole")
    if kind == "AssumedRole":
        issuer = identity["sessionContext"]["sessionIssuer"]
        assert identity["principalId"] == f"{issuer['principalId']}:ana"
        assert issuer["arn"] == f"arn:aws:iam::{MANAGEMENT}:role/Admin"


def test_large_parameters() -> None:
    """Parameters beyond CloudTrail's limit are replaced by a note."""
    parameters = made(Call(parameters={"Name": "x" * 200_000}), redacted=False)["detail"]["requestParameters"]
    assert parameters["omitted"] is True
    assert parameters["originalSize"] > 200_000


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        ("account", "PutAlternateContact", True),
        ("account", "DeleteAlternateContact", True),
        ("account", "PutContactInformation", True),
        ("account", "GetAlternateContact", False),
        ("sts", "PutAlternateContact", False),
    ],
)
def test_recorded(service: str, operation: str, *, expected: bool) -> None:
    """Writes of the account service make events; reads and other services make none."""
    assert is_recorded(Call(service=service, operation=operation)) is expected


def test_calls_to_the_bus(tmp_path: Path) -> None:
    """Calls of the log become events on the caller's own bus: only the management account's own change is delivered."""
    member = "222222222222"
    with small_sandbox() as sandbox:
        sandbox.deploy(loop_template.write(tmp_path, "echo"))
        own = Call(caller_account=member, caller_arn=f"arn:aws:iam::{member}:root")
        to_member = Call(parameters=CONTACT | {"AccountId": member})
        failed = Call(error_code="TooManyRequestsException", error_message="slow down")
        poison = Call(parameters={"AlternateContactType": object()})
        for call in (Call(), own, to_member, failed, Call(operation="GetAlternateContact"), poison):
            sandbox.loop.on_call(call)
        sandbox.settle()
        events = sandbox.control("GET", "/events")["events"]
        ran = sandbox.control("GET", "/functions/tried/logs")["invocations"]
    assert [(event["account"], event["matched"]) for event in events[:4]] == [
        (MANAGEMENT, True),
        (member, False),
        (MANAGEMENT, False),
        (MANAGEMENT, False),
    ]
    assert events[0]["event"] in [invocation["result"]["event"] for invocation in ran]
    assert len(ran) == 2  # the change and the odd call, whose contact type is no text
