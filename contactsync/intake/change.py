"""Contact changes as CloudTrail records them: which events start a sync operation, and why others do not.

Standard library only: the trigger function imports this module. docs/events.md lists what happens with each form of an
event; no contact value is ever read from one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

from contactsync.errors import ChangeRefusedError
from contactsync.intake.call_parameters import is_redacted, values_named
from contactsync.intake.contact_change import (
    ACCOUNT_ID,
    ACTIONS,
    ALTERNATE_TYPES,
    ANY_ALTERNATE,
    PRIMARY,
    TEXT_LIMIT,
    ContactChange,
)
from contactsync.intake.principal import CALLERS_IN_THE_ACCOUNT, name_of

EVENT_SOURCE: Final = "account.amazonaws.com"

# CloudTrail's ids are UUIDs. The id becomes a DAG run id and part of a URL, so nothing else is accepted.
_EVENT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_ACCOUNT_ID: Final = re.compile(ACCOUNT_ID, re.ASCII)


class RefusalReason(StrEnum):
    """Why an event starts nothing."""

    MALFORMED = "malformed"
    OTHER_SERVICE = "other_service"
    OTHER_EVENT = "other_event"
    READ_ONLY = "read_only"
    FAILED_CALL = "failed_call"
    MEMBER_ACCOUNT = "member_account"
    OTHER_RECIPIENT = "other_recipient"
    UNKNOWN_CONTACT_TYPE = "unknown_contact_type"


NOT_UNDERSTOOD: Final = frozenset({RefusalReason.MALFORMED, RefusalReason.UNKNOWN_CONTACT_TYPE})
"""Events that may be the change of a contact, and so must not be dropped: they become dead letters."""


def changes_in(payload: object, management_account: str) -> Iterator[ContactChange | ChangeRefusedError]:
    """Read what Lambda received: one EventBridge event, or SQS or SNS records that contain some.

    Yields a change or a refusal for each event, so that one bad record hides no other. Never raises, whatever the JSON
    is.
    """
    records = payload.get("Records") if isinstance(payload, Mapping) else None
    if records == []:
        yield _refusal(RefusalReason.MALFORMED, "Records is empty")
    for item in records if isinstance(records, list) else [payload]:
        try:
            yield parse_change(_unwrapped(item) if isinstance(records, list) else item, management_account)
        except ChangeRefusedError as refusal:
            yield refusal


def parse_change(event: object, management_account: str) -> ContactChange:
    """Read one EventBridge event; raise ChangeRefusedError, and no other error, when it starts nothing."""
    envelope = _mapping(event, "the event")
    detail = _mapping(envelope.get("detail"), "detail")
    event_id = _event_id(detail)
    try:
        return _accepted(envelope, detail, event_id, management_account)
    except ChangeRefusedError as refusal:
        refusal.event_id = event_id
        raise


def _accepted(
    envelope: Mapping[object, object], detail: Mapping[object, object], event_id: str, management_account: str
) -> ContactChange:
    event_name = _check_call(detail)
    parameters = _parameters(detail)
    _check_accounts(envelope, detail, parameters, management_account)
    return ContactChange(
        event_id=event_id,
        event_time=_text(detail.get("eventTime"), "eventTime"),
        event_name=event_name,
        contact_type=_contact_type(event_name, parameters),
        action=ACTIONS[event_name],
        initiating_user=_initiating_user(detail.get("userIdentity")),
        source_account=management_account,
        source_ip_address=_optional_text(detail.get("sourceIPAddress")),
        user_agent=_optional_text(detail.get("userAgent")),
    )


def _check_call(detail: Mapping[object, object]) -> str:
    if _text(detail.get("eventSource"), "eventSource") != EVENT_SOURCE:
        raise _refusal(RefusalReason.OTHER_SERVICE, f"eventSource is not {EVENT_SOURCE}")
    name = _text(detail.get("eventName"), "eventName")
    if detail.get("readOnly") in (True, "true"):
        raise _refusal(RefusalReason.READ_ONLY, "the call only reads")
    if name not in ACTIONS:
        reason = RefusalReason.READ_ONLY if name.startswith(("Get", "List", "Describe")) else RefusalReason.OTHER_EVENT
        raise _refusal(reason, "eventName is not one of the three calls that change a contact")
    if detail.get("errorCode") is not None or detail.get("errorMessage") is not None:
        raise _refusal(RefusalReason.FAILED_CALL, "the call failed, so nothing changed")
    return name


def _check_accounts(
    envelope: Mapping[object, object],
    detail: Mapping[object, object],
    parameters: Mapping[object, object],
    management_account: str,
) -> None:
    if any(True for _ in values_named(parameters, "accountid")):
        raise _refusal(
            RefusalReason.MEMBER_ACCOUNT,
            "the call names an account, so it is not a change of the management account's own contact",
        )
    if _owner(envelope, detail) != management_account:
        raise _refusal(
            RefusalReason.OTHER_RECIPIENT, "the event belongs to another account than the management account"
        )
    identity = detail.get("userIdentity")
    if not isinstance(identity, Mapping) or identity.get("type") not in CALLERS_IN_THE_ACCOUNT:
        return
    caller = identity.get("accountId")
    if _is_account(caller) and caller != management_account:
        raise _refusal(RefusalReason.OTHER_RECIPIENT, "the caller belongs to another account")


def _owner(envelope: Mapping[object, object], detail: Mapping[object, object]) -> object:
    """Return the account for which the event was recorded: CloudTrail's optional field, or else EventBridge's own."""
    for account in (detail.get("recipientAccountId"), envelope.get("account")):
        if _is_account(account):
            return account
    raise _refusal(RefusalReason.MALFORMED, "neither recipientAccountId nor the envelope's account is an account id")


def _contact_type(event_name: str, parameters: Mapping[object, object]) -> str:
    if event_name == "PutContactInformation":
        return PRIMARY
    named = [value for value in values_named(parameters, "contacttype") if not is_redacted(value)]
    if not named:
        return ANY_ALTERNATE
    known = {ALTERNATE_TYPES.get(value) if isinstance(value, str) else None for value in named}
    contact_type = known.pop() if len(known) == 1 else None
    if contact_type is None:
        raise _refusal(
            RefusalReason.UNKNOWN_CONTACT_TYPE, "alternateContactType is not one of BILLING, OPERATIONS, SECURITY"
        )
    return contact_type


def _initiating_user(identity: object) -> str:
    name = name_of(_mapping(identity, "userIdentity"))
    if name is None:
        raise _refusal(RefusalReason.MALFORMED, "userIdentity does not say who made the call")
    return name


def _parameters(detail: Mapping[object, object]) -> Mapping[object, object]:
    value = detail.get("requestParameters")
    return {} if is_redacted(value) else _mapping(value, "requestParameters")


def _event_id(detail: Mapping[object, object]) -> str:
    value = detail.get("eventID")
    if not isinstance(value, str) or not _EVENT_ID.fullmatch(value):
        raise _refusal(RefusalReason.MALFORMED, "eventID is missing or not an id")
    return value


def _unwrapped(record: object) -> object:
    """Return the event inside an SQS record, an SNS record, or an SNS message in an SQS record."""
    wrapper = _mapping(record, "a record")
    sns = wrapper.get("Sns")
    body = sns.get("Message") if isinstance(sns, Mapping) else wrapper.get("body")
    event = _decoded(body)
    if isinstance(event, Mapping) and event.get("Type") == "Notification":
        return _decoded(event.get("Message"))
    return event


def _decoded(text: object) -> object:
    if not isinstance(text, str):
        raise _refusal(RefusalReason.MALFORMED, "a record has no text body")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _refusal(RefusalReason.MALFORMED, "a record's body is not JSON") from None


def _mapping(value: object, what: str) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise _refusal(RefusalReason.MALFORMED, f"{what} is not an object")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise _refusal(RefusalReason.MALFORMED, f"{what} is missing")
    return value[:TEXT_LIMIT]


def _optional_text(value: object) -> str | None:
    return value[:TEXT_LIMIT] if isinstance(value, str) and value else None


def _is_account(value: object) -> bool:
    return isinstance(value, str) and _ACCOUNT_ID.fullmatch(value) is not None


def _refusal(reason: RefusalReason, detail: str) -> ChangeRefusedError:
    return ChangeRefusedError(reason=reason, detail=detail)
