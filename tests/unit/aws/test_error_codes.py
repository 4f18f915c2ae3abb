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

from contactsync.aws.sdk.error_codes import translate, translated
from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    CredentialsMissingError,
    NotInOrganizationError,
    OrganizationMissingError,
    Reader,
    RequestInvalidError,
    ResourceMissingError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
)
from contactsync.errors.aws.services import ACCOUNT_OPERATIONS
from tests.support.builders import account

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
    assert (error.api_operation, error.account_id) == ("AssumeRole", None)
    assert "AssumeRole" in str(error)
    assert ONE not in str(error)


def test_call_itself() -> None:
    """The call's own refusal keeps its operation and account."""
    error = translate(client_error("AccessDeniedException", "GetAlternateContact"), "GetAlternateContact", ONE)
    assert type(error) is AccessDeniedError
    assert (error.api_operation, error.account_id) == ("GetAlternateContact", ONE)


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


DENIAL = (
    "User: arn:aws:sts::111122223333:assumed-role/contactsync/task is not authorized to perform: dynamodb:Query on "
    "resource: arn:aws:dynamodb:eu-west-1:111122223333:table/state/index/times because no identity-based policy allows "
    "the dynamodb:Query action"
)


def test_denial() -> None:
    """Who was denied what, and by which kind of policy, comes from AWS's usual sentence; the rest of it does not."""
    error = translate(client_error("AccessDeniedException", "Query", message=f"{DENIAL} wanda@quagga.example"), "Query")
    assert error.principal == "arn:aws:sts::111122223333:assumed-role/contactsync/task"
    assert error.action == "dynamodb:Query"
    assert error.resource == "arn:aws:dynamodb:eu-west-1:111122223333:table/state/index/times"
    assert error.because == "because no identity-based policy"
    assert "table/state" in str(error)
    assert "quagga" not in f"{error} {error!r}"


@pytest.mark.parametrize(
    ("service", "operation", "words"),
    [
        ("account", "PutAlternateContact", "trusted access for account.amazonaws.com"),
        ("dynamodb", "Query", "dynamodb:Query"),
        ("dynamodb", "TransactWriteItems", "dynamodb:PutItem"),
        ("s3", "GetObject", "object that does not exist"),
        ("sns", "PublishBatch", "sns:Publish"),
        ("sqs", "SendMessage", "queue's own policy"),
        ("sts", "AssumeRole", "trust policy"),
        ("organizations", "ListAccounts", "management account or a delegated administrator"),
        ("secretsmanager", "GetSecretValue", "kms:Decrypt"),
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        (None, "GetContactInformation", "trusted access for account.amazonaws.com"),
        (None, "Query", "Query"),
    ],
)
@pytest.mark.parametrize("reader", Reader)
def test_permission(service: str | None, operation: str, words: str, reader: Reader) -> None:
    """A refused permission says what to check of this service, to everybody; trusted access is Account Management's."""
    text = AccessDeniedError(operation, "AccessDenied", service=service).sentence_for(reader)
    assert words in text
    assert ("trusted access" in text) == (operation in ACCOUNT_OPERATIONS)


def test_readers() -> None:
    """The person at the command line is told what can be done there; a stored sentence is not about any command."""
    error = AccessDeniedError("Query", "AccessDenied", service="dynamodb")
    assert "aws sts get-caller-identity" in error.sentence_for(Reader.COMMAND)
    assert "repeat the command" in error.sentence_for(Reader.COMMAND)
    assert "command" not in str(error)


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchBucket"])
def test_missing_object(code: str) -> None:
    """An object that is gone is no wrong setting, as a bucket is."""
    error = translate(client_error(code, "GetObject", 404), "GetObject")
    assert isinstance(error, ResourceMissingError)
    assert ("CONTACTSYNC_" in str(error)) == (code == "NoSuchBucket")


@pytest.mark.parametrize("operation", ["AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials"])
def test_got_inside(operation: str) -> None:
    """A call that botocore makes for the credentials is named, and is about no account."""
    error = translate(client_error("ExpiredTokenException", operation), "GetAlternateContact", ONE)
    assert (error.api_operation, error.account_id) == (operation, None)
