"""CloudFormation's, S3's and MWAA's answers as a deployment takes them, also those that no simulation gives."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from contactsync.aws.deployment.code_bucket import CodeBucket
from contactsync.aws.deployment.environments import MwaaEnvironments
from contactsync.aws.deployment.organization import organization_id
from contactsync.aws.deployment.stacks import CloudFormationStacks
from contactsync.deployment.live import PropertyChange
from contactsync.errors import AccessDeniedError, ChangeSetFailedError, OrganizationMissingError, ThrottledError
from tests.support.fakes.surroundings import FakeClock

NOW = datetime(2026, 1, 14, 9, tzinfo=UTC)
NAME = "contactsync-prod-bus"
SET = f"arn:aws:cloudformation:eu-west-1:111122223333:changeSet/{NAME}/1"


def client_of(service: str) -> Any:
    """Make a client that can call nothing."""
    return boto3.client(service, "eu-west-1", aws_access_key_id="none", aws_secret_access_key="none")


@pytest.fixture
def calls() -> Iterator[Stubber]:
    """Give CloudFormation's answers; all of them must be asked for."""
    with Stubber(client_of("cloudformation")) as stubbed:
        yield stubbed
        stubbed.assert_no_pending_responses()


@pytest.fixture
def stacks(calls: Stubber) -> CloudFormationStacks:
    """Return the adapter on these answers."""
    return CloudFormationStacks(calls.client, FakeClock())


