"""The tree of errors: pickling, copying, and messages that help."""

import copy
import dataclasses
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from contactsync import errors
from contactsync.errors import AwsCallError, ConfigurationError, ContactSyncError

ACCOUNT = "444455556666"
PARTS: dict[str, Any] = {
    "reason": "malformed",
    "of_mwaa": True,
    "server": "https://airflow.example.com",
    "request": "POST /dags/contact_sync/dagRuns",
    "detail": "eventID is missing",
    "event_id": "5f0d5c0e",
    "variable": "CONTACTSYNC_STATE_TABLE",
    "problem": "is not set",
    "others": {"CONTACTSYNC_CONFIG_TABLE": "is not set", "CONTACTSYNC_MARK_WAIT": "is not a number"},
    "table": "config",
    "config_key": "default",
    "version": 3,
    "problems": ["contact_types: unknown"],
    "expected_version": 3,
    "expected_account": "111122223333",
    "actual_account": ACCOUNT,
    "accounts": 2000,
    "limit": 1024,
    "contact_type": "security",
    "contact_types": ("security",),
    "fields": ("PhoneNumber",),
    "api_operation": "PutAlternateContact",
    "aws_code": "AccessDeniedException",
    "first_code": "AccessDeniedException",
    "account_id": ACCOUNT,
    "answered": False,
    "service": "account",
    "region": "us-east-1",
    "endpoint": "https://account.us-east-1.amazonaws.com",
    "principal": "arn:aws:sts::111122223333:assumed-role/contactsync/task",
    "action": "account:PutAlternateContact",
    "resource": f"arn:aws:account::111122223333:account/o-1/{ACCOUNT}",
    "because": "with an explicit deny in a service control policy",
    "places": ("AWS_PROFILE",),
    "cause": "InternalServerException",
    "following": "Start another run.",
    "resume_in": 12.0,
    "sentence": "Account Management failed.",
    "seconds": 1800.0,
    "dag_run_id": "manual__2026",
    "item": "Sync operation x",
    "tries": 5,
    "failed": 2,
    "unsettled": 1,
    "denied": 1,
    "first": ("team-1 (111122223333) security: permission_denied",),
    "threshold": 1,
    "total": 9,
    "errors": [errors.WriteNotSeenError(ACCOUNT, "security")],
    "status": 404,
    "answer": "RestApiClientException",
    "path": "export.csv",
    "place": "/opt/contactsync",
    "paths": ("dags/contact_sync.py",),
    "tool": "git",
    "remedy_sentence": "Install it, then repeat the command.",
    "doing": "reading the clone",
    "lock": "requirements/lambda-trigger.txt",
    "queue": "audit",
    "sources": 2,
    "known": ("audit", "rule"),
    "message_id": "059f36b4-87a3-44ab-83d2-661975040000",
    "message_ids": ("059f36b4-87a3-44ab-83d2-661975040000",),
    "event_type": "contactsync.account.failed.v9",
    "size": 300_000,
    "causes": ["InternalError"],
    "lasting": [],
    "source": "/contactsync/test",
    "environment": "test",
    "regions": ("eu-west-1", "us-east-1"),
    "expected": "prod",
    "has_bucket": False,
    "notice_id": "6f1c",
    "scenario": "halted",
    "channels": ("EMAIL",),
    "dag_id": "contact_sync",
    "how": "exit status 1",
    "events": ["5f0d5c0e (contactsync.account.failed.v1: InvalidParameter)"],
    "function": "contactsync-prod-audit",
    "least": 10.0,
    "number": 3,
    "losses": ("excluded_accounts no longer names 111122223334",),
    "sentences": ("excluded_accounts: the organization has no account 111122223334, so this protects no account.",),
    "generation": 3,
    "listed": 7,
    "management_account": "111122223333",
    "stack": "contactsync-prod-bus",
    "state": "UPDATE_ROLLBACK_COMPLETE",
    "parameter": "LogLevel",
    "parameters": ("SubnetIds",),
    "resources": ("contactsync-prod-state: StateTable (AWS::DynamoDB::Table) is replaced",),
    "names": ("StateTable",),
    "release": "20260114T090000Z-0.1.0-1a2b3c4d",
    "nearest": "",
    "reads": 1,
    "written": 2,
    "stacks": ("contactsync-prod-state",),
    "holder": "arn:aws:iam::111122223333:user/alice",
    "host": "laptop",
    "running": "CloudFormation goes on with contactsync-prod-bus in eu-west-1 without this command.",
    "newest": 8,
    "file": "state-0001-0f0f0f0f.jsonl.gz",
    "found": 2,
    "what": "environment",
    "actual": "prod",
    "other": "0f0f",
    "since": datetime(2026, 1, 9, tzinfo=UTC),
}
ABSTRACT = {ContactSyncError, ConfigurationError, AwsCallError}


