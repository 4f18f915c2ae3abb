"""The list of AWS's error codes: what others document and count is in it, with the right meaning."""

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from contactsync.aws.sdk.error_codes import ERRORS, translate
from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    ClockWrongError,
    ConflictError,
    CredentialsError,
    CredentialsExpiredError,
    CredentialsRefusedError,
    Reader,
    RequestInvalidError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
    kind_of,
)
from contactsync.errors.aws.codes import CODES, MEANINGS, Meaning
from contactsync.errors.aws.services import SERVICES as NAMED
from contactsync.errors.kinds import kinds

# "Common Errors" of the API references, as AWS wrote it until 2022 and as it does since.
COMMON: Final = {
    "AccessDeniedException": AccessDeniedError,
    "ExpiredTokenException": CredentialsExpiredError,
    "IncompleteSignature": CredentialsRefusedError,
    "InternalFailure": ServiceUnavailableError,
    "InvalidAction": RequestInvalidError,
    "InvalidClientTokenId": CredentialsRefusedError,
    "InvalidParameterCombination": RequestInvalidError,
    "InvalidParameterValue": RequestInvalidError,
    "InvalidQueryParameter": RequestInvalidError,
    "MalformedHttpRequestException": RequestInvalidError,
    "MalformedQueryString": RequestInvalidError,
    "MissingAction": RequestInvalidError,
    "MissingAuthenticationToken": CredentialsRefusedError,
    "MissingParameter": RequestInvalidError,
    "NotAuthorized": AccessDeniedError,
    "OptInRequired": AccessDeniedError,
    "RequestAbortedException": ServiceUnavailableError,
    "RequestEntityTooLargeException": RequestInvalidError,
    "RequestExpired": ClockWrongError,
    "RequestTimeoutException": ServiceUnavailableError,
    "ServiceUnavailable": ServiceUnavailableError,
    "ThrottlingException": ThrottledError,
    "UnknownOperationException": RequestInvalidError,
    "UnrecognizedClientException": CredentialsRefusedError,
    "ValidationError": RequestInvalidError,
}
SIGNING: Final = {
    "AuthFailure": CredentialsRefusedError,
    "ExpiredToken": CredentialsExpiredError,
    "InvalidAccessKeyId": CredentialsRefusedError,
    "InvalidSignatureException": CredentialsRefusedError,
    "InvalidToken": CredentialsRefusedError,
    "RequestTimeTooSkewed": ClockWrongError,
    "SignatureDoesNotMatch": CredentialsRefusedError,
    "TokenRefreshRequired": CredentialsExpiredError,
}
"""What services say of a signature beside the common ones."""

SERVICES: Final = {
    "account": [
        "DeleteAlternateContact",
        "GetAlternateContact",
        "GetContactInformation",
        "PutAlternateContact",
        "PutContactInformation",
    ],
    "cloudwatch": ["DescribeAlarms", "PutMetricData"],
    "cloudformation": [
        "ContinueUpdateRollback",
        "CreateChangeSet",
        "DeleteChangeSet",
        "DeleteStack",
        "DescribeChangeSet",
        "DescribeEvents",
        "DescribeStackDriftDetectionStatus",
        "DescribeStackEvents",
        "DescribeStackResourceDrifts",
        "DescribeStacks",
        "DetectStackDrift",
        "ExecuteChangeSet",
        "ListStackResources",
        "UpdateTerminationProtection",
    ],
    "cloudtrail": ["DescribeTrails", "GetEventSelectors", "GetTrailStatus"],
    "dynamodb": [
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "DescribeContinuousBackups",
        "DescribeTable",
        "DescribeTimeToLive",
        "GetItem",
        "ListTagsOfResource",
        "PutItem",
        "Query",
        "Scan",
        "TransactWriteItems",
        "UpdateItem",
    ],
    "ec2": ["DescribeRouteTables", "DescribeSecurityGroups", "DescribeSubnets"],
    "events": ["DescribeRule", "ListTargetsByRule"],
    "iam": ["GetRole", "SimulatePrincipalPolicy"],
    "kms": ["Decrypt", "GenerateDataKey"],
    "lambda": ["GetEventSourceMapping", "GetFunctionConfiguration", "Invoke"],
    "logs": ["DescribeLogStreams", "GetLogEvents"],
    "mwaa": ["CreateWebLoginToken", "GetEnvironment", "InvokeRestApi", "ListEnvironments"],
    "organizations": [
        "DescribeAccount",
        "DescribeOrganization",
        "DescribeOrganizationalUnit",
        "EnableAWSServiceAccess",
        "ListAWSServiceAccessForOrganization",
        "ListAccounts",
        "ListAccountsForParent",
        "ListOrganizationalUnitsForParent",
        "ListParents",
        "ListRoots",
        "ListTagsForResource",
    ],
    "s3": [
        "DeleteObjects",
        "GetBucketTagging",
        "GetBucketVersioning",
        "GetObject",
        "GetPublicAccessBlock",
        "HeadBucket",
        "HeadObject",
        "ListBuckets",
        "ListObjectsV2",
        "PutObject",
    ],
    "secretsmanager": ["GetSecretValue"],
    "service-quotas": ["ListServiceQuotas"],
    "sns": ["ListSubscriptionsByTopic", "Publish", "PublishBatch"],
    "sqs": [
        "ChangeMessageVisibilityBatch",
        "DeleteMessage",
        "GetQueueAttributes",
        "ListDeadLetterSourceQueues",
        "ReceiveMessage",
        "SendMessage",
    ],
    "ssm": ["CreateOpsItem"],
    "sso": ["GetRoleCredentials"],
    "sts": ["AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"],
}
"""The calls that contactsync makes, and those that botocore makes for it."""


