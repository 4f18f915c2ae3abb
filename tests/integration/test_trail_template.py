"""infra/trail.yaml: only on request, and then encrypted, private, checked and kept."""

from pathlib import Path
from typing import Any

import pytest

from contactsync.stacks.stack_file import read_stacks
from contactsync.stacks.stacks import Region

LISTED = read_stacks(Path(__file__).parents[2] / "infra")
TEMPLATE: Any = LISTED.templates["trail.yaml"]
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
TRAIL = RESOURCES["Trail"]["Properties"]
BUCKET = RESOURCES["TrailBucket"]["Properties"]
NAME = "contactsync-${Environment}-trail"
ARN = {"Fn::Sub": f"arn:${{AWS::Partition}}:cloudtrail:${{AWS::Region}}:${{AWS::AccountId}}:trail/{NAME}"}


def policy(name: str, key: str) -> dict[str, dict[str, Any]]:
    """Return a policy's statements by their names."""
    return {one["Sid"]: one for one in RESOURCES[name]["Properties"][key]["Statement"]}


@pytest.mark.parametrize("name", RESOURCES)
def test_only_on_request(name: str) -> None:
    """By default nothing is created, and each resource is under that one condition."""
    assert RESOURCES[name]["Condition"] == "IsWanted"
    assert TEMPLATE["Conditions"] == {"IsWanted": {"Fn::Equals": [{"Ref": "CreateTrail"}, "true"]}}
    assert TEMPLATE["Parameters"]["CreateTrail"]["Default"] == "false"


def test_stack_only_on_request() -> None:
    """The stack is in the trigger's region, and only where the parameter asks for it."""
    (stack,) = [stack for stack in LISTED.stacks if stack.template == "trail.yaml"]
    assert stack.region is Region.TRIGGER
    assert not stack.is_wanted({}, "eu-west-1")
    assert stack.is_wanted({"CreateTrail": "true"}, "eu-west-1")


def test_events() -> None:
    """The trail records write events of management in one region, with those of global services, and is switched on."""
    assert TRAIL["EventSelectors"] == [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]
    assert (TRAIL["IsLogging"], TRAIL["IncludeGlobalServiceEvents"], TRAIL["IsMultiRegionTrail"]) == (True, True, False)


def test_checked_and_encrypted() -> None:
    """Log files are encrypted with the stack's key, and can be checked for changes."""
    assert TRAIL["EnableLogFileValidation"] is True
    assert TRAIL["KMSKeyId"] == {"Fn::GetAtt": ["TrailKey", "Arn"]}


def test_first_the_policy() -> None:
    """CloudTrail asks for the bucket's policy when the trail is created."""
    assert RESOURCES["Trail"]["DependsOn"] == "TrailBucketPolicy"


@pytest.mark.parametrize(
    ("name", "key"), [("TrailKey", "KeyPolicy"), ("TrailBucketPolicy", "PolicyDocument")], ids=["key", "bucket"]
)
def test_this_trail_only(name: str, key: str) -> None:
    """CloudTrail may use the key and the bucket for this trail only, and no other service may."""
    allowed = [one for one in policy(name, key).values() if "Service" in one["Principal"]]
    assert allowed
    for statement in allowed:
        assert statement["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
        assert statement["Condition"]["StringEquals"]["aws:SourceArn"] == ARN
    assert ARN["Fn::Sub"].endswith(f"trail/{TRAIL['TrailName']['Fn::Sub']}")


def test_own_folder() -> None:
    """CloudTrail writes the log files of this account only, and lets the bucket's owner have them."""
    statement = policy("TrailBucketPolicy", "PolicyDocument")["CloudTrailWrites"]
    assert statement["Resource"] == {"Fn::Sub": "${TrailBucket.Arn}/AWSLogs/${AWS::AccountId}/*"}
    assert statement["Condition"]["StringEquals"]["s3:x-amz-acl"] == "bucket-owner-full-control"


def test_only_encrypted() -> None:
    """Each call without TLS is denied, on the bucket and on each object."""
    statement = policy("TrailBucketPolicy", "PolicyDocument")["OnlyEncrypted"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [{"Fn::GetAtt": ["TrailBucket", "Arn"]}, {"Fn::Sub": "${TrailBucket.Arn}/*"}]


def test_old_files() -> None:
    """Log files expire as the parameter says, after 90 days or later."""
    (rule,) = BUCKET["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == {"Ref": "TrailRetentionDays"}
    assert TEMPLATE["Parameters"]["TrailRetentionDays"]["MinValue"] == 90
    assert BUCKET["VersioningConfiguration"] == {"Status": "Enabled"}


def test_longest_name() -> None:
    """The name fits into S3's 63 characters with the longest environment and region that there are."""
    name = BUCKET["BucketName"]["Fn::Sub"]
    for parameter, value in {
        "Environment": "e" * 16,
        "AWS::AccountId": "1" * 12,
        "AWS::Region": "us-gov-west-1",
    }.items():
        name = name.replace(f"${{{parameter}}}", value)
    assert "$" not in name
    assert len(name) <= 63
