"""What the checks read out of AWS's answers: recorded shapes, with what AWS leaves out."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contactsync.aws.checks.airflow_state import MwaaState
from contactsync.aws.checks.calls import Calls
from contactsync.aws.checks.environment_parts import IamRoles
from contactsync.aws.checks.mwaa import MwaaEnvironments
from contactsync.aws.checks.names import AwsNames
from contactsync.aws.checks.network import VpcNetwork
from contactsync.aws.checks.releases import S3Releases
from contactsync.aws.checks.resources import NAMES, AwsResources
from contactsync.aws.checks.stacks import CloudFormationStacks
from contactsync.checks.health_ports import AirflowState, Drift, DriftStatus, LiveStack, Released
from contactsync.checks.ports import ResourceKind
from contactsync.errors import AccessDeniedError, CredentialsExpiredError

REGION = "eu-west-1"
ARN = "arn:aws:s3:::contactsync-prod-code"


class FakeAws:
    """A client of every service: each operation has its scripted answers, one after the other; the last one stays."""

    def __init__(self, **answers: Any) -> None:
        """Take the answers by the names of methods: an answer, an error code as text, or a list of these."""
        self.answers = {name: value if isinstance(value, list) else [value] for name, value in answers.items()}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @property
    def calls(self) -> Calls:
        """The calls of this client in every region."""
        return Calls(lambda *_: self)

    def __getattr__(self, name: str) -> Any:
        """Return the method of an operation."""
        return lambda **parameters: self._answer(name, parameters)

    def get_paginator(self, name: str) -> Any:
        """Return a paginator, each of whose pages is an answer."""
        return _Paginator(self, name)

    def pages(self, name: str, parameters: dict[str, Any]) -> Iterator[Any]:
        """Yield every scripted answer of a listing."""
        for _ in list(self.answers[name]):
            yield self._answer(name, parameters)

    def _answer(self, name: str, parameters: dict[str, Any]) -> Any:
        self.asked.append((name, parameters))
        left = self.answers[name]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, str):
            raise ClientError({"Error": {"Code": answer, "Message": ""}}, name)
        return answer


class _Paginator:
    def __init__(self, aws: FakeAws, name: str) -> None:
        self._aws = aws
        self._name = name

    def paginate(self, **parameters: Any) -> Iterator[Any]:
        """Yield the pages."""
        return self._aws.pages(self._name, parameters)


def test_environment() -> None:
    """An environment is read with its last update, its bucket and the versions of its files."""
    answer = {
        "Status": "AVAILABLE",
        "SourceBucketArn": ARN,
        "LastUpdate": {"Status": "FAILED", "Error": {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": "No way"}},
        "PluginsS3Path": "plugins.zip",
        "PluginsS3ObjectVersion": "v1",
        "RequirementsS3Path": "requirements.txt",
    }
    state = MwaaState(FakeAws(get_environment={"Environment": answer}).calls).environment(REGION, "airflow")
    assert state == AirflowState(
        "AVAILABLE", "FAILED", "INCORRECT_CONFIGURATION: No way", "contactsync-prod-code", {"plugins.zip": "v1"}
    )


def test_new_environment() -> None:
    """One that was never updated says little, and one that is not there is None."""
    new = FakeAws(get_environment={"Environment": {"Status": "CREATING"}})
    assert MwaaState(new.calls).environment(REGION, "airflow") == AirflowState("CREATING")
    none = FakeAws(get_environment="ResourceNotFoundException")
    assert MwaaState(none.calls).environment(REGION, "airflow") is None


def test_installation_log() -> None:
    """Of the streams of all pages, the one with the newest line is read from its end."""
    aws = FakeAws(
        describe_log_streams=[
            {
                "logStreams": [
                    {"logStreamName": "old", "lastEventTimestamp": 5},
                    {"logStreamName": "a", "creationTime": 1},
                ]
            },
            {"logStreams": [{"logStreamName": "new", "lastEventTimestamp": 9}]},
        ],
        get_log_events={"events": [{"message": "Collecting"}, {"message": "done"}]},
    )
    assert MwaaState(aws.calls).installation_log(REGION, "airflow", "Worker") == ["Collecting", "done"]
    name, parameters = aws.asked[-1]
    assert (name, parameters["logStreamName"], parameters["startFromHead"]) == ("get_log_events", "new", False)
    assert parameters["logGroupName"] == "airflow-airflow-Worker"


@pytest.mark.parametrize("answer", [{"logStreams": []}, "ResourceNotFoundException"])
def test_no_installation_log(answer: Any) -> None:
    """Without a stream, and without the group, there is no log."""
    aws = FakeAws(describe_log_streams=answer)
    assert MwaaState(aws.calls).installation_log(REGION, "airflow", "Worker") is None


def record(version: str, **changes: Any) -> dict[str, Any]:
    """Return S3's answer with the record of a release."""
    content = {"version": version, "is_complete": True, "files": {"plugins.zip": "ab"}, "by": "wanda", **changes}
    return {"Body": io.BytesIO(json.dumps(content).encode())}


