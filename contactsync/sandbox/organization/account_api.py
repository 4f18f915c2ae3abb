"""The account service for contacts, in place of moto's: what it accepts, refuses and answers.

https://docs.aws.amazon.com/accounts/latest/reference/API_Operations.html, and recordings where they say more.
"""

import json
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import moto.account.urls

from contactsync.sandbox.contacts.account_rules import (
    ALTERNATE_CONTACT_TYPE,
    ALTERNATE_TYPES,
    TARGET_ACCOUNT,
    ContactType,
    FieldError,
    contact_errors,
    contact_fields,
    field_errors,
    stored,
)
from contactsync.sandbox.handover import Attribute, Handover
from contactsync.sandbox.organization.account_access import AccessDeniedError, account_to_act_on
from contactsync.sandbox.organization.organization import OrganizationState
from contactsync.sandbox.requests.callers import Caller, Callers

Answer = tuple[int, dict[str, str], str]
_Operation = Callable[[Caller, Mapping[str, Any]], Mapping[str, Any] | None]
_ACCESS_KEY = re.compile(r"Credential=([^/,\s]+)/")
_CONTENT_TYPE = {"Content-Type": "application/json"}
_PATHS = "{0}/(?P<operation>[A-Za-z]+)$"


class _ServiceError(Exception):
    """An error in the service's words, which can quote a value of the request; so nothing stores or logs them."""

    def __init__(self, status: int, code: str, message: str, **members: object) -> None:
        self.status = status
        self.code = code
        self.body = {"message": message, **members}
        super().__init__(code)


