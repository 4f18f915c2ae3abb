"""The account's subnets with their routes, and its security groups."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from contactsync.aws.checks.calls import Calls
from contactsync.checks.ports import Route, SecurityGroup, Subnet

TARGETS: Final = (
    *("NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId", "LocalGatewayId"),
    *("CarrierGatewayId", "CoreNetworkArn", "EgressOnlyInternetGatewayId", "InstanceId", "GatewayId"),
)
"""The keys of a route that name what it leads to; a route has one, or an instance with its network interface."""

DESTINATIONS: Final = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")

EVERYTHING: Final = "-1"
HTTPS: Final = 443


class VpcNetwork:
    """Amazon VPC. What there is not, is left out: filters, unlike ids, do not make a call fail."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def subnets(self, region: str, ids: Sequence[str]) -> list[Subnet]:
        """Return the subnets, each with the routes of its route table, or of its VPC's main one."""
        found = list(self._pages(region, "DescribeSubnets", "Subnets", "subnet-id", ids))
        vpcs = sorted({one["VpcId"] for one in found})
        tables = list(self._pages(region, "DescribeRouteTables", "RouteTables", "vpc-id", vpcs)) if vpcs else []
        return [
            Subnet(one["SubnetId"], one["VpcId"], one["AvailabilityZone"], _routes(_table_of(one, tables)))
            for one in found
        ]

    def security_groups(self, region: str, ids: Sequence[str]) -> list[SecurityGroup]:
        """Return the security groups."""
        found = self._pages(region, "DescribeSecurityGroups", "SecurityGroups", "group-id", ids)
        return [SecurityGroup(one["GroupId"], one["VpcId"], _admits_itself(one), _lets_out(one)) for one in found]

    def _pages(self, region: str, operation: str, key: str, name: str, values: Sequence[str]) -> Iterable[Any]:
        filters = [{"Name": name, "Values": list(values)}]
        return self._calls.pages("ec2", region, operation, key, Filters=filters)


def _table_of(subnet: Mapping[str, Any], tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    of_vpc = [table for table in tables if table["VpcId"] == subnet["VpcId"]]
    own = [table for table in of_vpc if _is_associated(table, "SubnetId", subnet["SubnetId"])]
    main = [table for table in of_vpc if _is_associated(table, "Main", value=True)]
    return next(iter([*own, *main]), {})


def _is_associated(table: Mapping[str, Any], key: str, value: object) -> bool:
    return any(one.get(key) == value for one in table.get("Associations") or ())


def _routes(table: Mapping[str, Any]) -> tuple[Route, ...]:
    return tuple(
        Route(
            next((route[key] for key in DESTINATIONS if route.get(key)), ""),
            next((route[key] for key in TARGETS if route.get(key)), ""),
            route.get("State", "active") == "active",
        )
        for route in table.get("Routes") or ()
    )


def _admits_itself(group: Mapping[str, Any]) -> bool:
    return any(
        rule.get("IpProtocol") == EVERYTHING
        and (_is_everywhere(rule) or any(pair.get("GroupId") == group["GroupId"] for pair in rule["UserIdGroupPairs"]))
        for rule in group.get("IpPermissions") or ()
    )


def _lets_out(group: Mapping[str, Any]) -> bool:
    return any(_is_everywhere(rule) and _covers_https(rule) for rule in group.get("IpPermissionsEgress") or ())


def _is_everywhere(rule: Mapping[str, Any]) -> bool:
    return any(block.get("CidrIp") == "0.0.0.0/0" for block in rule.get("IpRanges") or ())


def _covers_https(rule: Mapping[str, Any]) -> bool:
    if rule.get("IpProtocol") == EVERYTHING:
        return True
    return rule.get("IpProtocol") == "tcp" and rule.get("FromPort", 0) <= HTTPS <= rule.get("ToPort", 0)
