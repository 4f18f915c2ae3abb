"""Events in every form that CloudTrail documents: what is optional, redacted, renamed or nested, and who called."""

from typing import Any

import pytest

from contactsync.errors import ChangeRefusedError
from contactsync.intake.change import NOT_UNDERSTOOD, RefusalReason, parse_change
from contactsync.intake.principal import is_principal, principal_text, short_name
from tests.support.recorded import ABSENT, MANAGEMENT_ACCOUNT, MEMBER_ACCOUNT, NAMES, changed, recorded, user_identities

ELSEWHERE = "777788889999"
REDACTED = [None, "", "*", "***", "****", "HIDDEN_DUE_TO_SECURITY_REASONS", "<redacted>", "[REDACTED]", "--"]
PUT = recorded("put_alternate_camel")


def result_of(event: object) -> str:
    """Return the contact type of the change, or why the event starts nothing."""
    try:
        return parse_change(event, MANAGEMENT_ACCOUNT).contact_type
    except ChangeRefusedError as refusal:
        return refusal.reason


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [ABSENT, None, "", "***", 111122223333])
def test_recipient_from_the_envelope(name: str, value: object) -> None:
    """CloudTrail's recipientAccountId is optional; EventBridge says itself whose event it is."""
    event = changed(recorded(name), "detail.recipientAccountId", value)
    assert result_of(event) == result_of(recorded(name))
    assert result_of(changed(event, "account", MEMBER_ACCOUNT)) == RefusalReason.OTHER_RECIPIENT


@pytest.mark.parametrize("account", [ABSENT, None, "", "***", 7, "12345"])
def test_recipient_unknown(account: object) -> None:
    """When neither says whose event it is, it becomes a dead letter."""
    event = changed(changed(PUT, "detail.recipientAccountId", ABSENT), "account", account)
    assert result_of(event) in NOT_UNDERSTOOD


@pytest.mark.parametrize("identity", list(user_identities()))
@pytest.mark.parametrize("name", NAMES)
def test_member_event(identity: str, name: str) -> None:
    """A member account's own event starts no run, whoever called."""
    event = changed(recorded(name), "detail.userIdentity", user_identities()[identity])
    for own in (
        changed(event, "detail.recipientAccountId", MEMBER_ACCOUNT),
        changed(changed(event, "detail.recipientAccountId", ABSENT), "account", MEMBER_ACCOUNT),
    ):
        assert result_of(own) == RefusalReason.OTHER_RECIPIENT


@pytest.mark.parametrize("identity", ["IdentityCenterUser", "AWSAccount", "Unknown", "WebIdentityUser", "SAMLUser"])
def test_account_of_others(identity: str) -> None:
    """Of these forms the account is not the target's: that of IdentityCenterUser owns the Identity Center instance."""
    event = changed(PUT, "detail.userIdentity", {**user_identities()[identity], "accountId": ELSEWHERE})
    assert result_of(event) == "security"


@pytest.mark.parametrize("identity", ["Root", "IAMUser", "AssumedRole", "Role", "FederatedUser"])
def test_account_of_the_caller(identity: str) -> None:
    """A caller of these forms acts in its own account, which has to be the management account."""
    event = changed(PUT, "detail.userIdentity", {**user_identities()[identity], "accountId": ELSEWHERE})
    assert result_of(event) == RefusalReason.OTHER_RECIPIENT


@pytest.mark.parametrize("value", [ABSENT, *REDACTED])
@pytest.mark.parametrize("name", ["put_alternate_camel", "put_alternate_pascal_redacted", "delete_alternate"])
def test_type_redacted(name: str, value: object) -> None:
    """A contact type that is redacted or left out may be any of the three alternate contacts."""
    event = recorded(name)
    for key in ("alternateContactType", "AlternateContactType"):
        event = changed(event, f"detail.requestParameters.{key}", ABSENT)
    assert result_of(event) == "alternate"
    assert result_of(changed(event, "detail.requestParameters.alternateContactType", value)) == "alternate"


OMITTED = {"omitted": True, "originalSize": 123456, "reason": "requestParameters too large"}


@pytest.mark.parametrize("value", [ABSENT, *REDACTED, {}, OMITTED])
@pytest.mark.parametrize(
    ("name", "expected"),
    [("put_alternate_camel", "alternate"), ("delete_alternate", "alternate"), ("put_contact_information", "primary")],
)
def test_parameters_redacted(name: str, expected: str, value: object) -> None:
    """Parameters that are redacted, left out or too large say nothing; the call's name says as much as there is."""
    assert result_of(changed(recorded(name), "detail.requestParameters", value)) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {"AlternateContactType": "SECURITY"},
        {"alternate_contact_type": "SECURITY"},
        {"contactType": "SECURITY"},
        {"putAlternateContactRequest": {"alternateContactType": "SECURITY", "name": "***"}},
        {"request": [{"AlternateContactType": "SECURITY"}]},
        {"alternateContactType": "SECURITY", "AlternateContactType": "***"},
    ],
)
def test_type_elsewhere(parameters: Any) -> None:
    """The contact type is found under both casings, nested, and under names that end alike."""
    assert result_of(changed(PUT, "detail.requestParameters", parameters)) == "security"


