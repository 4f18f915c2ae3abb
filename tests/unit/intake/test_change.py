"""Which recorded events start a sync operation, and with what; every event is a recorded one with one change."""

import json
from typing import Any

import pytest

from contactsync.errors import ChangeRefusedError
from contactsync.intake.change import RefusalReason, changes_in, parse_change
from contactsync.intake.contact_change import ContactChange
from tests.support.recorded import (
    ABSENT,
    MANAGEMENT_ACCOUNT,
    MEMBER_ACCOUNT,
    NAMES,
    changed,
    in_sns,
    in_sns_in_sqs,
    in_sqs,
    recorded,
    user_identities,
)

EXPECTED = {
    "put_alternate_camel": ("PutAlternateContact", "security", "put"),
    "put_alternate_pascal_redacted": ("PutAlternateContact", "billing", "put"),
    "delete_alternate": ("DeleteAlternateContact", "operations", "delete"),
    "put_contact_information": ("PutContactInformation", "primary", "put"),
}

Refused = RefusalReason


def refusal(event: object) -> ChangeRefusedError:
    """Return why an event starts nothing."""
    with pytest.raises(ChangeRefusedError) as caught:
        parse_change(event, MANAGEMENT_ACCOUNT)
    return caught.value


@pytest.mark.parametrize("name", NAMES)
def test_recorded(name: str) -> None:
    """Every recorded form of a contact change is accepted, field by field."""
    event = recorded(name)
    detail = event["detail"]
    event_name, contact_type, action = EXPECTED[name]
    assert parse_change(event, MANAGEMENT_ACCOUNT) == ContactChange(
        event_id=detail["eventID"],
        event_time=detail["eventTime"],
        event_name=event_name,
        contact_type=contact_type,
        action=action,
        initiating_user=detail["userIdentity"]["arn"],
        source_account=MANAGEMENT_ACCOUNT,
        source_ip_address=detail["sourceIPAddress"],
        user_agent=detail["userAgent"],
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrap", [in_sqs, in_sns, in_sns_in_sqs])
def test_wrapped(name: str, wrap: Any) -> None:
    """An event is read the same from SQS, from SNS and from SNS in SQS as alone."""
    alone = list(changes_in(recorded(name), MANAGEMENT_ACCOUNT))
    assert list(changes_in(wrap(recorded(name)), MANAGEMENT_ACCOUNT)) == alone
    assert isinstance(alone[0], ContactChange)


def test_records_independent() -> None:
    """A bad record hides none of the others, and the order is kept."""
    payload = in_sqs(recorded("delete_alternate"), recorded("put_alternate_camel"), recorded("put_contact_information"))
    payload["Records"][1]["body"] = "{"
    found = list(changes_in(payload, MANAGEMENT_ACCOUNT))
    assert [type(item) for item in found] == [ContactChange, ChangeRefusedError, ContactChange]


@pytest.mark.parametrize("identity", list(user_identities()))
def test_user_identity(identity: str) -> None:
    """Every form of userIdentity names somebody."""
    form = user_identities()[identity]
    change = parse_change(changed(recorded("put_alternate_camel"), "detail.userIdentity", form), MANAGEMENT_ACCOUNT)
    assert change.initiating_user == form.get("arn", change.initiating_user)
    assert change.initiating_user


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ("Root", f"arn:aws:iam::{MANAGEMENT_ACCOUNT}:root"),
        ("FederatedUser", f"arn:aws:sts::{MANAGEMENT_ACCOUNT}:federated-user/saanvi"),
        ("AWSService", "account.amazonaws.com"),
        ("IdentityCenterUser", "94482488-3041-7026-18f3-be45837cd0e4"),
        ("WebIdentityUser", "accounts.google.com:contactsync.example:1234"),
    ],
)
def test_initiating_user(identity: str, expected: str) -> None:
    """The initiating user is the ARN, or the best name that the identity's form has."""
    event = changed(recorded("put_alternate_camel"), "detail.userIdentity", user_identities()[identity])
    assert parse_change(event, MANAGEMENT_ACCOUNT).initiating_user == expected


