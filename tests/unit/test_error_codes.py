"""How AWS's error codes become our errors."""

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from contactsync.aws.error_codes import translate, translated
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
from tests.builders import account

ONE = account(1).account_id


def client_error(code: str, operation: str, status: int = 400, message: str = "wanda@quagga.example") -> ClientError:
    """Return AWS's error as botocore raises it, with a message that quotes a value."""
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)


@pytest.mark.parametrize("operation", ["Query", "GetItem", "TransactWriteItems", "GetSecretValue"])
def test_missing_resource(operation: str) -> None:
    """A table or secret that is not there is a wrong setting: trying again cannot help, and the message says so."""
    error = translate(client_error("ResourceNotFoundException", operation), operation)
    assert type(error) is ResourceMissingError
    assert not error.retryable
    assert "CONTACTSYNC_" in str(error)


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidClientTokenId", "SomethingNew"])
def test_assumed_inside(code: str) -> None:
    """A role that cannot be assumed inside of another call is named as such, and is about no account."""
    error = translate(client_error(code, "AssumeRole"), "GetAlternateContact", ONE)
    assert (error.operation, error.account_id) == ("AssumeRole", None)
    assert "AssumeRole" in str(error)
    assert ONE not in str(error)


def test_call_itself() -> None:
    """The call's own refusal keeps its operation and account."""
    error = translate(client_error("AccessDeniedException", "GetAlternateContact"), "GetAlternateContact", ONE)
    assert type(error) is AccessDeniedError
    assert (error.operation, error.account_id) == ("GetAlternateContact", ONE)


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        ("AccountNotFoundException", NotInOrganizationError, True),
        ("ChildNotFoundException", NotInOrganizationError, True),
        ("OrganizationalUnitNotFoundException", NotInOrganizationError, True),
        ("ParentNotFoundException", NotInOrganizationError, True),
        ("TargetNotFoundException", NotInOrganizationError, True),
        ("AWSOrganizationsNotInUseException", OrganizationMissingError, False),
        ("InvalidInputException", RequestInvalidError, False),
        ("ServiceException", ServiceUnavailableError, True),
        ("TooManyRequestsException", ThrottledError, True),
    ],
)
def test_organizations(code: str, kind: type[AwsCallError], retryable: bool) -> None:  # noqa: FBT001 -- a column of the table
    """The codes of AWS Organizations tell what left the organization from what will never work."""
    error = translate(client_error(code, "ListParents"), "ListParents", ONE)
    assert type(error) is kind
    assert error.retryable is retryable
    assert ONE in str(error)


@pytest.mark.parametrize(
    "code",
    [
        "InvalidParameter",
        "InvalidParameterValue",
        "ParameterValueInvalid",
        "ValidationError",
        "BatchRequestTooLong",
        "BatchEntryIdsNotDistinct",
        "TooManyEntriesInBatchRequest",
        "InvalidBatchEntryId",
    ],
)
def test_invalid_publish(code: str) -> None:
    """What SNS says of a bad request is no outage: trying it again cannot help."""
    error = translate(client_error(code, "PublishBatch"), "PublishBatch")
    assert type(error) is RequestInvalidError
    assert (error.code, error.retryable) == (code, False)


@pytest.mark.parametrize(("status", "kind"), [(400, UnexpectedAwsError), (500, ServiceUnavailableError)])
def test_unknown_code(status: int, kind: type[AwsCallError]) -> None:
    """An unknown code of a client's fault is unexpected, of a server's fault unavailable."""
    assert type(translate(client_error("New", "Query", status), "Query")) is kind


def test_message_is_dropped() -> None:
    """AWS's message, which can quote values, is in no part of what is raised."""
    with pytest.raises(AwsCallError) as caught, translated("PutAlternateContact", ONE):
        raise client_error("ValidationException", "PutAlternateContact")
    assert "wanda" not in f"{caught.value!r} {caught.value}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "error",
    [
        NoCredentialsError(),
        PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        UnauthorizedSSOTokenError(),
        TokenRetrievalError(provider="sso", error_msg="expired"),
    ],
)
def test_no_credentials(error: Exception) -> None:
    """Without credentials the message says how to get them, and trying again does not help."""
    with pytest.raises(CredentialsMissingError, match="aws sso login") as caught, translated("Query"):
        raise error
    assert not caught.value.retryable
    assert isinstance(caught.value, AccessDeniedError)