@pytest.mark.parametrize("value", ["LEGAL", "security", "Security", "SECURITY ", ["SECURITY"], 7, {"value": "BILLING"}])
def test_type_unknown(value: object) -> None:
    """A contact type that is none of the three cannot be synchronized, nor dropped: a dead letter."""
    assert result_of(changed(PUT, "detail.requestParameters.alternateContactType", value)) in NOT_UNDERSTOOD


@pytest.mark.parametrize("parameters", [[], ["SECURITY"], 7, True, "some text"])
def test_parameters_of_another_shape(parameters: object) -> None:
    """Parameters that are neither an object nor redacted are not understood: a dead letter."""
    assert result_of(changed(PUT, "detail.requestParameters", parameters)) in NOT_UNDERSTOOD


@pytest.mark.parametrize(
    "parameters",
    [
        {"account_id": MEMBER_ACCOUNT},
        {"AccountID": "***"},
        {"targetAccountId": MEMBER_ACCOUNT},
        {"putContactInformationRequest": {"accountId": MEMBER_ACCOUNT}},
        {"request": [{"AccountId": MEMBER_ACCOUNT}]},
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_account_elsewhere(name: str, parameters: dict[str, Any]) -> None:
    """A call for a member account is one wherever its account is named, so our own writes start no run."""
    found = recorded(name)["detail"]["requestParameters"]
    event = changed(recorded(name), "detail.requestParameters", {**found, **parameters})
    assert result_of(event) == RefusalReason.MEMBER_ACCOUNT


@pytest.mark.parametrize("identity", list(user_identities()))
def test_principal(identity: str) -> None:
    """Every form names its caller in the letters of a principal."""
    event = changed(PUT, "detail.userIdentity", user_identities()[identity])
    assert is_principal(parse_change(event, MANAGEMENT_ACCOUNT).initiating_user)


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ({"type": "AWSService", "invokedBy": "AWS Internal"}, "AWS%20Internal"),
        ({"type": "AssumedRole", "arn": "***", "principalId": "AROA:saanvi"}, "AROA:saanvi"),
        ({"type": "IdentityCenterUser", "onBehalfOf": None, "credentialId": "90e2-92de"}, "90e2-92de"),
        ({"type": "SAMLUser", "principalId": "IdP:wanda <admin>"}, "IdP:wanda%20%3Cadmin%3E"),
        ({"type": "Unknown"}, "Unknown"),
    ],
)
def test_principal_forms(identity: dict[str, Any], expected: str) -> None:
    """What a principal cannot hold is written as its code, so that it has no meaning and is not lost."""
    event = changed(PUT, "detail.userIdentity", identity)
    assert parse_change(event, MANAGEMENT_ACCOUNT).initiating_user == expected


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ("arn:aws:iam::111122223333:user/wanda", "user/wanda"),
        ("arn:aws-cn:sts::111122223333:assumed-role/Admin/a:b", "assumed-role/Admin/a:b"),
        ("arn:aws:iam::111122223333:root", "root"),
        ("arn:aws", "arn:aws"),
        ("account.amazonaws.com", "account.amazonaws.com"),
    ],
)
def test_short_name(principal: str, expected: str) -> None:
    """The short name is an ARN's last part, and everything else as it is."""
    assert short_name(principal) == expected


def test_principal_text_is_one() -> None:
    """Different names stay different, also those that hold the codes themselves."""
    names = ["a b", "a%20b", "a%2520b", "a~b", "a%7Eb", "é", "\ud800", "a\nb", "a\u202eb"]
    written = [principal_text(name) for name in names]
    assert all(map(is_principal, written))
    assert len(set(written)) == len(names)


@pytest.mark.parametrize("name", ["a@b.example", "https://evil.example", "__bold__", "x" * 600])
def test_note(name: str) -> None:
    """The run's note has nothing that Airflow's pages would show as a mention, a link or emphasis, and is short."""
    identity = {"type": "SAMLUser", "principalId": name}
    note = parse_change(changed(PUT, "detail.userIdentity", identity), MANAGEMENT_ACCOUNT).note
    assert note.startswith("security put by ")
    assert len(note) <= 200
    assert not [mark for mark in ("@", "://", "__") if mark in note]
