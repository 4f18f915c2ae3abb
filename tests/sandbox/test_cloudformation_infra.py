"""Every template of infra/ in the sandbox's CloudFormation: deployed to two regions, updated, rolled back, deleted."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from contactsync.stacks.stack_file import StackList, read_stacks
from contactsync.stacks.stacks import Stack, stack_name
from tests.sandbox.loop_sandbox import ACCOUNT, SmallSandbox, small_sandbox
from tests.sandbox.stack_calls import StackCalls

INFRA = Path(__file__).parents[2] / "infra"
REGION, TRIGGER = "eu-west-1", "us-east-1"
GIVEN = {
    "Environment": "dev",
    "ManagementAccountId": ACCOUNT,
    "OrganizationId": "o-abcdefghij",
    "CodeKey": "trigger.zip",
    "SubscriberCodeKey": "subscribers.zip",
    "NoticesEmail": "operators@example.com",
    "CreateTrail": "true",
    "OpsItems": "true",
    "Enabled": "true",
    "SlackWorkspaceId": "T0SANDBOX",
    "SlackChannelId": "C0OPERATORS",
}


class Deployed:
    """The stacks of a deployment, created one after the other as infra/stacks.yaml lists them."""

    def __init__(self, sandbox: SmallSandbox) -> None:
        """Start with no stack."""
        self.sandbox = sandbox
        self.listed: StackList = read_stacks(INFRA)
        self.outputs: dict[str, dict[str, str]] = {}
        self.given = dict(GIVEN)

    def stacks(self) -> list[Stack]:
        """Return the stacks that are wanted."""
        return [
            stack
            for stack in self.listed.stacks
            if stack.is_wanted(self.given, REGION) and stack.stack_per_file_in is None
        ]

    def calls(self, stack: Stack) -> StackCalls:
        """Return CloudFormation of the stack's region."""
        return StackCalls(self.sandbox, stack.region.of(REGION))

    def create(self, stack: Stack) -> None:
        """Create one stack, with the objects that later ones need in its bucket."""
        name = stack_name("dev", stack.name)
        calls = self.calls(stack)
        calls.client.create_stack(
            StackName=name,
            TemplateBody=(INFRA / stack.template).read_text(),
            Parameters=self.parameters(stack),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        (described,) = calls.client.describe_stacks(StackName=name)["Stacks"]
        failed = [event for event in calls.events(name) if event[1].endswith("FAILED")]
        assert described["StackStatus"] == "CREATE_COMPLETE", (
            name,
            failed,
            calls.reason(failed[0][0], failed[0][1], name),
        )
        self.outputs[stack.name] = {
            output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])
        }
        if "CodeBucketName" in self.outputs[stack.name]:
            self.put_code(self.outputs[stack.name]["CodeBucketName"], stack.region.of(REGION))

    def parameters(self, stack: Stack, **changes: str) -> list[dict[str, str]]:
        """Return the parameters of a stack."""
        declared = self.listed.templates[stack.template].get("Parameters", {})
        values = {**self.listed.fed(stack, self.outputs, REGION), **self.given, **changes}
        return [{"ParameterKey": name, "ParameterValue": values[name]} for name in declared if name in values]

    def put_code(self, bucket: str, region: str) -> None:
        """Put what functions and MWAA read, and remember the versions."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as content:
            content.writestr("README", "empty")
        s3 = self.sandbox.client("s3", region_name=region)
        versions = {
            key: s3.put_object(Bucket=bucket, Key=key, Body=archive.getvalue())["VersionId"]
            for key in ("trigger.zip", "subscribers.zip", "plugins.zip", "requirements.txt")
        }
        if region == REGION:
            self.given |= {
                "PluginsVersion": versions["plugins.zip"],
                "RequirementsVersion": versions["requirements.txt"],
            }

    def change(self, name: str, **parameters: str) -> StackCalls:
        """Update one stack with other parameters."""
        stack = next(stack for stack in self.stacks() if stack.name == name)
        calls = self.calls(stack)
        calls.client.update_stack(
            StackName=stack_name("dev", name),
            UsePreviousTemplate=True,
            Parameters=self.parameters(stack, **parameters),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        return calls


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    """Deploy all stacks once."""
    with small_sandbox(INFRA.parent) as running:
        made = Deployed(running)
        for stack in made.stacks():
            made.create(stack)
        yield made


def mwaa(deployed: Deployed) -> Any:
    """Return a client of MWAA in the deployment's region."""
    return deployed.sandbox.client("mwaa", region_name=REGION, config=Config(inject_host_prefix=False))