def refused(code: str, operation: str = "Query", message: str = "", status: int = 400) -> AwsCallError:
    """Translate an answer of AWS."""
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return translate(ClientError(response, operation), operation)


def modelled() -> set[str]:
    """Return the codes that botocore's models list for our calls."""
    loader, codes = create_loader(), set()
    for service, operations in SERVICES.items():
        model = ServiceModel(loader.load_service_model(service, "service-2"), service)
        for operation in operations:
            shapes: Any = model.operation_model(operation).error_shapes
            codes |= {(shape.metadata.get("error") or {}).get("code") or shape.name for shape in shapes}
    return codes


@pytest.mark.parametrize(("code", "kind"), [*COMMON.items(), *SIGNING.items()])
def test_common(code: str, kind: type[AwsCallError]) -> None:
    """Each of AWS's common errors, and what services say of signatures, has its kind."""
    assert type(refused(code)) is kind


@pytest.mark.parametrize("code", ThrottledRetryableChecker._THROTTLED_ERROR_CODES)
def test_botocore_throttled(code: str) -> None:
    """What botocore counts as throttling is throttling."""
    assert type(refused(code)) is ThrottledError


@pytest.mark.parametrize("code", TransientRetryableChecker._TRANSIENT_ERROR_CODES)
def test_botocore_transient(code: str) -> None:
    """What botocore counts as transient is tried again."""
    assert refused(code).retryable
    assert not isinstance(refused(code), UnexpectedAwsError)


def test_modelled() -> None:
    """Every code that a call documents is known."""
    assert modelled() - set(MEANINGS) == set()


@pytest.mark.parametrize("code", [code for code, kind in ERRORS.items() if issubclass(kind, CredentialsError)])
def test_credentials(code: str) -> None:
    """Credentials that AWS does not take are never tried again, and the sentence says who does what."""
    error = refused(code)
    assert not error.retryable
    assert isinstance(error, AccessDeniedError)
    for reader in Reader:
        assert any(words in error.sentence_for(reader) for words in ("aws sso login", "clock", "execution role"))
        assert "trusted access" not in error.sentence_for(reader)


@pytest.mark.parametrize("code", ["InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"])
def test_clock(code: str) -> None:
    """A wrong signature whose time AWS complains of is the machine's clock."""
    late = "Signature expired: 20261128T100000Z is now earlier than 20261128T101500Z (20261128T102000Z - 5 min.)"
    assert type(refused(code, message=late)) is ClockWrongError
    assert type(refused(code, message="Signature not yet current: 2026")) is ClockWrongError
    assert type(refused(code, message="The request signature we calculated does not match")) is CredentialsRefusedError


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        (["None", "ConditionalCheckFailed"], ConflictError),
        (["ConditionalCheckFailed", "ThrottlingError"], ThrottledError),
        (["TransactionConflict"], ConflictError),
        (["ProvisionedThroughputExceeded", "None"], ThrottledError),
        (["ValidationError"], RequestInvalidError),
        (["ItemCollectionSizeLimitExceeded"], RequestInvalidError),
        ([], ConflictError),
    ],
)
def test_cancelled_transaction(reasons: list[str], kind: type[AwsCallError]) -> None:
    """A cancelled transaction is what its reasons say; one that may be repeated says so last."""
    response: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    error = translate(ClientError(response, "TransactWriteItems"), "TransactWriteItems")
    assert type(error) is kind
    assert kind_of(error.code) is kind


def test_each_meaning() -> None:
    """Each meaning has a class of errors and codes, and no code has two."""
    assert set(kinds()) == set(Meaning) == set(MEANINGS.values())
    assert sum(len(codes.split()) for codes in CODES.values()) == len(MEANINGS)


@pytest.mark.parametrize("service", SERVICES)
def test_services(service: str) -> None:
    """Every call that is made is known to be of its service, so that a sentence names it; two services have one."""
    assert set(SERVICES[service]) - {"ListTagsForResource"} <= NAMED[service].calls


@pytest.mark.parametrize(("status", "kind"), [(429, ThrottledError), (503, ServiceUnavailableError)])
def test_status(status: int, kind: type[AwsCallError]) -> None:
    """An unknown code is judged by its status."""
    assert type(refused("BrandNew", status=status)) is kind


def test_unknown() -> None:
    """An unknown code is not said to be undocumented; the code and the call are named."""
    text = str(refused("BrandNew"))
    assert text.startswith("Query failed with BrandNew (DynamoDB).")
    assert "not one that AWS documents" not in text


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_no_promise(code: str) -> None:
    """No sentence says that anything is tried again: only the retry policy knows."""
    for reader in Reader:
        text = refused(code).sentence_for(reader)
        assert "tried again" not in text
        assert "clear this task" not in text
