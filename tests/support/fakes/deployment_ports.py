"""Fakes of the ports that the checks before a deployment use: an account in which everything is as it should be."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from contactsync.checks.ports import (
    BasicSelector,
    Caller,
    DeploymentPorts,
    NamedResource,
    Organization,
    ResourceKind,
    Role,
    Route,
    SecurityGroup,
    Subnet,
    Trail,
)

ACCOUNT = "111122223333"
REGION = "eu-west-1"
TRIGGER_REGION = "us-east-1"
MANAGED = Organization("o-example123", ACCOUNT, has_all_features=True)


def subnet(number: int, *routes: Route, zone: str | None = None, vpc: str = "vpc-1a") -> Subnet:
    """Return a private subnet with a way out, in a zone of its own, unless the test gives others."""
    way_out = routes or (Route("10.0.0.0/16", "local"), Route("0.0.0.0/0", "nat-1"))
    return Subnet(f"subnet-{number:08x}", vpc, zone or f"{REGION}{'ab'[number % 2]}", way_out)


def trail(name: str = "everything", **changes: object) -> Trail:
    """Return a trail of the whole organization, unless the test changes it."""
    usual = {
        "arn": f"arn:aws:cloudtrail:{TRIGGER_REGION}:{ACCOUNT}:trail/{name}",
        "home_region": TRIGGER_REGION,
        "is_multi_region": True,
        "includes_global_services": True,
        "is_logging": True,
        "basic": (BasicSelector("All", includes_management_events=True),),
    }
    return Trail(name, **{**usual, **changes})  # type: ignore[arg-type] # the test's own values


@dataclass
class FakeAccount:
    """An account that can be deployed to; a test changes what it is about, or scripts an error for a method."""

    account: str = ACCOUNT
    found: Organization = MANAGED
    trusted: bool = True
    all_trails: list[Trail] = field(default_factory=lambda: [trail()])
    regions: set[str] = field(default_factory=lambda: {REGION, TRIGGER_REGION})
    environments: list[str] = field(default_factory=list)
    allowed: int | None = 20
    all_subnets: list[Subnet] = field(default_factory=lambda: [subnet(1), subnet(2)])
    groups: list[SecurityGroup] = field(
        default_factory=lambda: [SecurityGroup("sg-0000000a", "vpc-1a", admits_itself=True, lets_out=True)]
    )
    resources: dict[tuple[ResourceKind, str], NamedResource] = field(default_factory=dict)
    trusts: dict[str, list[str]] = field(default_factory=dict)
    denied_actions: list[str] = field(default_factory=list)
    bucket_problems: list[str] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    """What the methods raise, by their names."""
    asked: list[str] = field(default_factory=list)
    """The methods that were called."""

    @property
    def ports(self) -> DeploymentPorts:
        """The account as the checks see it."""
        return DeploymentPorts(
            identity=self,
            organizations=self,
            trails=self,
            environments=self,
            network=self,
            names=self,
            roles=self,
            buckets=self,
        )

    def caller(self) -> Caller:
        """Return a user of the account."""
        self._ask("caller")
        return Caller(self.account, f"arn:aws:iam::{self.account}:user/wanda")

    def organization(self) -> Organization:
        """Return the organization."""
        self._ask("organization")
        return self.found

    def trusted_access(self) -> bool:
        """Return whether the test left it on."""
        self._ask("trusted_access")
        return self.trusted

    def trails(self, region: str) -> Iterable[Trail]:
        """Return the trails."""
        self._ask("trails")
        assert region == TRIGGER_REGION
        return self.all_trails

    def is_offered(self, region: str) -> bool:
        """Return whether the region is one of the test's."""
        self._ask("is_offered")
        return region in self.regions

    def names(self, region: str) -> Sequence[str]:
        """Return the environments."""
        self._ask("names")
        assert region in self.regions
        return self.environments

    def quota(self, region: str) -> int | None:
        """Return the quota."""
        self._ask("quota")
        assert region in self.regions
        return self.allowed

    def subnets(self, region: str, ids: Sequence[str]) -> Sequence[Subnet]:
        """Return the subnets that are there."""
        self._ask("subnets")
        assert region in self.regions
        return [one for one in self.all_subnets if one.subnet_id in ids]

    def security_groups(self, region: str, ids: Sequence[str]) -> Sequence[SecurityGroup]:
        """Return the security groups that are there."""
        self._ask("security_groups")
        assert region in self.regions
        return [one for one in self.groups if one.group_id in ids]

    def find(self, kind: ResourceKind, name: str, region: str) -> NamedResource | None:
        """Return what has the name."""
        self._ask(f"find {kind}")
        assert region in self.regions
        return self.resources.get((kind, name))

    def role(self, role_name: str) -> Role | None:
        """Return a role that trusts whom the test says."""
        self._ask("role")
        return Role(self.account, self.trusts[role_name]) if role_name in self.trusts else None

    def denied(self, role_name: str, calls: Mapping[str, str]) -> Sequence[str]:
        """Return those of the actions that the test denies."""
        self._ask("denied")
        assert role_name in self.trusts
        return [action for action in calls if action in self.denied_actions]

    def problems(self, bucket: str, region: str) -> Sequence[str]:
        """Return what the test says about the bucket."""
        self._ask("problems")
        assert bucket
        assert region in self.regions
        return self.bucket_problems

    def _ask(self, method: str) -> None:
        self.asked.append(method)
        if method in self.errors:
            raise self.errors[method]