@pytest.mark.parametrize("key", ["accountId", "AccountId"])
@pytest.mark.parametrize("account", [MEMBER_ACCOUNT, MANAGEMENT_ACCOUNT, None, "", 7])
@pytest.mark.parametrize("name", NAMES)
def test_names_an_account(name: str, key: str, account: object) -> None:
    """A call that names an account, in either casing and be it the management account itself, is refused."""
    event = changed(recorded(name), f"detail.requestParameters.{key}", account)
    assert refusal(event).reason == Refused.MEMBER_ACCOUNT


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("detail.errorCode", "AccessDenied", Refused.FAILED_CALL),
        ("detail.errorMessage", "no", Refused.FAILED_CALL),
        ("detail.eventSource", "organizations.amazonaws.com", Refused.OTHER_SERVICE),
        ("detail.eventSource", ABSENT, Refused.MALFORMED),
        ("detail.eventName", "PutAccountName", Refused.OTHER_EVENT),
        ("detail.eventName", "putalternatecontact", Refused.OTHER_EVENT),
        ("detail.eventName", "GetAlternateContact", Refused.READ_ONLY),
        ("detail.eventName", "ListRegions", Refused.READ_ONLY),
        ("detail.readOnly", True, Refused.READ_ONLY),
        ("detail.readOnly", "true", Refused.READ_ONLY),
        ("detail.recipientAccountId", MEMBER_ACCOUNT, Refused.OTHER_RECIPIENT),
        ("detail.userIdentity.accountId", MEMBER_ACCOUNT, Refused.OTHER_RECIPIENT),
        ("detail.requestParameters.alternateContactType", "LEGAL", Refused.UNKNOWN_CONTACT_TYPE),
        ("detail.requestParameters.alternateContactType", "security", Refused.UNKNOWN_CONTACT_TYPE),
        ("detail.requestParameters.alternateContactType", ["SECURITY"], Refused.UNKNOWN_CONTACT_TYPE),
        ("detail.requestParameters.AlternateContactType", "BILLING", Refused.UNKNOWN_CONTACT_TYPE),
        ("detail.requestParameters", [], Refused.MALFORMED),
        ("detail.eventID", ABSENT, Refused.MALFORMED),
        ("detail.eventID", "", Refused.MALFORMED),
        ("detail.eventID", "../dags/other", Refused.MALFORMED),
        ("detail.eventID", "a" * 65, Refused.MALFORMED),
        ("detail.eventID", "5f0d5c0e\n", Refused.MALFORMED),
        ("detail.eventID", "٣f0d5c0e", Refused.MALFORMED),
        ("detail.eventTime", ABSENT, Refused.MALFORMED),
        ("detail.eventName", ABSENT, Refused.MALFORMED),
        ("detail.userIdentity", ABSENT, Refused.MALFORMED),
        ("detail.userIdentity", {}, Refused.MALFORMED),
        ("detail", ABSENT, Refused.MALFORMED),
        ("detail", "text", Refused.MALFORMED),
    ],
)
def test_refused(path: str, value: object, reason: RefusalReason) -> None:
    """Each thing that is wrong with an event has its own reason."""
    assert refusal(changed(recorded("put_alternate_camel"), path, value)).reason == reason


def test_every_reason_is_covered() -> None:
    """The table above and the test of named accounts know every reason."""
    table = next(mark for mark in test_refused.pytestmark if mark.name == "parametrize").args[1]
    assert {reason for *_, reason in table} | {Refused.MEMBER_ACCOUNT} == set(RefusalReason)


@pytest.mark.parametrize("payload", [None, [], "text", 3, {}, {"Records": None}, {"Records": {}}, {"detail": None}])
def test_no_event(payload: object) -> None:
    """Whatever is no event is one malformed event."""
    found = list(changes_in(payload, MANAGEMENT_ACCOUNT))
    assert [getattr(item, "reason", None) for item in found] == [Refused.MALFORMED]


@pytest.mark.parametrize("record", [None, {}, {"body": None}, {"body": "["}, {"Sns": {}}, {"Sns": {"Message": 1}}])
def test_bad_record(record: object) -> None:
    """A record without an event in it is malformed."""
    found = list(changes_in({"Records": [record]}, MANAGEMENT_ACCOUNT))
    assert [getattr(item, "reason", None) for item in found] == [Refused.MALFORMED]


@pytest.mark.usefixtures("_deep_nesting")
def test_deep_record() -> None:
    """A body nested deeper than the interpreter's stack is malformed, not a crash."""
    found = list(changes_in({"Records": [{"body": "[" * 200_000}]}, MANAGEMENT_ACCOUNT))
    assert [getattr(item, "reason", None) for item in found] == [Refused.MALFORMED]


def test_refusal_names_event() -> None:
    """A refusal carries the event's id, so that the log can be searched for it."""
    event = changed(recorded("put_alternate_camel"), "detail.errorCode", "AccessDenied")
    assert refusal(event).event_id == event["detail"]["eventID"]
    assert event["detail"]["eventID"] in str(refusal(event))


@pytest.mark.parametrize("path", ["detail.userIdentity.accountId", "detail.sourceIPAddress", "detail.userAgent"])
def test_optional(path: str) -> None:
    """What only informs may be missing."""
    event = changed(recorded("put_alternate_camel"), path, ABSENT)
    assert parse_change(event, MANAGEMENT_ACCOUNT).event_id == event["detail"]["eventID"]


def test_long_text() -> None:
    """Text that somebody made long is cut to what the DAG's params take."""
    event = changed(recorded("put_alternate_camel"), "detail.userAgent", "x" * 9000)
    assert len(parse_change(event, MANAGEMENT_ACCOUNT).user_agent or "") == 512


def test_conf_is_json() -> None:
    """The conf of the run is plain JSON with exactly the keys of the DAG's param `change`."""
    conf = parse_change(recorded("put_contact_information"), MANAGEMENT_ACCOUNT).as_conf()
    assert json.loads(json.dumps(conf)) == conf
    assert set(conf) == set(ContactChange.__dataclass_fields__)