ENDS = (".", "account.amazonaws.com")
"""A sentence ends with a full stop, or with a command to copy."""


def subclasses(kind: type[ContactSyncError]) -> list[type[ContactSyncError]]:
    """List a class and everything under it."""
    return [kind, *(found for child in kind.__subclasses__() for found in subclasses(child))]


CLASSES = sorted(
    # The command line has one of its own, about a clone.
    {kind for kind in subclasses(ContactSyncError) if kind.__module__.startswith(f"{errors.__name__}.")},
    key=lambda kind: kind.__name__,
)
CONCRETE = [kind for kind in CLASSES if kind not in ABSTRACT]


def made(kind: type[ContactSyncError]) -> ContactSyncError:
    """Make an error with every part filled in."""
    return kind(**{field.name: PARTS[field.name] for field in dataclasses.fields(kind)})


def test_names() -> None:
    """Every class of the module belongs to the tree and ends in Error."""
    defined = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BaseException)}
    assert defined == set(CLASSES)
    assert all(kind.__name__.endswith("Error") for kind in CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])  # noqa: S301 -- our own bytes
def test_survives(kind: type[ContactSyncError], again: Any) -> None:
    """Every error comes out of pickling and copying with its class, its fields and its message."""
    error = made(kind)
    result = again(error)
    assert type(result) is kind
    for field in dataclasses.fields(kind):
        if field.name != "errors":
            assert getattr(result, field.name) == getattr(error, field.name)
    assert (str(result), result.code, result.retryable) == (str(error), error.code, error.retryable)


@pytest.mark.parametrize("kind", CONCRETE)
def test_sentence(kind: type[ContactSyncError]) -> None:
    """Every message is a sentence that holds the account or the thing it is about."""
    error = made(kind)
    assert str(error).endswith(ENDS)
    assert " " in str(error)
    assert kind.__name__ not in str(error)
    assert "None" not in str(error)
    if "account_id" in {field.name for field in dataclasses.fields(kind)}:
        assert ACCOUNT in str(error)


@pytest.mark.parametrize("kind", CONCRETE)
def test_optional_parts(kind: type[ContactSyncError]) -> None:
    """A part that may be missing leaves no hole in the message."""
    required = [field for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    error = kind(**{field.name: PARTS[field.name] for field in required})
    assert "None" not in str(error)
    assert str(error).endswith(ENDS)


@pytest.mark.parametrize("kind", CONCRETE)
def test_raised(kind: type[ContactSyncError]) -> None:
    """Every error can be raised, annotated and shown like any other exception."""
    error = made(kind)
    error.add_note("a note")
    with pytest.raises(kind) as caught:
        raise error
    assert pickle.loads(pickle.dumps(caught.value)).__notes__ == ["a note"]  # noqa: S301 -- our own bytes


@pytest.mark.parametrize(
    ("kinds", "retryable"),
    [
        ([errors.AccessDeniedError], False),
        ([errors.AccessDeniedError, errors.RequestInvalidError], False),
        ([errors.AccessDeniedError, errors.ThrottledError], True),
        ([errors.ServiceUnavailableError], True),
        ([errors.UnexpectedAwsError], True),
        ([errors.WriteNotSeenError], True),
    ],
)
def test_accounts_failed(kinds: list[type[ContactSyncError]], retryable: bool) -> None:  # noqa: FBT001 -- a column of the table
    """An account is tried again when one of its errors may pass; the message holds all of them."""
    parts = [made(kind) for kind in kinds]
    error = errors.AccountsFailedError(account_id=ACCOUNT, errors=parts)
    assert error.retryable is retryable
    assert all(str(part) in str(error) for part in parts)


def test_permission_remedy() -> None:
    """A refused permission tells the operator where to look."""
    assert "trusted access" in str(made(errors.AccessDeniedError))


def test_code() -> None:
    """The code is AWS's where there is one, else the class's own."""
    assert made(errors.ThrottledError).code == "AccessDeniedException"
    assert made(errors.WriteNotSeenError).code == "WriteNotSeen"


def test_known_as() -> None:
    """A notice knows an error by AWS's code where it stands for errors of the class, or for none; else by the class."""
    assert made(errors.AccessDeniedError).known_as == "AccessDeniedException"
    assert errors.ThrottledError("GetItem", "BrandNew").known_as == "BrandNew"
    assert errors.ThrottledError("GetItem", "AccessDeniedException").known_as == "Throttled"