PREFIXES = {"CommonPrefixes": [{"Prefix": f"releases/{name}/"} for name in ("2026-01-0.1.0", "2026-02-0.2.0", "files")]}


def test_releases() -> None:
    """The newest release that came to its end counts; the folder with the files is none."""
    aws = FakeAws(
        list_objects_v2=PREFIXES, get_object=["NoSuchKey", record("0.2.0", is_complete=False), record("0.1.0")]
    )
    assert S3Releases(aws.calls).newest(REGION, "code") == Released("0.1.0", {"plugins.zip": "ab"})
    keys = [parameters["Key"] for name, parameters in aws.asked if name == "get_object"]
    assert keys[1] == "releases/2026-02-0.2.0/release.json"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"is_complete": true, "version": "1", "files": 3}'])
def test_spoiled_record(body: bytes) -> None:
    """A record that is none is passed over."""
    aws = FakeAws(list_objects_v2=PREFIXES, get_object=[{"Body": io.BytesIO(body)} for _ in range(3)])
    assert S3Releases(aws.calls).newest(REGION, "code") is None


def test_digest() -> None:
    """The digest is what was noted with the object; an object that is gone has none."""
    found = FakeAws(head_object={"Metadata": {"sha256": "ab"}})
    assert S3Releases(found.calls).digest(REGION, "code", "plugins.zip", "v1") == "ab"
    assert S3Releases(FakeAws(head_object={}).calls).digest(REGION, "code", "plugins.zip", "v1") == ""
    assert S3Releases(FakeAws(head_object="404").calls).digest(REGION, "code", "plugins.zip", "v1") == ""


STACK = LiveStack("bus", "contactsync-prod-bus", REGION, "UPDATE_COMPLETE")


def test_stacks() -> None:
    """Stacks of an environment whose name begins in the same way, and those that are gone, are left out."""

    def stack(name: str, status: str = "CREATE_COMPLETE", environment: str = "prod") -> dict[str, Any]:
        parameters = [{"ParameterKey": "Environment", "ParameterValue": environment}]
        return {"StackName": f"contactsync-{name}", "StackStatus": status, "Parameters": parameters}

    pages = [
        {"Stacks": [stack("prod-bus"), stack("prod-eu-bus", environment="prod-eu")]},
        {"Stacks": [stack("prod-chat", "REVIEW_IN_PROGRESS"), stack("dev-bus", environment="dev")]},
    ]
    found = CloudFormationStacks(FakeAws(describe_stacks=pages).calls).stacks("prod", REGION)
    assert [one.name for one in found] == ["bus"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"DetectionStatus": "DETECTION_IN_PROGRESS"}, Drift(DriftStatus.IN_PROGRESS)),
        ({"DetectionStatus": "DETECTION_COMPLETE", "StackDriftStatus": "IN_SYNC"}, Drift(DriftStatus.COMPLETE)),
        (
            {"DetectionStatus": "DETECTION_FAILED", "DetectionStatusReason": "denied"},
            Drift(DriftStatus.FAILED, "denied"),
        ),
        (
            {"DetectionStatus": "DETECTION_COMPLETE", "StackDriftStatus": "DRIFTED"},
            Drift(DriftStatus.COMPLETE, resources=("Topic", "Table")),
        ),
    ],
)
def test_drift(answer: dict[str, Any], expected: Drift) -> None:
    """Every end of a look for drift is read, and the drifted resources from all pages."""
    drifts = [
        {"StackResourceDrifts": [{"LogicalResourceId": "Topic"}], "NextToken": "more"},
        {"StackResourceDrifts": [{"LogicalResourceId": "Table"}]},
    ]
    aws = FakeAws(describe_stack_drift_detection_status=answer, describe_stack_resource_drifts=drifts)
    assert CloudFormationStacks(aws.calls).drift(STACK, "look-1") == expected


def test_stack_resources() -> None:
    """What a stack could not make, or has deleted, is left out."""

    def resource(name: str, status: str = "CREATE_COMPLETE", **physical: str) -> dict[str, str]:
        return {"LogicalResourceId": name, "ResourceType": "AWS::SNS::Topic", "ResourceStatus": status, **physical}

    page = {
        "StackResourceSummaries": [
            resource("Kept", PhysicalResourceId="k"),
            resource("Never", "CREATE_FAILED"),
            resource("Gone", "DELETE_COMPLETE", PhysicalResourceId="g"),
        ]
    }
    found = CloudFormationStacks(FakeAws(list_stack_resources=page).calls).resources(STACK)
    assert [one.logical_id for one in found] == ["Kept"]