def test_absent(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """A stack that is not there is None; CloudFormation says so with the code of a wrong request."""
    calls.add_client_error("describe_stacks", "ValidationError", f"Stack with id {NAME} does not exist")
    assert stacks.find(NAME) is None


def test_throttled(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """Too many looks are an error that may pass, not an absent stack."""
    calls.add_client_error("describe_stacks", "Throttling", "Rate exceeded", 400)
    with pytest.raises(ThrottledError):
        stacks.find(NAME)


def test_found(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """A stack has outputs and parameters by name, and a reason of one line."""
    answer = {
        "StackName": NAME,
        "StackId": "arn:stack",
        "CreationTime": NOW,
        "StackStatus": "UPDATE_COMPLETE",
        "StackStatusReason": "two\nlines",
        "Outputs": [{"OutputKey": "A", "OutputValue": "1"}],
        "Parameters": [{"ParameterKey": "B", "ParameterValue": "2"}],
        "EnableTerminationProtection": True,
    }
    calls.add_response("describe_stacks", {"Stacks": [answer]}, {"StackName": NAME})
    found = stacks.find(NAME)
    assert found
    assert (found.outputs, found.parameters, found.reason, found.is_protected) == (
        {"A": "1"},
        {"B": "2"},
        "two lines",
        True,
    )


def described(status: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """Return what DescribeChangeSet answers."""
    return {"Status": status, "StatusReason": reason, "Changes": [], **more}


def planned(calls: Stubber, *answers: dict[str, Any], kind: str = "UPDATE") -> None:
    """Let a change set be made, and be described with these answers."""
    parameters = [{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "UsePreviousValue": True}]
    request: dict[str, Any] = {
        "StackName": NAME,
        "ChangeSetName": ANY,
        "ChangeSetType": kind,
        "TemplateBody": "body",
        "Parameters": parameters,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    request |= {"ImportExistingResources": True} if kind == "CREATE" else {}
    calls.add_response("create_change_set", {"Id": SET, "StackId": "arn:stack"}, request)
    for answer in answers:
        calls.add_response("describe_change_set", answer)


VALUES = {"A": "1", "B": None}


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ],
)
def test_no_changes(calls: Stubber, stacks: CloudFormationStacks, reason: str) -> None:
    """A change set without changes, which CloudFormation calls failed, is removed and empty."""
    planned(calls, described("CREATE_PENDING"), described("CREATE_IN_PROGRESS"), described("FAILED", reason))
    calls.add_response("delete_change_set", {}, {"ChangeSetName": SET})
    assert stacks.plan(NAME, "body", VALUES, is_new=False).is_empty


def test_no_updates_at_once(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """CloudFormation may say so in its first answer."""
    calls.add_client_error("create_change_set", "ValidationError", "No updates are to be performed.")
    assert stacks.plan(NAME, "body", VALUES, is_new=False).is_empty


def test_wrong_parameter(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """What CloudFormation finds wrong at once is kept in its own words."""
    calls.add_client_error("create_change_set", "ValidationError", "Parameter 'A' must match pattern [a-z]")
    with pytest.raises(ChangeSetFailedError, match=r"Parameter 'A' must match pattern"):
        stacks.plan(NAME, "body", VALUES, is_new=False)


def test_validation(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """What its validation found is read from the events, page by page; a new stack without anything is removed."""
    planned(calls, described("FAILED", "Validation failed"), kind="CREATE")
    event = {"EventId": "1", "LogicalResourceId": "Airflow", "ValidationStatusReason": "extraneous key"}
    calls.add_response("describe_events", {"OperationEvents": [event], "NextToken": "2"})
    calls.add_response("describe_events", {"OperationEvents": [{**event, "ValidationPath": "/Properties/Name"}]})
    calls.add_response("delete_change_set", {}, {"ChangeSetName": SET})
    calls.add_response("delete_stack", {}, {"StackName": NAME})
    with pytest.raises(ChangeSetFailedError) as failed:
        stacks.plan(NAME, "body", VALUES, is_new=True)
    assert failed.value.reason == "Airflow: extraneous key; Airflow /Properties/Name: extraneous key"


def test_throttled_validation(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """Where the events cannot be read, the reason of the change set must do."""
    planned(calls, described("FAILED", "Validation failed"))
    calls.add_client_error("describe_events", "Throttling", "Rate exceeded")
    calls.add_client_error("delete_change_set", "ChangeSetNotFound", "gone")
    with pytest.raises(ChangeSetFailedError) as failed:
        stacks.plan(NAME, "body", VALUES, is_new=False)
    assert failed.value.reason == "Validation failed"


def change(name: str, **more: Any) -> dict[str, Any]:
    """Return a change of a resource."""
    base = {"Action": "Modify", "LogicalResourceId": name, "ResourceType": "AWS::SQS::Queue", "Replacement": "False"}
    return {"Type": "Resource", "ResourceChange": {**base, **more}}


def test_changes(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """All pages are read; a property is named once, with the values of either form of the answer."""
    target = {"Attribute": "Properties", "Name": "DelaySeconds", "Path": "/Properties/DelaySeconds"}
    details = [{"Target": {**target, "BeforeValue": "1", "AfterValue": "2"}}, {"Target": target}]
    first = described("CREATE_COMPLETE", Changes=[change("One", Details=details)], NextToken="2")
    contexts = {"BeforeContext": '{"Properties": {"Tags": [1]}}', "AfterContext": '{"Properties": {"Tags": [2]}}'}
    tags = [{"Target": {"Attribute": "Properties", "Name": "Tags"}}, {"Target": {"Attribute": "Metadata"}}]
    second = described("CREATE_COMPLETE", Changes=[change("Two", Details=tags, **contexts)])
    planned(calls, first, second)
    found = stacks.plan(NAME, "body", VALUES, is_new=False)
    assert [one.properties for one in found.changes] == [
        (PropertyChange("DelaySeconds", "1", "2"),),
        (PropertyChange("Tags", "[1]", "[2]"), PropertyChange("Metadata")),
    ]


def test_broken_context(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """A context that is no JSON gives no values, and no error."""
    tags = [{"Target": {"Attribute": "Properties", "Name": "Tags"}}]
    changed = change("Two", Details=tags, BeforeContext="{", AfterContext="[]")
    planned(calls, described("CREATE_COMPLETE", Changes=[changed]))
    (found,) = stacks.plan(NAME, "body", VALUES, is_new=False).changes
    assert found.properties == (PropertyChange("Tags"),)


def event(number: int, status: str = "CREATE_COMPLETE") -> dict[str, Any]:
    """Return an event."""
    return {
        "StackId": "arn:stack",
        "EventId": str(number),
        "StackName": NAME,
        "Timestamp": NOW,
        "ResourceStatus": status,
    }


def test_events(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """New events come in the order of time; pages are read until one that is known."""
    calls.add_response("describe_stack_events", {"StackEvents": [event(4), event(3)], "NextToken": "2"})
    calls.add_response("describe_stack_events", {"StackEvents": [event(2), event(1)], "NextToken": "3"})
    assert [one.event_id for one in stacks.events("arn:stack", "1")] == ["2", "3", "4"]


def test_newest_event(calls: Stubber, stacks: CloudFormationStacks) -> None:
    """Of the newest event one page is read, although there are more."""
    calls.add_response("describe_stack_events", {"StackEvents": [event(4), event(3)], "NextToken": "2"})
    assert stacks.newest_event("arn:stack") == "4"


@pytest.fixture
def s3() -> Iterator[Stubber]:
    """Give S3's answers."""
    with Stubber(client_of("s3")) as stubbed:
        yield stubbed
        stubbed.assert_no_pending_responses()


@pytest.mark.parametrize(("code", "status"), [("PreconditionFailed", 412), ("ConditionalRequestConflict", 409)])
def test_condition(s3: Stubber, code: str, status: int) -> None:
    """A write whose condition does not hold stores nothing, and is no error."""
    s3.add_client_error("put_object", code, http_status_code=status)
    assert CodeBucket(s3.client, "code").put_if("key", b"", etag=None) is None


def test_condition_of_absent(s3: Stubber) -> None:
    """So is one on an object that is gone."""
    s3.add_client_error("put_object", "NoSuchKey", http_status_code=404)
    assert CodeBucket(s3.client, "code").put_if("key", b"", etag="1") is None


def test_denied_write(s3: Stubber) -> None:
    """A write that S3 denies is an error."""
    s3.add_client_error("put_object", "AccessDenied", http_status_code=403)
    with pytest.raises(AccessDeniedError):
        CodeBucket(s3.client, "code").put_if("key", b"", etag=None)


def test_absent_object(s3: Stubber) -> None:
    """An object that is not there is None, for both ways to look at it."""
    s3.add_client_error("head_object", "404", http_status_code=404)
    s3.add_client_error("get_object", "NoSuchKey", http_status_code=404)
    bucket = CodeBucket(s3.client, "code")
    assert (bucket.look("key"), bucket.read("key")) == (None, None)


def test_deletes(s3: Stubber) -> None:
    """Keys are deleted a thousand at a time, and one that S3 keeps is an error."""
    keys = [str(number) for number in range(1001)]
    s3.add_response("delete_objects", {}, {"Bucket": "code", "Delete": ANY})
    s3.add_response("delete_objects", {"Errors": [{"Key": "1000", "Code": "AccessDenied"}]})
    with pytest.raises(AccessDeniedError):
        CodeBucket(s3.client, "code").delete(keys)


def test_environment() -> None:
    """MWAA's reason for a failed update is kept; an environment that is not there is None."""
    with Stubber(client_of("mwaa")) as stubbed:
        error = {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": "check the role"}
        environment = {"Status": "UPDATE_FAILED", "LastUpdate": {"Error": error}}
        stubbed.add_response("get_environment", {"Environment": environment})
        stubbed.add_client_error("get_environment", "ResourceNotFoundException")
        environments = MwaaEnvironments(stubbed.client)
        found = environments.find("airflow")
        assert found
        assert (found.status, found.error) == ("UPDATE_FAILED", "INCORRECT_CONFIGURATION: check the role")
        assert environments.find("airflow") is None


def test_organization() -> None:
    """The organization's id is asked for; an account without one has an error of its own."""
    with Stubber(client_of("organizations")) as stubbed:
        stubbed.add_response("describe_organization", {"Organization": {"Id": "o-abcdefghij"}})
        stubbed.add_client_error("describe_organization", "AWSOrganizationsNotInUseException")
        assert organization_id(stubbed.client) == "o-abcdefghij"
        with pytest.raises(OrganizationMissingError):
            organization_id(stubbed.client)
