"""The fake AWS::MWAA::Environment: statuses, failures, what is checked, and the Airflow behind it."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.sandbox.airflow_server import Airflow, small_airflow
from tests.sandbox.loop_sandbox import SmallSandbox, small_sandbox, wait_for
from tests.sandbox.stack_calls import STACK, StackCalls, body, table

NAME = "tried-airflow"


class Environment:
    """What an environment needs, and its template."""

    def __init__(self, sandbox: SmallSandbox) -> None:
        """Make network, role and bucket."""
        self.sandbox = sandbox
        self.stacks = StackCalls(sandbox)
        self.mwaa = sandbox.client("mwaa", config=Config(inject_host_prefix=False))
        ec2 = sandbox.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]
            for number, zone in enumerate("aab")
        ]
        self.role = sandbox.client("iam").get_role(RoleName="tried-role")["Role"]["Arn"]
        self.s3 = sandbox.client("s3")
        self.s3.create_bucket(Bucket="code")
        self.s3.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})
        sandbox.client("s3", region_name="eu-west-1").create_bucket(
            Bucket="code-eu", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        self.version = self.s3.put_object(Bucket="code", Key="plugins.zip", Body=b"1")["VersionId"]

    def properties(self, **changes: Any) -> dict[str, Any]:
        """Return the environment's properties."""
        subnets = [self.subnets[0]["SubnetId"], self.subnets[2]["SubnetId"]]
        return {
            "Name": NAME,
            "ExecutionRoleArn": self.role,
            "SourceBucketArn": "arn:aws:s3:::code",
            "DagS3Path": "dags",
            "PluginsS3Path": "plugins.zip",
            "PluginsS3ObjectVersion": self.version,
            "NetworkConfiguration": {"SubnetIds": subnets},
            "AirflowConfigurationOptions": {"core.max_map_length": 10, "core.lazy_load_plugins": False},
        } | changes

    def template(self, **changes: Any) -> str:
        """Return a template with the environment and a table."""
        environment = {"Type": "AWS::MWAA::Environment", "Properties": self.properties(**changes)}
        return body(
            {"Environment": environment, "Table": table()},
            Outputs={"Url": {"Value": {"Fn::GetAtt": ["Environment", "WebserverUrl"]}}},
        )

    def get(self) -> dict[str, Any]:
        """Describe the environment."""
        return dict(self.mwaa.get_environment(Name=NAME)["Environment"])


@pytest.fixture(scope="module")
def prepared() -> Iterator[Environment]:
    """Run one sandbox with what an environment needs."""
    with small_sandbox() as running:
        yield Environment(running)


@pytest.fixture
def environment(prepared: Environment) -> Iterator[Environment]:
    """Give each test what an environment needs, and leave no stack behind."""
    yield prepared
    prepared.stacks.script()
    for stack in prepared.stacks.client.describe_stacks()["Stacks"]:
        prepared.stacks.client.delete_stack(StackName=stack["StackName"])
    wait_for(lambda: prepared.stacks.client.describe_stacks()["Stacks"] == [])


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    """Run a small Airflow."""
    with small_airflow() as server:
        yield server


def test_create_takes_time(environment: Environment) -> None:
    """The environment is being created until its time has passed, then it is available."""
    environment.stacks.script(resources=[{"type": "AWS::MWAA::Environment", "action": "create", "seconds": 0.5}])
    assert environment.stacks.create(environment.template()) == "CREATE_IN_PROGRESS"
    assert environment.get()["Status"] == "CREATING"
    wait_for(lambda: environment.stacks.status() == "CREATE_COMPLETE")
    described = environment.get()
    assert (described["Status"], described["LastUpdate"]["Status"]) == ("AVAILABLE", "SUCCESS")
    assert described["AirflowConfigurationOptions"] == {"core.max_map_length": "10", "core.lazy_load_plugins": "false"}
    outputs = environment.stacks.client.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    assert outputs[0]["OutputValue"] == described["WebserverUrl"]


def test_create_fails(environment: Environment) -> None:
    """An environment that cannot be created says why for as long as it is there."""
    failing = {"type": "AWS::MWAA::Environment", "action": "create", "error": "Check the execution role and the VPC"}
    slow = {"logical_id": "Environment", "action": "delete", "seconds": 600}
    environment.stacks.script(resources=[failing, slow])
    environment.stacks.create(environment.template())
    assert environment.stacks.status() == "ROLLBACK_IN_PROGRESS"
    described = environment.get()
    assert described["Status"] == "DELETING"
    assert described["LastUpdate"]["Error"] == {
        "ErrorCode": "INCORRECT_CONFIGURATION",
        "ErrorMessage": "Check the execution role and the VPC",
    }
    assert environment.stacks.reason("Environment", "CREATE_FAILED") == "Check the execution role and the VPC"


