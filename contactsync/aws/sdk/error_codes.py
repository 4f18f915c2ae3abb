"""Turns AWS's errors into contactsync's errors.

What a code means is in `contactsync.errors.aws.codes`; what is known about the call is added here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from contactsync.aws.sdk.call_places import place_of
from contactsync.aws.sdk.sdk_errors import SIGNING_CALLS, translate_sdk
from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    ClockWrongError,
    CredentialsRefusedError,
    RequestInvalidError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
)
from contactsync.errors.aws.codes import MEANINGS
from contactsync.errors.kinds import kinds

ERRORS: Final[Mapping[str, type[AwsCallError]]] = {code: kinds()[meaning] for code, meaning in MEANINGS.items()}

NOT_FOUND: Final = "ResourceNotFoundException"
TOO_MANY: Final = 429
SERVER_FAULT: Final = 500

# AWS's message can quote values, so only these parts of it are kept; each has a form that no contact field has.
_DENIAL: Final = re.compile(
    r"User: (?P<principal>arn:[\w+=,.@:/-]{1,2048}) is not authorized to perform: (?P<action>[a-z0-9-]{1,64}:\w{1,128})"
    r"(?: on resource: \"?(?P<resource>arn:[\w+=,.@:/*-]{1,2048}))?",
    re.ASCII,
)
_REASON: Final = re.compile(
    r"\b(?P<because>(?:because no|with an explicit deny in an?) "
    r"(?:identity-based|resource-based|service control|resource control|session|permissions boundary|VPC endpoint)"
    r"(?: policy| boundary)?)",
    re.ASCII,
)
_SKEW: Final = re.compile(r"Signature (?:expired|not yet current)", re.ASCII)


@contextmanager
def translated(api_operation: str, account_id: str | None = None) -> Iterator[None]:
    """Raise contactsync's error for any error of botocore inside, without AWS's message, which can quote values."""
    try:
        yield
    except ClientError as error:
        raise translate(error, api_operation, account_id) from None
    except BotoCoreError as error:
        raise translate_sdk(error, api_operation, account_id) from None


def translate(error: ClientError, api_operation: str, account_id: str | None = None) -> AwsCallError:
    """Return contactsync's error for AWS's; an unknown code is judged by its HTTP status."""
    code = code_of(error)
    if error.operation_name in SIGNING_CALLS - {api_operation}:
        api_operation, account_id = str(error.operation_name), None
    code = next((reason for reason in _reasons(error) if reason in ERRORS), code)
    kind = _kind_of(code, error)
    facts: dict[str, Any] = {"api_operation": api_operation, "aws_code": code, "account_id": account_id}
    facts |= vars(place_of(error))
    if issubclass(kind, AccessDeniedError):
        facts |= _denial(_message_of(error))
    if issubclass(kind, RequestInvalidError):
        facts["fields"] = _field_names(error.response)
    return kind(**facts)


def code_of(error: ClientError) -> str:
    """Return AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def _kind_of(code: str, error: ClientError) -> type[AwsCallError]:
    kind = ERRORS.get(code)
    if kind is CredentialsRefusedError and _SKEW.search(_message_of(error)):
        return ClockWrongError
    if kind is not None:
        return kind
    status = _status_of(error)
    if status == TOO_MANY:
        return ThrottledError
    return ServiceUnavailableError if status >= SERVER_FAULT else UnexpectedAwsError


def _reasons(error: ClientError) -> list[str]:
    """Return why DynamoDB cancelled a transaction; a failed condition comes last: only that can simply be retried."""
    answered: Any = error.response
    codes = [str(reason.get("Code")) for reason in answered.get("CancellationReasons") or ()]
    return sorted(codes, key=lambda code: code == "ConditionalCheckFailed")


def _message_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def _denial(message: str) -> dict[str, str]:
    """Return who was denied which action, as far as AWS says so in its usual sentence."""
    matches = [match.groupdict() for pattern in (_DENIAL, _REASON) if (match := pattern.search(message))]
    return {name: value for parts in matches for name, value in parts.items() if value}


def _status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _field_names(response: Any) -> tuple[str, ...]:  # noqa: ANN401 -- the modelled shape has only the common keys
    fields: Iterable[Any] = response.get("fieldList") or ()
    return tuple(str(field["name"]) for field in fields if isinstance(field, dict) and "name" in field)