class AccountApi:
    """The five operations on contacts; many threads call it."""

    def __init__(self, organization: OrganizationState) -> None:
        self._organization = organization
        self._callers = Callers(organization.management_account)
        self._operations: Mapping[str, _Operation] = {
            "getContactInformation": self._get_contact_information,
            "putContactInformation": self._put_contact_information,
            "getAlternateContact": self._get_alternate_contact,
            "putAlternateContact": self._put_alternate_contact,
            "deleteAlternateContact": self._delete_alternate_contact,
        }

    def respond(self, request: Any, _url: str = "", _headers: object = None) -> Answer:  # noqa: ANN401 - moto's request
        """Answer a request in moto's form: status, headers and body."""
        try:
            operation = self._operation(request.path.rstrip("/").rpartition("/")[2])
            answer = operation(self._caller(request), _body(request.get_data()))
        except _ServiceError as error:
            return error.status, {**_CONTENT_TYPE, "x-amzn-ErrorType": error.code}, json.dumps(error.body)
        return 200, dict(_CONTENT_TYPE), "" if answer is None else json.dumps(answer)

    def _operation(self, name: str) -> _Operation:
        if name not in self._operations:
            raise _ServiceError(404, "UnknownOperationException", f"The sandbox has no operation {name}")
        return self._operations[name]

    def _get_contact_information(self, caller: Caller, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._refuse(field_errors((TARGET_ACCOUNT,), body))
        account = self._account(caller, body, "GetContactInformation")
        return {"ContactInformation": dict(self._read(account, ContactType.PRIMARY))}

    def _put_contact_information(self, caller: Caller, body: Mapping[str, Any]) -> None:
        self._refuse(field_errors((TARGET_ACCOUNT,), body) + self._contact_information_errors(body))
        account = self._account(caller, body, "PutContactInformation")
        contact = stored(ContactType.PRIMARY, body["ContactInformation"])
        self._organization.contacts.put(account, ContactType.PRIMARY, contact)

    def _get_alternate_contact(self, caller: Caller, body: Mapping[str, Any]) -> Mapping[str, Any]:
        contact_type = self._contact_type(caller, body, "GetAlternateContact")
        account = self._account(caller, body, "GetAlternateContact")
        contact = self._read(account, contact_type)
        return {"AlternateContact": {**contact, "AlternateContactType": contact_type.upper()}}

    def _put_alternate_contact(self, caller: Caller, body: Mapping[str, Any]) -> None:
        errors = contact_errors(ContactType.BILLING, body)
        contact_type = self._contact_type(caller, body, "PutAlternateContact", errors)
        account = self._account(caller, body, "PutAlternateContact")
        self._organization.contacts.put(account, contact_type, stored(contact_type, body))

    def _delete_alternate_contact(self, caller: Caller, body: Mapping[str, Any]) -> None:
        contact_type = self._contact_type(caller, body, "DeleteAlternateContact")
        account = self._account(caller, body, "DeleteAlternateContact")
        if not self._organization.contacts.delete(account, contact_type):
            raise _not_found(contact_type)

    def _caller(self, request: Any) -> Caller:  # noqa: ANN401 - moto's request
        chosen = request.headers.get("x-moto-account-id")
        signed = _ACCESS_KEY.search(request.headers.get("Authorization", ""))
        caller = self._callers.caller_of(signed[1] if signed else "")
        return Caller(chosen or caller.account, caller.arn)

    def _account(self, caller: Caller, body: Mapping[str, Any], operation: str) -> str:
        try:
            return account_to_act_on(self._organization, caller.account, body.get("AccountId"))
        except AccessDeniedError as error:
            raise _denied(caller, operation, str(error)) from None

    def _contact_type(
        self, caller: Caller, body: Mapping[str, str], operation: str, further_errors: list[FieldError] | None = None
    ) -> ContactType:
        """Return the type; AWS refuses an unknown type as not authorized, before it checks anything else."""
        contact_type = body.get("AlternateContactType")
        if contact_type not in (None, *ALTERNATE_TYPES):
            raise _denied(caller, operation, "You specified an invalid Alternate Contact type.")
        self._refuse(field_errors((TARGET_ACCOUNT, ALTERNATE_CONTACT_TYPE), body) + (further_errors or []))
        return ContactType(body["AlternateContactType"].lower())

    def _contact_information_errors(self, body: Mapping[str, Any]) -> list[FieldError]:
        if "ContactInformation" not in body:
            missing = 'object has missing required properties (["ContactInformation"])'
            return [FieldError("ContactInformation", "Member must not be null", missing)]
        strict = self._organization.account_rules.strict_states
        return contact_errors(ContactType.PRIMARY, body["ContactInformation"], strict_states=strict)

    def _refuse(self, errors: list[FieldError]) -> None:
        if not errors:
            return
        listed = ",".join(error.answer for error in errors)
        message = listed if listed.startswith("the argument") else f"[{listed}]"
        members: dict[str, object] = {}
        if self._organization.account_rules.field_lists:
            fields = [{"name": error.name, "message": error.problem} for error in errors]
            members = {"reason": "fieldValidationFailed", "fieldList": fields}
        raise _ServiceError(400, "ValidationException", message, **members)

    def _read(self, account: str, contact_type: ContactType) -> Mapping[str, str]:
        contact = self._organization.contacts.read(account, contact_type)
        if contact is None:
            raise _not_found(contact_type)
        return contact


def _respond(request: Any, url: str = "", headers: object = None) -> Answer:  # noqa: ANN401 - moto's request
    api = handover.part
    if api is None:
        raise NotImplementedError
    return api.respond(request, url, headers)


def _body(content: bytes) -> dict[str, Any]:
    """Return the members of a request: only texts, and ContactInformation; null counts as absent."""
    try:
        body = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        raise _unreadable() from None
    if not isinstance(body, dict):
        raise _unreadable()
    information = body.get("ContactInformation")
    if information is not None:
        body["ContactInformation"] = _texts(information, contact_fields(ContactType.PRIMARY))
    known = {"AccountId", "AlternateContactType", *contact_fields(ContactType.BILLING)}
    return {
        **_texts(body, known),
        **({} if information is None else {"ContactInformation": body["ContactInformation"]}),
    }


def _texts(members: object, known: AbstractSet[str]) -> dict[str, str]:
    if not isinstance(members, dict):
        raise _unreadable()
    given = {name: value for name, value in members.items() if name in known and value is not None}
    if not all(isinstance(value, str) for value in given.values()):
        raise _unreadable()
    return given


def _denied(caller: Caller, operation: str, reason: str) -> _ServiceError:
    message = f"User: {caller.arn} is not authorized to perform: account:{operation} ({reason})"
    return _ServiceError(403, "AccessDeniedException", message)


def _not_found(contact_type: ContactType) -> _ServiceError:
    if contact_type is ContactType.PRIMARY:
        return _ServiceError(404, "ResourceNotFoundException", "No contact information found.")
    message = "No contact of the inputted alternate contact type found."
    return _ServiceError(404, "ResourceNotFoundException", message)


def _unreadable() -> _ServiceError:
    return _ServiceError(400, "SerializationException", "The request is not JSON of the operation's shape.")


handover: Handover[AccountApi] = Handover(Attribute(moto.account.urls, "url_paths", {_PATHS: _respond}))
"""A server reads the paths at its first request for the service, so this is entered before the server starts."""
