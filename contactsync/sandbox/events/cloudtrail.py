"""CloudTrail's records of the account service's write calls, in the envelope that EventBridge puts around them."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from contactsync.sandbox.events.event_settings import EventSettings

WRITE_CALLS = frozenset({"PutAlternateContact", "DeleteAlternateContact", "PutContactInformation"})
REDACTED = "***"
_PLAIN = frozenset({"AccountId", "AlternateContactType"})
_PARAMETERS_LIMIT = 100 * 1024  # bytes; CloudTrail replaces larger request parameters by a note


class RecordedCall(Protocol):
    """The facts about a call that its CloudTrail record needs; the call log's ApiCall has them."""

    @property
    def time(self) -> datetime:
        """When the call arrived, with its time zone."""

    @property
    def service(self) -> str:
        """The service's name in the SDK, such as account."""

    @property
    def operation(self) -> str:
        """The operation, such as PutAlternateContact."""

    @property
    def caller_account(self) -> str:
        """The account of the caller's credentials, in whose trail the call is recorded."""

    @property
    def caller_arn(self) -> str:
        """The caller's ARN, as STS returns it."""

    @property
    def source_ip(self) -> str:
        """Where the call came from."""

    @property
    def user_agent(self) -> str:
        """The client's User-Agent header."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """The request parameters as the client sent them."""

    @property
    def error_code(self) -> str | None:
        """The code of the error that was answered; None without an error."""

    @property
    def error_message(self) -> str | None:
        """The message of the error that was answered; None without an error."""

    @property
    def request_id(self) -> str:
        """The request id of the answer."""

    @property
    def status(self) -> int:
        """The status that was answered; 0 when the connection was dropped."""

    @property
    def applied(self) -> bool:
        """Whether the service carried out the call, also when its client got an error."""


def is_recorded(call: RecordedCall) -> bool:
    """Return whether the call makes an event: all writes that arrived do, also failed ones; reads do not."""
    arrived = call.applied or call.status != 0
    return call.service == "account" and call.operation in WRITE_CALLS and arrived


def event_of(call: RecordedCall, settings: EventSettings) -> dict[str, Any]:
    """Return the event of a call, for the default bus of the caller's account in us-east-1."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.account",
        "account": call.caller_account,
        "time": _timestamp(call.time),
        "region": "us-east-1",
        "resources": [],
        "detail": _record(call, settings),
    }


def _record(call: RecordedCall, settings: EventSettings) -> dict[str, Any]:
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": user_identity(call.caller_arn, call.caller_account, _timestamp(call.time)),
        "eventTime": _timestamp(call.time),
        "eventSource": "account.amazonaws.com",
        "eventName": call.operation,
        "awsRegion": "us-east-1",
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent,
    }
    if call.error_code and not call.applied:  # CloudTrail records what the service did, not what the client received
        record["errorCode"] = call.error_code
        record["errorMessage"] = REDACTED if settings.redacted and _quotes_values(call) else call.error_message
    return record | {
        "requestParameters": request_parameters(call.operation, call.parameters, settings),
        "responseElements": None,
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.caller_account,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": "account.us-east-1.amazonaws.com",
        },
    }


def _quotes_values(call: RecordedCall) -> bool:
    """Return whether the error's message can repeat what the client sent (sensitive by the service's model)."""
    return call.error_code == "ValidationException"


def request_parameters(
    operation: str, parameters: Mapping[str, object] | None, settings: EventSettings
) -> dict[str, Any] | None:
    """Return the parameters in the chosen casing; the account id is there only if the client sent it."""
    if parameters is None:
        return None
    written = {name: _value(name, value, redacted=settings.redacted) for name, value in parameters.items()}
    if operation == "PutAlternateContact" and settings.casing == "camel" and not settings.redacted:
        written.pop("PhoneNumber", None)  # the record in AWS's documentation does not have it
    size = len(json.dumps(written, default=str))
    if size > _PARAMETERS_LIMIT:
        return {"omitted": True, "originalSize": size, "reason": "requestParameters too large"}
    cased: dict[str, Any] = _camel(written) if settings.casing == "camel" else written
    return cased


def _value(name: str, value: object, *, redacted: bool) -> object:
    if not redacted or name in _PLAIN:
        return json.loads(json.dumps(value, default=str))
    return dict.fromkeys(value, REDACTED) if isinstance(value, Mapping) else REDACTED


def _camel(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    if isinstance(value, Mapping):
        return {name[:1].lower() + name[1:]: _camel(field) for name, field in value.items()}
    return value


def user_identity(arn: str, account: str, time: str) -> dict[str, Any]:
    """Describe the caller as CloudTrail does: root user, IAM user, or the session of an assumed role."""
    resource = arn.rpartition(":")[2]
    named: dict[str, Any] = {"arn": arn, "accountId": account, "accessKeyId": _unique_id("ASIA", arn)}
    if resource.startswith("assumed-role/"):
        _, role, session = [*resource.split("/", 2), ""][:3]
        return {
            "type": "AssumedRole",
            "principalId": f"{_unique_id('AROA', account + role)}:{session}",
            **named,
            "sessionContext": _session_context(role, account, time),
        }
    if resource.startswith("user/"):
        named["accessKeyId"] = _unique_id("AKIA", arn)
        user = resource.rpartition("/")[2]
        return {"type": "IAMUser", "principalId": _unique_id("AIDA", arn), **named, "userName": user}
    return {"type": "Root", "principalId": account, **named}


def _session_context(role: str, account: str, time: str) -> dict[str, Any]:
    return {
        "sessionIssuer": {
            "type": "Role",
            "principalId": _unique_id("AROA", account + role),
            "arn": f"arn:aws:iam::{account}:role/{role}",
            "accountId": account,
            "userName": role,
        },
        "attributes": {"creationDate": time, "mfaAuthenticated": "false"},
    }


def _unique_id(prefix: str, seed: str) -> str:
    return prefix + hashlib.sha256(seed.encode()).hexdigest()[:17].upper()


def _timestamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
