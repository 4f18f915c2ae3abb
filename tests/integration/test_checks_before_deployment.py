"""The checks before a deployment, with AWS's clients on the sandbox."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contactsync.checks.before_deployment import after_failed_environment, before_deployment
from contactsync.checks.findings import Finding, Fix, State
from contactsync.checks.ports import DeploymentPorts, ResourceKind, Route
from contactsync.checks.wanted import EnvironmentParts, WantedDeployment
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.server import Sandbox
from contactsync.services.checks import deployment_ports
from contactsync.stacks.stack_file import read_stacks

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
ELSEWHERE = "eu-west-1"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox without a stack."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def ports(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeploymentPorts]:
    """Give the ports of a person in the management account; scripted faults end with the test."""
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    yield deployment_ports()
    sandbox.conditions.faults.clear()


def client(sandbox: Sandbox, service: str, region: str = REGION) -> Any:
    """Return a client of the management account."""
    return sandbox.session().client(service, region_name=region, endpoint_url=sandbox.endpoint_url)


def wanted(sandbox: Sandbox, **changes: Any) -> WantedDeployment:
    """Return a first deployment."""
    usual = {"account_id": sandbox.management_account, "region": REGION, "trigger_region": REGION}
    return WantedDeployment(environment="prod", listed=read_stacks(ROOT / "infra"), **{**usual, **changes})


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    """Return the findings by their names."""
    return {finding.name: finding for finding in findings}


@pytest.fixture
def vpc(sandbox: Sandbox) -> dict[str, str]:
    """Make a VPC with two private subnets behind a NAT gateway, a public subnet, and a security group."""
    ec2 = client(sandbox, "ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    made = {"vpc": vpc_id}
    for number, (name, zone) in enumerate([("public", "a"), ("first", "a"), ("second", "b")]):
        subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        made[name] = subnet["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=vpc_id, InternetGatewayId=gateway)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=made["public"], AllocationId=address)["NatGateway"]["NatGatewayId"]
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}]
    (main,) = ec2.describe_route_tables(Filters=filters)["RouteTables"]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    public = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=public, SubnetId=made["public"])
    group = ec2.create_security_group(GroupName=f"mwaa-{vpc_id}", Description="mwaa", VpcId=vpc_id)["GroupId"]
    pairs = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=pairs)
    return made | {"group": group, "nat": nat}


def test_a_new_account(sandbox: Sandbox, ports: DeploymentPorts) -> None:
    """In the management account of an organization with trusted access, only the trail is missing."""
    found = by_name(before_deployment(wanted(sandbox), ports))
    assert [found[name].state for name in ("credentials", "account", "organization", "trusted-access", "region")] == [
        State.OK
    ] * 5
    assert (found["trail"].state, found["trail"].fix) == (State.FAILED, Fix.CREATE_TRAIL)


def test_expired_credentials(sandbox: Sandbox, ports: DeploymentPorts) -> None:
    """Expired credentials are the only finding."""
    sandbox.conditions.faults.add(
        FaultSettings.model_validate({"service": "sts", "operation": "GetCallerIdentity", "error": "ExpiredToken"})
    )
    (finding,) = before_deployment(wanted(sandbox), ports)
    assert (finding.name, finding.state) == ("credentials", State.FAILED)
    assert "have expired" in finding.remedy


def test_no_credentials(ports: DeploymentPorts, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that are missing are a finding, too: nothing is called before."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (finding,) = before_deployment(wanted(sandbox), deployment_ports())
    assert (finding.name, finding.state) == ("credentials", State.FAILED)
    assert ports is not None


def test_trusted_access_off(sandbox: Sandbox, ports: DeploymentPorts) -> None:
    """Trusted access that is off is found, with what switches it on."""
    organizations = client(sandbox, "organizations")
    organizations.disable_aws_service_access(ServicePrincipal="account.amazonaws.com")
    try:
        finding = by_name(before_deployment(wanted(sandbox), ports))["trusted-access"]
    finally:
        organizations.enable_aws_service_access(ServicePrincipal="account.amazonaws.com")
    assert (finding.state, finding.fix) == (State.FAILED, Fix.ENABLE_TRUSTED_ACCESS)


def test_trails(sandbox: Sandbox, ports: DeploymentPorts) -> None:
    """Trails are read with their state and with both kinds of selectors."""
    client(sandbox, "s3").create_bucket(Bucket="trails")
    cloudtrail = client(sandbox, "cloudtrail", ELSEWHERE)
    cloudtrail.create_trail(Name="all", S3BucketName="trails", IsMultiRegionTrail=True)
    finding = by_name(before_deployment(wanted(sandbox), ports))["trail"]
    assert "(all is switched off)" in finding.sentence
    cloudtrail.start_logging(Name="all")
    assert by_name(before_deployment(wanted(sandbox), ports))["trail"].state is State.OK
    reads = [{"Name": "reads", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
    reads[0]["FieldSelectors"].append({"Field": "readOnly", "Equals": ["true"]})  # type: ignore[attr-defined]
    cloudtrail.put_event_selectors(TrailName="all", AdvancedEventSelectors=reads)
    assert "leaves out" in by_name(before_deployment(wanted(sandbox), ports))["trail"].sentence
    cloudtrail.put_event_selectors(
        TrailName="all", EventSelectors=[{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]
    )
    cloudtrail.delete_trail(Name="all")


def test_network(sandbox: Sandbox, ports: DeploymentPorts, vpc: dict[str, str]) -> None:
    """Routes come from a subnet's own table, else from its VPC's main one."""
    subnets = {one.subnet_id: one for one in ports.network.subnets(REGION, [vpc["public"], vpc["first"], "subnet-0"])}
    assert set(subnets) == {vpc["public"], vpc["first"]}
    assert Route("0.0.0.0/0", vpc["nat"]) in subnets[vpc["first"]].routes
    assert any(route.target.startswith("igw-") for route in subnets[vpc["public"]].routes)
    given = {"SubnetIds": f"{vpc['first']},{vpc['second']}", "SecurityGroupIds": vpc["group"]}
    found = by_name(before_deployment(wanted(sandbox, parameters=given), ports))
    assert (found["subnets"].state, found["security-groups"].state) == (State.OK, State.OK)
    public = {**given, "SubnetIds": f"{vpc['public']},{vpc['second']}"}
    found = by_name(before_deployment(wanted(sandbox, parameters=public), ports))
    assert "is public" in found["subnets"].sentence


def test_names(sandbox: Sandbox, ports: DeploymentPorts) -> None:
    """Buckets and tables are found by their names, with what tells whose they are."""
    dynamodb = client(sandbox, "dynamodb")
    dynamodb.create_table(
        TableName="somebodys",
        KeySchema=[{"AttributeName": "b", "KeyType": "HASH"}, {"AttributeName": "a", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "ab"],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "aws:cloudformation:stack-name", "Value": "somebody"}],
    )
    client(sandbox, "s3").create_bucket(Bucket="somebodys")
    table = ports.names.find(ResourceKind.TABLE, "somebodys", REGION)
    assert table is not None
    assert (table.stack, list(table.key_attributes)) == ("somebody", ["b", "a"])
    bucket = ports.names.find(ResourceKind.BUCKET, "somebodys", REGION)
    assert bucket is not None
    assert (bucket.is_own, bucket.stack, bucket.region) == (True, None, REGION)
    assert ports.names.find(ResourceKind.TABLE, "nobodys", REGION) is None
    assert ports.names.find(ResourceKind.BUCKET, "nobodys", REGION) is None


def test_a_denied_bucket(sandbox: Sandbox, ports: DeploymentPorts) -> None:
    """A bucket that is denied and is not among the account's own belongs to another account."""
    sandbox.conditions.faults.add(
        FaultSettings.model_validate({"service": "s3", "operation": "HeadBucket", "error": "AccessDenied"})
    )
    found = ports.names.find(ResourceKind.BUCKET, "a-strangers", REGION)
    assert found is not None
    assert not found.is_own


