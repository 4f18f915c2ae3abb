"""What the reader of a dead letter is told to do: it fits the service, the function and the queue."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from contactsync.aws.sdk.error_codes import ERRORS, translate
from contactsync.bus.advice import Reader, delivery_advice, invocation_advice, sentence_for
from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    AwsSetupError,
    ContactSyncError,
    CredentialsExpiredError,
    CredentialsMissingError,
    EventUnderWayError,
    FunctionTimeoutError,
    KeyDeniedError,
    KeyUnusableError,
    NoticeUndeliveredError,
    ObjectMissingError,
    ProcessEndedError,
    RequestInvalidError,
    ResourceMissingError,
    ServiceUnavailableError,
    StateConflictError,
    ThrottledError,
    UnexpectedAwsError,
)
from contactsync.errors.aws import codes, services

READER = Reader("tickets", "contactsync-prod-tickets")
KINDS = sorted(
    {*ERRORS.values(), UnexpectedAwsError, CredentialsMissingError} - {AwsSetupError, ObjectMissingError},
    key=lambda kind: kind.__name__,
)
SERVICES = {call: service.name for service in services.SERVICES.values() for call in sorted(service.calls)}
GONE = codes.CODES[codes.Meaning.OBJECT_MISSING].split()
NOT_FOR_LETTERS = ("task", "trusted access", "docs/operations", "not one that AWS documents", "clear")


def is_fit(sentence: str) -> None:
    """Check that a sentence has nothing of a run's advice."""
    assert not [words for words in NOT_FOR_LETTERS if words in sentence]
    assert sentence.endswith(".")


@pytest.mark.parametrize("operation", SERVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_fits(kind: type[AwsCallError], operation: str) -> None:
    """No error of any call speaks of tasks; all name the call, its service, AWS's code and the command that follows."""
    sentence = sentence_for(kind(operation, "SomeCode"), READER)
    is_fit(sentence)
    assert sentence.startswith(f"{operation} of {SERVICES[operation]} failed with SomeCode. ")
    assert "`contactsync dead-letters redrive tickets --all`" in sentence


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AccessDeniedError("GetObject", "AccessDenied"), "policy of the bucket"),
        (AccessDeniedError("PutItem", "AccessDeniedException"), "policy of the table"),
        (AccessDeniedError("Publish", "AuthorizationError"), "The role of contactsync-prod-tickets"),
        (KeyDeniedError("Publish", "KMSAccessDenied"), "KMS key of the topic"),
        (KeyUnusableError("Publish", "KMSDisabled"), "KMS key of the topic"),
        (CredentialsMissingError("PutItem", "NoCredentials"), "no valid credentials"),
        (CredentialsExpiredError("PutItem", "ExpiredTokenException"), "no valid credentials"),
        (AwsSetupError("DynamoDB", "ValueError", places=["AWS_ENDPOINT_URL"]), "AWS_ENDPOINT_URL"),
        (ResourceMissingError("GetObject", "NoSuchBucket"), "The bucket does not exist"),
        (ResourceMissingError("PutItem", "ResourceNotFoundException"), "The table does not exist"),
        (ThrottledError("PutItem", "ThrottlingException"), "more calls per second"),
        (ServiceUnavailableError("GetObject", "InternalError"), "did not answer"),
        (RequestInvalidError("PutItem", "ValidationException"), "trying again does not help"),
        (UnexpectedAwsError("PutItem", "Strange"), "API reference of DynamoDB"),
        (UnexpectedAwsError("Other", "Strange"), "API reference of the service"),
    ],
)
def test_words(error: ContactSyncError, words: str) -> None:
    """The advice names what is to be looked at."""
    assert words in sentence_for(error, READER)


@pytest.mark.parametrize("code", sorted(GONE))
@pytest.mark.parametrize("status", [403, 404, 500])
def test_gone(code: str, status: int) -> None:
    """Data that has expired does not come back: whatever status its code has, nobody is told to send it on again."""
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    sentence = sentence_for(translate(ClientError(response, "GetObject"), "GetObject"), READER)
    is_fit(sentence)
    assert "35 days" in sentence
    assert "discard" in sentence
    assert "redrive" not in sentence


@pytest.mark.parametrize(
    "error",
    [
        StateConflictError("Notice n-1", 5),
        ProcessEndedError("exit status 1"),
        FunctionTimeoutError(2.9, 10.0),
        EventUnderWayError("e-1"),
        NoticeUndeliveredError("n-1", "halted", ["EMAIL"], 3),
    ],
)
def test_others(error: ContactSyncError) -> None:
    """What a subscriber raises beside calls has no advice for tasks either."""
    assert not [words for words in NOT_FOR_LETTERS if words in sentence_for(error, READER)]


@pytest.mark.parametrize(
    ("code", "words"),
    [("NO_PERMISSIONS", "TriggerPermission"), ("NO_RESOURCE", "does not exist"), ("NEW_ONE", "user guide"), (None, "")],
)
def test_delivery(code: str | None, words: str) -> None:
    """What EventBridge could not deliver has advice, also under a code that is not known here."""
    assert words in delivery_advice(code)
    assert "redrive rule" in delivery_advice(code)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("Sandbox.Timedout", "did not end within its Timeout after 3 tries"),
        ("Runtime.ExitError", "process of the trigger function ended after 3 tries"),
        ("Runtime.OutOfMemory", "MemorySize"),
        ("Runtime.ImportModuleError", "could not be started"),
    ],
)
def test_invocation(code: str, words: str) -> None:
    """What Lambda says of an invocation that failed in itself is put in words."""
    found = str(invocation_advice(code, " after 3 tries"))
    assert words in found
    assert "redrive trigger" in found


def test_own_error() -> None:
    """An error of the trigger's own code has no such advice."""
    assert invocation_advice("TriggerError", "") is None
    assert invocation_advice(None, "") is None
