"""The one table that turns AWS's error codes into contactsync's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    CredentialsMissingError,
    NotInOrganizationError,
    OrganizationMissingError,
    RequestInvalidError,
    ResourceMissingError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
)

ERRORS: Final[dict[str, type[AwsCallError]]] = {
    "AccessDeniedException": AccessDeniedError,
    "AccessDenied": AccessDeniedError,
    "UnauthorizedOperation": AccessDeniedError,
    "UnrecognizedClientException": AccessDeniedError,
    "InvalidClientTokenId": AccessDeniedError,
    "TooManyRequestsException": ThrottledError,
    "ThrottlingException": ThrottledError,
    "Throttling": ThrottledError,
    "RequestLimitExceeded": ThrottledError,
    "ProvisionedThroughputExceededException": ThrottledError,
    "InternalServerException": ServiceUnavailableError,
    "InternalServerError": ServiceUnavailableError,
    "InternalFailure": ServiceUnavailableError,
    "ServiceException": ServiceUnavailableError,
    "ServiceUnavailable": ServiceUnavailableError,
    "ServiceUnavailableException": ServiceUnavailableError,
    "ValidationException": RequestInvalidError,
    "InvalidInputException": RequestInvalidError,
    "InvalidParameter": RequestInvalidError,
    "InvalidParameterValue": RequestInvalidError,
    "ParameterValueInvalid": RequestInvalidError,
    "ValidationError": RequestInvalidError,
    "BatchEntryIdsNotDistinct": RequestInvalidError,
    "BatchRequestTooLong": RequestInvalidError,
    "InvalidBatchEntryId": RequestInvalidError,
    "TooManyEntriesInBatchRequest": RequestInvalidError,
    "ResourceNotFoundException": ResourceMissingError,
    "NotFound": ResourceMissingError,
    "NoSuchBucket": ResourceMissingError,
    "AuthorizationError": AccessDeniedError,
    "InternalError": ServiceUnavailableError,
    "SlowDown": ThrottledError,
    "AWS.SimpleQueueService.NonExistentQueue": ResourceMissingError,
    "QueueDoesNotExist": ResourceMissingError,
    "AccountNotFoundException": NotInOrganizationError,
    "ChildNotFoundException": NotInOrganizationError,
    "OrganizationalUnitNotFoundException": NotInOrganizationError,
    "ParentNotFoundException": NotInOrganizationError,
    "TargetNotFoundException": NotInOrganizationError,
    "AWSOrganizationsNotInUseException": OrganizationMissingError,
}

NO_CREDENTIALS: Final = (NoCredentialsError, PartialCredentialsError, SSOError, TokenRetrievalError)
ASSUME_ROLE: Final = "AssumeRole"
NEVER_SENT: Final = (ConnectTimeoutError, EndpointConnectionError)
"""Failures of the connection itself: no call is on its way after them."""
NOT_FOUND: Final = "ResourceNotFoundException"
SERVER_FAULT: Final = 500


@contextmanager
def translated(operation: str, account_id: str | None = None) -> Iterator[None]:
    """Raise contactsync's error for whatever botocore raises inside; AWS's message is dropped, it can quote values."""
    try:
        yield
    except ClientError as error:
        raise translate(error, operation, account_id) from None
    except NO_CREDENTIALS:
        raise CredentialsMissingError(operation=operation, aws_code="NoCredentials") from None
    except ParamValidationError:
        raise RequestInvalidError(operation=operation, aws_code="ParamValidation", account_id=account_id) from None
    except (HTTPClientError, BotoCoreError) as error:
        raise ServiceUnavailableError(
            operation=operation,
            aws_code=type(error).__name__,
            account_id=account_id,
            answered=isinstance(error, NEVER_SENT),
        ) from None


def translate(error: ClientError, operation: str, account_id: str | None = None) -> AwsCallError:
    """Return contactsync's error for AWS's; a server's fault (5xx) without a known code counts as unavailable."""
    code = code_of(error)
    if error.operation_name == ASSUME_ROLE != operation:  # botocore assumes the role inside of another call
        operation, account_id = ASSUME_ROLE, None
    kind = ERRORS.get(code)
    if kind is None:
        kind = ServiceUnavailableError if _status_of(error) >= SERVER_FAULT else UnexpectedAwsError
    if issubclass(kind, RequestInvalidError):
        return kind(operation=operation, aws_code=code, account_id=account_id, fields=_field_names(error.response))
    return kind(operation=operation, aws_code=code, account_id=account_id)


def code_of(error: ClientError) -> str:
    """Return AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def _status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _field_names(response: Any) -> tuple[str, ...]:  # noqa: ANN401 -- the modelled shape has only the common keys
    fields = response.get("fieldList") or ()
    return tuple(str(field["name"]) for field in fields if isinstance(field, dict) and "name" in field)