def test_failed_creation_stays(environment: Environment) -> None:
    """Without a rollback, the environment stays with the status CREATE_FAILED."""
    environment.stacks.script(resources=[{"type": "AWS::MWAA::Environment", "error": "No", "count": 1}])
    assert environment.stacks.create(environment.template(), OnFailure="DO_NOTHING") == "CREATE_FAILED"
    assert environment.get()["Status"] == "CREATE_FAILED"


def test_update(environment: Environment) -> None:
    """Another version of plugins.zip updates the environment in place, and takes its time."""
    environment.stacks.create(environment.template())
    version = environment.s3.put_object(Bucket="code", Key="plugins.zip", Body=b"2")["VersionId"]
    changed = environment.template(PluginsS3ObjectVersion=version, WorkerReplacementStrategy="GRACEFUL")
    described = environment.stacks.change_set(changed)
    assert described["Changes"][0]["ResourceChange"]["Replacement"] == "False"
    environment.stacks.script(resources=[{"logical_id": "Environment", "seconds": 0.5}])
    assert environment.stacks.execute() == "UPDATE_IN_PROGRESS"
    assert (environment.get()["Status"], environment.get()["LastUpdate"]["Status"]) == ("UPDATING", "PENDING")
    wait_for(lambda: environment.stacks.status() == "UPDATE_COMPLETE")
    after = environment.get()
    assert (after["Status"], after["PluginsS3ObjectVersion"]) == ("AVAILABLE", version)
    assert after["LastUpdate"]["WorkerReplacementStrategy"] == "GRACEFUL"


def test_update_fails(environment: Environment) -> None:
    """A failed update is rolled back, and the environment has its old properties."""
    environment.stacks.create(environment.template())
    failing = {"logical_id": "Environment", "action": "update", "error": "The requirements cannot be installed"}
    slow = {"logical_id": "Environment", "action": "rollback", "seconds": 0.5}
    environment.stacks.script(resources=[failing, slow])
    assert environment.stacks.update(environment.template(MaxWorkers=7)) == "UPDATE_ROLLBACK_IN_PROGRESS"
    assert environment.stacks.reason("Environment", "UPDATE_FAILED") == "The requirements cannot be installed"
    wait_for(lambda: environment.stacks.status() == "UPDATE_ROLLBACK_COMPLETE")
    assert (environment.get()["Status"], environment.get()["MaxWorkers"]) == ("AVAILABLE", 10)


def test_failed_update_stays(environment: Environment) -> None:
    """Without a rollback the environment has the status UPDATE_FAILED, the reason, and its old properties."""
    environment.stacks.create(environment.template())
    environment.stacks.script(resources=[{"logical_id": "Environment", "action": "update", "error": "No"}])
    assert environment.stacks.update(environment.template(MaxWorkers=7), DisableRollback=True) == "UPDATE_FAILED"
    described = environment.get()
    assert (described["Status"], described["MaxWorkers"]) == ("UPDATE_FAILED", 10)
    assert described["LastUpdate"]["Error"]["ErrorMessage"] == "No"


def test_subnets_replace(environment: Environment) -> None:
    """Other subnets replace the environment; other security groups do not."""
    environment.stacks.create(environment.template())
    subnets = [environment.subnets[1]["SubnetId"], environment.subnets[2]["SubnetId"]]
    groups = environment.template(
        NetworkConfiguration=environment.properties()["NetworkConfiguration"] | {"SecurityGroupIds": ["sg-1"]}
    )
    moved = environment.template(NetworkConfiguration={"SubnetIds": subnets})
    for name, template, replacement in (("groups", groups, "False"), ("moved", moved, "True")):
        change = environment.stacks.change_set(template, name=name)["Changes"][0]["ResourceChange"]
        assert change["Replacement"] == replacement


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"PluginsS3ObjectVersion": "nobody"}, "Unable to read plugins.zip in bucket code, version nobody"),
        ({"PluginsS3Path": "absent.zip"}, "Unable to read absent.zip"),
        ({"SourceBucketArn": "arn:aws:s3:::code-eu"}, "is in eu-west-1; it must be in us-east-1"),
        ({"SourceBucketArn": "arn:aws:s3:::absent"}, "The source bucket arn:aws:s3:::absent does not exist"),
        ({"ExecutionRoleArn": "arn:aws:iam::123456789012:role/absent"}, "does not exist"),
        ({"NetworkConfiguration": {"SubnetIds": ["subnet-1"]}}, "must have 2 SubnetIds"),
        ({"NetworkConfiguration": {"SubnetIds": ["subnet-1", "subnet-2"]}}, "subnet-1"),
        ({"MinWorkers": 5, "MaxWorkers": 2}, "MinWorkers must be less than or equal to MaxWorkers"),
        ({"AirflowConfigurationOptions": {"a." + "b" * 63: "c"}}, "more than 64 characters"),
    ],
)
def test_checks(environment: Environment, changes: dict[str, Any], message: str) -> None:
    """What MWAA refuses fails the resource at once."""
    assert environment.stacks.create(environment.template(**changes)) == "ROLLBACK_COMPLETE"
    assert message in environment.stacks.reason("Environment", "CREATE_FAILED")
    assert environment.mwaa.list_environments()["Environments"] == []


