"""infra/artifacts.yaml: a bucket that MWAA and Lambda accept, and from which nothing is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.stacks.stack_file import read_stacks
from contactsync.stacks.stacks import OutputOf
from contactsync.stacks.templates import load

INFRA = Path(__file__).parents[2] / "infra"
RESOURCES: dict[str, dict[str, Any]] = load(INFRA / "artifacts.yaml")["Resources"]
BUCKET = RESOURCES["CodeBucket"]


def test_retained() -> None:
    """The bucket stays when its stack is deleted, unless creating it failed."""
    assert (BUCKET["DeletionPolicy"], BUCKET["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_versioned() -> None:
    """Every version of a file is kept, so that an environment can name the one that it uses."""
    assert BUCKET["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}


def test_private() -> None:
    """All four blocks of public access are on, and no object can have an access control list of its own."""
    assert BUCKET["Properties"]["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert BUCKET["Properties"]["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_old_versions() -> None:
    """Versions that were replaced expire, but for the ten newest; what is in use never does."""
    versions, deleted = BUCKET["Properties"]["LifecycleConfiguration"]["Rules"]
    kept = {"NoncurrentDays": {"Ref": "OldVersionDays"}, "NewerNoncurrentVersions": 10}
    assert versions["NoncurrentVersionExpiration"] == kept
    assert not {"ExpirationInDays", "ExpirationDate"} & {*versions, *deleted}


def test_only_encrypted() -> None:
    """The policy denies every call without TLS, on the bucket and on each object, and allows nobody anything."""
    (statement,) = RESOURCES["CodeBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [{"Fn::GetAtt": ["CodeBucket", "Arn"]}, {"Fn::Sub": "${CodeBucket.Arn}/*"}]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_longest_name() -> None:
    """The name fits into S3's 63 characters with the longest environment and region that there are."""
    longest = {"Environment": "e" * 16, "AWS::AccountId": "1" * 12, "AWS::Region": "ap-southeast-1"}
    name = BUCKET["Properties"]["BucketName"]["Fn::Sub"]
    for parameter, value in longest.items():
        name = name.replace(f"${{{parameter}}}", value)
    assert "$" not in name
    assert len(name) <= 63


def test_every_code_bucket() -> None:
    """Each template that takes code from a bucket takes it from this one, in its own region."""
    found = read_stacks(INFRA)
    takers = [stack for stack in found.stacks if "CodeBucket" in found.templates[stack.template]["Parameters"]]
    assert {"bus", "publisher", "subscriber", "trigger"} <= {stack.name for stack in takers}
    for stack in takers:
        first = stack.parameters["CodeBucket"][0]
        assert isinstance(first, OutputOf)
        assert found.regions[first.stack] is stack.region


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """Give S3 of a sandbox with the templates, and the bucket's name."""
    with Sandbox(Scenario.model_validate({"organization": {"accounts": 1}}), templates=INFRA) as sandbox:
        yield sandbox.session().client("s3", endpoint_url=sandbox.endpoint_url), sandbox.outputs["CodeBucketName"]


def test_deployed(s3: Any) -> None:
    """The deployed bucket is encrypted; moto reads neither its versioning nor its rules from a template."""
    client, bucket = s3
    rules = client.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_code_is_there(s3: Any) -> None:
    """The functions of the other stacks take their code from this bucket."""
    client, bucket = s3
    keys = {item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]}
    assert keys == {"lambda-trigger.zip", "lambda-subscribers.zip"}