def test_all_stacks(deployed: Deployed) -> None:
    """Every stack is deployed, to its own region, and nothing has drifted."""
    names = {stack.name for stack in deployed.stacks()}
    assert names == {stack.name for stack in deployed.listed.stacks if stack.stack_per_file_in is None}
    for stack in deployed.stacks():
        calls = deployed.calls(stack)
        calls.client.detect_stack_drift(StackName=stack_name("dev", stack.name))
        drifts = calls.client.describe_stack_resource_drifts(
            StackName=stack_name("dev", stack.name), StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
        )["StackResourceDrifts"]
        assert drifts == [], stack.name


def test_environment(deployed: Deployed) -> None:
    """The environment is available, with the template's options as text and the versions of its files."""
    environment = mwaa(deployed).get_environment(Name="contactsync-dev-airflow")["Environment"]
    options = environment["AirflowConfigurationOptions"]
    assert (environment["Status"], environment["LastUpdate"]["Status"]) == ("AVAILABLE", "SUCCESS")
    assert options["contactsync.state_table"] == "contactsync-dev-state"
    assert options["core.max_map_length"] == "10000"
    assert "contactsync.docs_url" not in options
    assert environment["PluginsS3ObjectVersion"] == deployed.given["PluginsVersion"]
    assert deployed.outputs["airflow"]["AirflowUrl"] == f"https://{environment['WebserverUrl']}"
    assert mwaa(deployed).list_environments()["Environments"] == ["contactsync-dev-airflow"]


def test_nothing_to_do(deployed: Deployed) -> None:
    """The same templates and parameters once more are no update of any stack."""
    for stack in deployed.stacks():
        refusal = deployed.calls(stack).refused(
            "update_stack",
            StackName=stack_name("dev", stack.name),
            TemplateBody=(INFRA / stack.template).read_text(),
            Parameters=deployed.parameters(stack),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        assert refusal[1] == "No updates are to be performed.", stack.name


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("network", {"NatGateways": "2"}),
        ("bus", {"LogRetentionDays": "30"}),
        ("trigger", {"Tracing": "PassThrough", "ReservedConcurrency": "5"}),
        ("airflow", {"MaxWorkers": "5", "LogRetentionDays": "30"}),
        ("trail", {"TrailRetentionDays": "100"}),
        ("state", {"DeletionProtection": "false"}),
        ("monitoring", {"TriggerRegion": "us-west-2"}),
    ],
)
def test_updates(deployed: Deployed, name: str, parameters: dict[str, str]) -> None:
    """A parameter changes its stack's resources in place, without a failure."""
    calls = deployed.change(name, **parameters)
    full = stack_name("dev", name)
    failed = [event for event in calls.events(full) if event[1].endswith("FAILED")]
    assert (calls.status(full), failed) == ("UPDATE_COMPLETE", [])


def test_missing_version(deployed: Deployed) -> None:
    """A version that is not in the bucket is refused, and the environment stays as it was."""
    calls = deployed.change("airflow", PluginsVersion="nobody")
    assert calls.status("contactsync-dev-airflow") == "UPDATE_ROLLBACK_COMPLETE"
    assert "plugins.zip" in calls.reason("Airflow", "UPDATE_FAILED", "contactsync-dev-airflow")
    environment = mwaa(deployed).get_environment(Name="contactsync-dev-airflow")["Environment"]
    assert (environment["Status"], environment["PluginsS3ObjectVersion"]) == (
        "AVAILABLE",
        deployed.given["PluginsVersion"],
    )


def test_deletion(deployed: Deployed) -> None:
    """All stacks can be deleted in the opposite order, and the next deployment imports what their policies keep."""
    for stack in reversed(deployed.stacks()):
        name = stack_name("dev", stack.name)
        calls = deployed.calls(stack)
        stack_id = calls.client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        calls.client.delete_stack(StackName=name)
        failed = [event for event in calls.events(stack_id) if event[1] == "DELETE_FAILED"]
        reasons = [calls.reason(name, status, stack_id) for name, status in failed]
        assert (calls.status(stack_id), reasons) == ("DELETE_COMPLETE", []), stack.name
    ec2 = deployed.sandbox.client("ec2", region_name=REGION)
    assert [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]] == []
    assert mwaa(deployed).list_environments()["Environments"] == []
    state = next(stack for stack in deployed.stacks() if stack.name == "state")
    calls = deployed.calls(state)
    calls.client.create_change_set(
        StackName="contactsync-dev-state",
        ChangeSetName="again",
        ChangeSetType="CREATE",
        TemplateBody=(INFRA / state.template).read_text(),
        Parameters=deployed.parameters(state),
        ImportExistingResources=True,
    )
    calls.client.execute_change_set(StackName="contactsync-dev-state", ChangeSetName="again")
    assert calls.status("contactsync-dev-state") == "CREATE_COMPLETE"