def test_same_zone(environment: Environment) -> None:
    """Two subnets in one availability zone are refused."""
    subnets = [environment.subnets[0]["SubnetId"], environment.subnets[1]["SubnetId"]]
    environment.stacks.create(environment.template(NetworkConfiguration={"SubnetIds": subnets}))
    assert "different availability zones" in environment.stacks.reason("Environment", "CREATE_FAILED")


def test_name_is_taken(environment: Environment) -> None:
    """A second environment of a name is found by the validation."""
    environment.stacks.create(environment.template())
    environment.stacks.client.create_change_set(
        StackName="other", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=environment.template()
    )
    described = environment.stacks.client.describe_change_set(StackName="other", ChangeSetName="c")
    assert described["Status"] == "FAILED"


def test_airflow_behind_it(environment: Environment, airflow: Airflow) -> None:
    """The available environment is the registered local Airflow; before that, its calls are refused."""
    call = {"Name": NAME, "Path": "/version", "Method": "GET"}
    environment.sandbox.control(
        "PUT",
        "/airflow",
        {"environment": "contactsync-local", "base_url": airflow.url, "username": "user", "password": "secret"},
    )
    environment.stacks.script(resources=[{"logical_id": "Environment", "action": "create", "seconds": 0.5}])
    environment.stacks.create(environment.template())
    with pytest.raises(ClientError, match="is in status CREATING"):
        environment.mwaa.invoke_rest_api(**call)
    wait_for(lambda: environment.stacks.status() == "CREATE_COMPLETE")
    assert environment.mwaa.invoke_rest_api(**call)["RestApiResponse"] == {"version": "3.3.1"}
    elsewhere = environment.sandbox.client("mwaa", region_name="eu-west-1", config=Config(inject_host_prefix=False))
    with pytest.raises(ClientError, match="not found"):
        elsewhere.get_environment(Name=NAME)


def test_other_statuses(environment: Environment) -> None:
    """An environment can get any status by itself, and then its Airflow may not be reached."""
    environment.stacks.create(environment.template())
    path = f"/environments/{NAME}/status"
    change = {"status": "UNAVAILABLE", "error": "It could not be restored"}
    assert environment.sandbox.control("PUT", path, change)["environments"] == [
        {"name": NAME, "region": "us-east-1", "status": "UNAVAILABLE"}
    ]
    described = environment.get()
    assert (described["Status"], described["LastUpdate"]["Error"]["ErrorMessage"]) == (
        "UNAVAILABLE",
        "It could not be restored",
    )
    with pytest.raises(ClientError, match="is in status UNAVAILABLE"):
        environment.mwaa.invoke_rest_api(Name=NAME, Path="/version", Method="GET")
    assert "error" in environment.sandbox.control("PUT", path, {"status": "BROKEN"})
    assert "error" in environment.sandbox.control("PUT", "/environments/nobody/status", {"status": "AVAILABLE"})
    environment.sandbox.control("PUT", path, {"status": "AVAILABLE"})


def test_listed_in_pages(environment: Environment, airflow: Airflow) -> None:
    """Environments of stacks and a registered Airflow are listed together, in pages."""
    environment.stacks.create(environment.template())
    environment.sandbox.control("PUT", "/airflow", {"environment": "contactsync-local", "base_url": airflow.url})
    first = environment.mwaa.list_environments(MaxResults=1)
    second = environment.mwaa.list_environments(MaxResults=1, NextToken=first["NextToken"])
    assert (first["Environments"], second["Environments"], "NextToken" in second) == (
        ["contactsync-local"],
        [NAME],
        False,
    )
    environment.stacks.client.delete_stack(StackName=STACK)
    assert environment.mwaa.list_environments()["Environments"] == ["contactsync-local"]