def test_table() -> None:
    """A table with DynamoDB's own key is not encrypted as wanted, and one without time to live keeps everything."""
    aws = FakeAws(
        describe_table={"Table": {"TableStatus": "ACTIVE"}},
        describe_continuous_backups={"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED"}},
        describe_time_to_live={
            "TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED", "AttributeName": "expires_at"}
        },
    )
    state = AwsResources(aws.calls).table(REGION, "a")
    assert (state.is_encrypted, state.has_backups, state.expires_by) == (False, False, None)


def test_subscriptions() -> None:
    """A subscription that waits for its confirmation has no ARN."""
    page = {
        "Subscriptions": [
            {"Protocol": "email", "Endpoint": "a@example.com", "SubscriptionArn": "PendingConfirmation"},
            {"Protocol": "sqs", "Endpoint": "arn:q", "SubscriptionArn": "arn:aws:sns:eu-west-1:1:topic:2"},
        ]
    }
    found = AwsResources(FakeAws(list_subscriptions_by_topic=page).calls).subscriptions(REGION, "arn:t")
    assert [one.is_confirmed for one in found] == [False, True]


def test_many_alarms() -> None:
    """More alarms than CloudWatch takes in a call are asked for in several."""
    aws = FakeAws(describe_alarms={"MetricAlarms": []})
    AwsResources(aws.calls).alarms(REGION, [f"alarm-{number}" for number in range(NAMES + 1)])
    assert [len(parameters["AlarmNames"]) for _, parameters in aws.asked] == [NAMES, 1]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"Quotas": [{"QuotaName": "Workers", "Value": 25.0}, {"QuotaName": "Environments", "Value": 12.0}]}, 12),
        ({"Quotas": []}, None),
        ("AccessDeniedException", None),
        ("NoSuchResourceException", None),
    ],
)
def test_quota(answer: Any, expected: int | None) -> None:
    """The quota is found by its name; a denied call, and a service that Service Quotas does not have, are no answer."""
    assert MwaaEnvironments(FakeAws(list_service_quotas=answer).calls, frozenset).quota(REGION) == expected


def test_quota_without_credentials() -> None:
    """Expired credentials are not taken for a quota that cannot be read."""
    with pytest.raises(CredentialsExpiredError):
        MwaaEnvironments(FakeAws(list_service_quotas="ExpiredToken").calls, frozenset).quota(REGION)


def test_environment_name() -> None:
    """A taken environment says which stack made it."""
    tags = {"aws:cloudformation:stack-name": "somebody"}
    aws = FakeAws(get_environment={"Environment": {"Tags": tags}})
    found = AwsNames(aws.calls).find(ResourceKind.ENVIRONMENT, "a", REGION)
    assert found is not None
    assert found.stack == "somebody"


def test_own_bucket_denied() -> None:
    """An own bucket that the caller may not look at is a missing permission, and not somebody else's."""
    aws = FakeAws(head_bucket="403", list_buckets={"Buckets": [{"Name": "mine"}]})
    with pytest.raises(AccessDeniedError):
        AwsNames(aws.calls).find(ResourceKind.BUCKET, "mine", REGION)
    unknown = FakeAws(head_bucket="403", list_buckets="AccessDenied")
    with pytest.raises(AccessDeniedError):
        AwsNames(unknown.calls).find(ResourceKind.BUCKET, "mine", REGION)


def test_denied_actions() -> None:
    """Each action is simulated with its own resource; all results of all pages must allow it."""
    results = [
        {"EvaluationResults": [{"EvalDecision": "allowed"}]},
        {"EvaluationResults": [{"EvalDecision": "implicitDeny"}]},
    ]
    aws = FakeAws(get_role={"Role": {"Arn": "arn:role"}}, simulate_principal_policy=results)
    assert IamRoles(aws.calls, REGION).denied("role", {"s3:GetObject": "arn:b"}) == ["s3:GetObject"]


@pytest.mark.parametrize(
    ("rules", "egress", "expected"),
    [
        ([{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1"}]}], [], (True, False)),
        ([{"IpProtocol": "tcp", "UserIdGroupPairs": [{"GroupId": "sg-1"}]}], [], (False, False)),
        ([], [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}], (False, True)),
        (
            [],
            [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
            (False, True),
        ),
        (
            [],
            [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
            (False, False),
        ),
        ([], [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}], (False, False)),
    ],
)
def test_security_group(rules: list[Any], egress: list[Any], expected: tuple[bool, bool]) -> None:
    """A group admits its members with a rule for all traffic, and lets out what may go everywhere at port 443."""
    group = {"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": rules, "IpPermissionsEgress": egress}
    aws = FakeAws(describe_security_groups={"SecurityGroups": [group]})
    (found,) = VpcNetwork(aws.calls).security_groups(REGION, ["sg-1"])
    assert (found.admits_itself, found.lets_out) == expected
