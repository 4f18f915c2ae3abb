"""Dead letters as they are shown: no contact value, whatever the event looks like."""

import json
from typing import Any

import pytest

from contactsync.bus.masking import MASK, masked, masked_text
from tests.support.recorded import MEMBER_ACCOUNT, NAMES, changed, in_sns, in_sns_in_sqs, in_sqs, recorded

ALTERNATE = {
    "Name": "Wanda Quillfeather",
    "Title": "Warden",
    "EmailAddress": "wanda.quillfeather@quagga.example",
    "PhoneNumber": "+1 (206) 555-0134",
}
PRIMARY = {"contactInformation": {"FullName": "Wanda Quillfeather", "addressLine1": "17 Osprey Wharf", "lines": ["x9"]}}
VALUES = [*ALTERNATE.values(), "17 Osprey Wharf", "x9"]


def event(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return an event with parameters of a call in clear."""
    return changed(recorded("put_alternate_camel"), "detail.requestParameters", parameters)


@pytest.mark.parametrize("parameters", [ALTERNATE, PRIMARY, {k.lower(): v for k, v in ALTERNATE.items()}])
@pytest.mark.parametrize("wrap", [lambda e: e, in_sns, in_sqs, in_sns_in_sqs, lambda e: {"requestPayload": e}])
def test_parameters(parameters: dict[str, Any], wrap: Any) -> None:
    """A call's parameters are masked in either casing, however the event is wrapped."""
    text = json.dumps(masked_text(json.dumps(wrap(event(parameters)))))
    assert MASK in text
    assert not [value for value in VALUES if value in text]


def test_shown_parameters() -> None:
    """Which contact of which account it was is shown."""
    kept = {"alternateContactType": "SECURITY", "AccountId": MEMBER_ACCOUNT}
    found = masked(event({**ALTERNATE, **kept}))["detail"]["requestParameters"]
    assert found == dict.fromkeys(ALTERNATE, MASK) | kept


@pytest.mark.parametrize("name", ["accountId", "AlternateContactType", "contactType"])
def test_disguised(name: str) -> None:
    """A value that does not look as it should is masked, whatever it is called."""
    assert masked({"requestParameters": {name: ALTERNATE["PhoneNumber"]}}) == {"requestParameters": {name: MASK}}


def test_elsewhere() -> None:
    """A contact's field is masked wherever it stands; what is no contact is shown."""
    assert masked({"a": [{"emailAddress": "w@q.example", "id": 3}]}) == {"a": [{"emailAddress": MASK, "id": 3}]}


@pytest.mark.parametrize("name", ["email_address", "Email-Address", "EMAIL ADDRESS", "phone_number"])
def test_other_notation(name: str) -> None:
    """A contact's field is masked in every notation of its name."""
    assert masked({"detail": {name: "w@q.example"}}) == {"detail": {name: MASK}}


@pytest.mark.parametrize("wrap", [lambda text: f"\ufeff{text}", lambda text: f"\r\n {text}", json.dumps])
def test_kept_as_text(wrap: Any) -> None:
    """JSON that is kept as text is masked, also behind a byte order mark, or as text within text."""
    inner = json.dumps({"request_parameters": {"lines": ["x9"]}, "emailAddress": "w@q.example"})
    text = json.dumps(masked({"body": wrap(inner)}))
    assert "x9" not in text
    assert "w@q.example" not in text


@pytest.mark.parametrize("name", NAMES)
def test_recorded(name: str) -> None:
    """Everything else of a recorded event stays as it is."""
    found, plain = masked(recorded(name)), recorded(name)
    assert found["detail"].pop("requestParameters").keys() == plain["detail"].pop("requestParameters").keys()
    assert found == plain


@pytest.mark.parametrize(
    ("kind", "shown"), [("TriggerError", "MWAA refused."), ("KeyError", MASK), ("Runtime.ExitError", MASK)]
)
def test_error_text(kind: str, shown: str) -> None:
    """The text of our own errors is shown, that of others is masked: it may quote what they were given."""
    found = masked({"responsePayload": {"errorType": kind, "errorMessage": "MWAA refused."}})
    assert found["responsePayload"] == {"errorType": kind, "errorMessage": shown}


@pytest.mark.parametrize(
    "text", ["Wanda Quillfeather", '"Wanda Quillfeather"', "[" * 5000, '{"a":' * 700 + "1" + "}" * 700]
)
@pytest.mark.usefixtures("_deep_nesting")
def test_no_object(text: str) -> None:
    """Of what is not JSON, or too deep to be looked through, only the length is told."""
    assert masked_text(text) == f"{MASK} ({len(text)} bytes that are no JSON object)"
