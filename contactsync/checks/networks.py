"""Whether an MWAA environment can run in subnets that a person gave: two, private, in two zones, with a way out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from contactsync.checks.findings import Finding, failed, ok
from contactsync.checks.ports import Network, Route, SecurityGroup, Subnet

SUBNETS: Final = "subnets"
SECURITY_GROUPS: Final = "security-groups"

EVERYWHERE: Final = "0.0.0.0/0"
HALVES: Final = frozenset({"0.0.0.0/1", "128.0.0.0/1"})
INTERNET_GATEWAY: Final = "igw-"

_NEEDED: Final = 2
_WAY_OUT: Final = (
    "Add an active route for 0.0.0.0/0 to a NAT gateway, a transit gateway or another way out: Account Management and "
    "Organizations answer in one region, and have no endpoint in a VPC that would do."
)


def check_network(
    network: Network, region: str, subnet_ids: Sequence[str], group_ids: Sequence[str], vpc: str
) -> Iterator[Finding]:
    """Yield what is wrong with the given subnets and security groups, or that they are right."""
    subnets = network.subnets(region, subnet_ids)
    wrong = list(_subnets(region, subnet_ids, subnets))
    yield from wrong or [ok(SUBNETS, f"Subnets {', '.join(subnet_ids)} are private, in two zones, and have a way out.")]
    vpcs = {subnet.vpc for subnet in subnets}
    if group_ids:
        groups = network.security_groups(region, group_ids)
        yield from _groups(region, group_ids, groups, vpcs)
    elif vpc:
        yield _own_group(vpc, vpcs)
    else:
        yield failed(
            SECURITY_GROUPS,
            "Neither SecurityGroupIds nor VpcId is given for the subnets.",
            "Give SecurityGroupIds, or VpcId: then a security group is created in it.",
        )


def _subnets(region: str, wanted: Sequence[str], found: Sequence[Subnet]) -> Iterator[Finding]:
    if len(set(wanted)) != _NEEDED:
        named = len(set(wanted))
        sentence = f"SubnetIds names {named} {'subnet' if named == 1 else 'subnets'}; MWAA needs two."
        yield failed(SUBNETS, sentence, "Name two different ones, separated by a comma.")
    if absent := [one for one in wanted if one not in {subnet.subnet_id for subnet in found}]:
        yield failed(
            SUBNETS,
            f"There is no subnet {' and no subnet '.join(absent)} in {region}.",
            "Name subnets of this account and region: `aws ec2 describe-subnets` lists them.",
        )
    if len({subnet.vpc for subnet in found}) > 1:
        yield failed(SUBNETS, f"The subnets are in different VPCs: {_each(found, 'vpc')}.", "Name two of one VPC.")
    elif len(found) > 1 and len({subnet.zone for subnet in found}) == 1:
        yield failed(
            SUBNETS,
            f"The subnets are both in availability zone {found[0].zone}.",
            "Name two subnets in two zones: MWAA needs that.",
        )
    for subnet in found:
        yield from _routes(subnet)


def _routes(subnet: Subnet) -> Iterator[Finding]:
    public = next((route for route in subnet.routes if route.target.startswith(INTERNET_GATEWAY)), None)
    if public:
        yield failed(
            SUBNETS,
            f"Subnet {subnet.subnet_id} is public: it has a route for {public.destination} to {public.target}.",
            "Name private subnets; they reach the internet through a NAT gateway in a public one.",
        )
    elif not has_way_out(subnet.routes):
        broken = next((route for route in subnet.routes if route.destination == EVERYWHERE), None)
        why = f": its route to {broken.target} is a black hole" if broken else ""
        yield failed(SUBNETS, f"Subnet {subnet.subnet_id} has no way to AWS's APIs{why}.", _WAY_OUT)


def has_way_out(routes: Iterable[Route]) -> bool:
    """Return whether every address is routed to something that is there."""
    active = {route.destination for route in routes if route.is_active}
    return EVERYWHERE in active or active >= HALVES


def _groups(region: str, wanted: Sequence[str], found: Sequence[SecurityGroup], vpcs: set[str]) -> Iterator[Finding]:
    if absent := [one for one in wanted if one not in {group.group_id for group in found}]:
        yield failed(
            SECURITY_GROUPS,
            f"There is no security group {' and no security group '.join(absent)} in {region}.",
            "Name groups of this account and region: `aws ec2 describe-security-groups` lists them.",
        )
    elif foreign := [group for group in found if vpcs and group.vpc not in vpcs]:
        yield failed(
            SECURITY_GROUPS,
            f"Security group {foreign[0].group_id} belongs to {foreign[0].vpc}, the subnets to {min(vpcs)}.",
            "Name security groups of the subnets' VPC.",
        )
    elif not any(group.admits_itself for group in found):
        yield failed(
            SECURITY_GROUPS,
            f"The members of {', '.join(wanted)} may not talk to each other, which the parts of an environment need.",
            "Add an inbound rule for all traffic from the security group itself.",
        )
    elif not any(group.lets_out for group in found):
        yield failed(
            SECURITY_GROUPS,
            f"The members of {', '.join(wanted)} may not connect to AWS's APIs.",
            "Add an outbound rule for 0.0.0.0/0 at port 443.",
        )
    else:
        yield ok(SECURITY_GROUPS, f"The members of {', '.join(wanted)} may talk to each other and to AWS's APIs.")


def _own_group(vpc: str, vpcs: set[str]) -> Finding:
    if vpcs and vpc not in vpcs:
        return failed(
            SECURITY_GROUPS, f"VpcId is {vpc}, but the subnets are in {min(vpcs)}.", f"Give VpcId={min(vpcs)}."
        )
    return ok(SECURITY_GROUPS, f"A security group is created in {vpc}.")


def _each(subnets: Sequence[Subnet], what: str) -> str:
    return ", ".join(f"{subnet.subnet_id} in {getattr(subnet, what)}" for subnet in subnets)
