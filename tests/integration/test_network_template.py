"""infra/network.yaml: two private subnets that MWAA accepts, with a way to AWS's APIs and none from outside."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contactsync.stacks.templates import TemplateError, check_value, load
from tests.sandbox.loop_sandbox import SmallSandbox, small_sandbox

INFRA = Path(__file__).parents[2] / "infra"
TEMPLATE = load(INFRA / "network.yaml")
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]


@pytest.fixture
def sandbox() -> Iterator[SmallSandbox]:
    """Give each test an empty sandbox."""
    with small_sandbox(INFRA.parent) as running:
        yield running


def deployed(sandbox: SmallSandbox, folder: Path, **parameters: str) -> tuple[Any, dict[str, str]]:
    """Deploy the template alone, and return EC2 and the outputs."""
    shutil.copy(INFRA / "network.yaml", folder)
    (stack,) = sandbox.deploy(folder, Environment="local", **parameters)
    return sandbox.client("ec2"), dict(stack.outputs)


@pytest.mark.parametrize("gateways", ["1", "2"])
def test_deployed(sandbox: SmallSandbox, tmp_path: Path, gateways: str) -> None:
    """Two private subnets in two zones reach the internet through a NAT gateway, their own one if there are two."""
    ec2, outputs = deployed(sandbox, tmp_path, NatGateways=gateways)
    subnets = ec2.describe_subnets(SubnetIds=outputs["SubnetIds"].split(","))["Subnets"]
    assert len(subnets) == len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)
    assert {subnet["VpcId"] for subnet in subnets} == {outputs["VpcId"]}
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [outputs["VpcId"]]}])["RouteTables"]
    used = [route["NatGatewayId"] for table in tables for route in table["Routes"] if "NatGatewayId" in route]
    found = ec2.describe_nat_gateways()["NatGateways"]
    assert len(used) == 2
    assert set(used) == {one["NatGatewayId"] for one in found}
    assert len(found) == int(gateways)
    assert not {one["SubnetId"] for one in found} & set(outputs["SubnetIds"].split(","))


def test_routes() -> None:
    """Each subnet has the routes of its zone; moto makes no such connection from a template, so this reads it there."""
    kind = "AWS::EC2::SubnetRouteTableAssociation"
    found = {
        one["Properties"]["SubnetId"]["Ref"]: one["Properties"]["RouteTableId"]["Ref"]
        for one in RESOURCES.values()
        if one["Type"] == kind
    }
    assert found == {
        "FirstPublicSubnet": "PublicRoutes",
        "SecondPublicSubnet": "PublicRoutes",
        "FirstPrivateSubnet": "FirstPrivateRoutes",
        "SecondPrivateSubnet": "SecondPrivateRoutes",
    }


def test_security_group(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """The group lets in its own members and nobody else, as MWAA asks for."""
    ec2, outputs = deployed(sandbox, tmp_path)
    (group,) = ec2.describe_security_groups(GroupIds=[outputs["SecurityGroupId"]])["SecurityGroups"]
    (rule,) = group["IpPermissions"]
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [outputs["SecurityGroupId"]]
    assert rule["IpProtocol"] == "-1"
    assert rule["IpRanges"] == []


def test_endpoints() -> None:
    """S3 and DynamoDB are reached from both private subnets through endpoints that cost nothing."""
    endpoints = [one["Properties"] for one in RESOURCES.values() if one["Type"] == "AWS::EC2::VPCEndpoint"]
    assert {one["ServiceName"]["Fn::Sub"].rpartition(".")[2] for one in endpoints} == {"s3", "dynamodb"}
    for one in endpoints:
        assert one["VpcEndpointType"] == "Gateway"
        assert one["RouteTableIds"] == [{"Ref": "FirstPrivateRoutes"}, {"Ref": "SecondPrivateRoutes"}]


CIDRS = [name for name in TEMPLATE["Parameters"] if name.endswith("Cidr")]


@pytest.mark.parametrize("name", CIDRS)
@pytest.mark.parametrize(
    "value",
    ["", "10.0.0.0", "10.0.0/16", "10.0.0.256/24", "10.0.0.0/8", "10.0.0.0/28", "10.0.0.0/16,10.1.0.0/16"],
)
def test_wrong_cidr(name: str, value: str) -> None:
    """What is no range of addresses that a subnet of MWAA can have is refused."""
    with pytest.raises(TemplateError, match=f"parameter {name}: .* does not match"):
        check_value("network.yaml", name, value, TEMPLATE["Parameters"][name])


@pytest.mark.parametrize("value", ["10.0.0.0/16", "172.31.255.0/24", "192.168.100.64/27"])
def test_right_cidr(value: str) -> None:
    """Usual ranges are accepted."""
    assert len(CIDRS) == 5
    for name in CIDRS:
        check_value("network.yaml", name, value, TEMPLATE["Parameters"][name])