def test_denied_reads(sandbox: Sandbox, ports: DeploymentPorts) -> None:
    """A denied call is a finding with the missing permission, and the checks go on."""
    sandbox.conditions.faults.add(
        FaultSettings.model_validate(
            {"service": "cloudtrail", "operation": "DescribeTrails", "error": "AccessDeniedException"}
        )
    )
    found = by_name(before_deployment(wanted(sandbox), ports))
    assert found["trail"].state is State.UNKNOWN
    assert "cloudtrail:DescribeTrails" in found["trail"].remedy
    assert "names" in found


def test_after_a_failed_environment(sandbox: Sandbox, ports: DeploymentPorts, vpc: dict[str, str]) -> None:
    """The role's trust and the bucket's settings are read as they are."""
    iam, s3 = client(sandbox, "iam"), client(sandbox, "s3")
    trust = '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "airflow.amazonaws.com"}}]}'
    iam.create_role(RoleName="mwaa", AssumeRolePolicyDocument=trust)
    s3.create_bucket(Bucket="code")
    groups = (vpc["group"],)
    parts = EnvironmentParts(REGION, "prod", (vpc["first"], vpc["second"]), groups, "mwaa", "code")
    found = by_name(after_failed_environment(parts, ports))
    assert [found[name].state for name in ("subnets", "security-groups")] == [State.OK] * 2
    assert "does not trust airflow-env.amazonaws.com" in found["role"].sentence
    assert found["bucket"].sentence == "Bucket code is not versioned and does not block public access."


def test_role_without_simulation(sandbox: Sandbox, ports: DeploymentPorts) -> None:
    """When IAM cannot simulate the role's policies, the finding is unknown and not a traceback."""
    trust = '{"Statement": {"Effect": "Allow", "Principal": {"Service": ["airflow.amazonaws.com", "%s"]}}}'
    client(sandbox, "iam").create_role(RoleName="mwaa-2", AssumeRolePolicyDocument=trust % "airflow-env.amazonaws.com")
    sandbox.conditions.faults.add(
        FaultSettings.model_validate(
            {"service": "iam", "operation": "SimulatePrincipalPolicy", "error": "AccessDenied"}
        )
    )
    parts = EnvironmentParts(REGION, "prod", (), (), "mwaa-2", "no-bucket")
    found = by_name(after_failed_environment(parts, ports))
    assert found["role"].state is State.UNKNOWN
    assert "iam:SimulatePrincipalPolicy" in found["role"].remedy
    assert found["bucket"].sentence == "Bucket no-bucket is not there."
