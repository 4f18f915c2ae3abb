"""What the checks before a deployment ask AWS; every method may raise an AwsCallError."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from contactsync.errors import AwsCallError


@dataclass(frozen=True)
class Caller:
    """Who calls AWS."""

    account: str
    arn: str


@dataclass(frozen=True)
class Organization:
    """The organization that the caller's account belongs to."""

    organization_id: str
    management_account: str
    has_all_features: bool


@dataclass(frozen=True)
class BasicSelector:
    """One of a trail's event selectors."""

    read_write_type: str
    """All, ReadOnly or WriteOnly."""
    includes_management_events: bool
    excluded_sources: frozenset[str] = frozenset()
    """The services whose management events are left out."""


@dataclass(frozen=True)
class FieldCondition:
    """A condition of an advanced event selector on a field; all lists that are not empty must hold."""

    name: str
    equals: Sequence[str] = ()
    not_equals: Sequence[str] = ()
    starts_with: Sequence[str] = ()
    not_starts_with: Sequence[str] = ()
    ends_with: Sequence[str] = ()
    not_ends_with: Sequence[str] = ()


@dataclass(frozen=True)
class Trail:
    """A trail of this account, or one of another account that records this one's events too."""

    name: str
    arn: str
    home_region: str
    is_multi_region: bool
    includes_global_services: bool
    is_logging: bool
    basic: Sequence[BasicSelector] = ()
    advanced: Sequence[Sequence[FieldCondition]] = ()
    """A trail has selectors of one kind only; one without any records all management events."""
    unread: AwsCallError | None = None
    """Why the rest about it could not be read."""


@dataclass(frozen=True)
class Route:
    """A route of a subnet."""

    destination: str
    """Addresses in CIDR notation, or a prefix list."""
    target: str
    """The id of what it leads to, such as igw-0123; `local` for the VPC itself."""
    is_active: bool = True


@dataclass(frozen=True)
class Subnet:
    """A subnet with the routes of its route table."""

    subnet_id: str
    vpc: str
    zone: str
    routes: Sequence[Route] = ()


@dataclass(frozen=True)
class SecurityGroup:
    """A security group."""

    group_id: str
    vpc: str
    admits_itself: bool
    """Whether its members may send everything to each other."""
    lets_out: bool
    """Whether its members may connect to other addresses at port 443."""


class ResourceKind(StrEnum):
    """The kinds of resources whose names are looked for."""

    BUCKET = "bucket"
    TABLE = "table"
    ENVIRONMENT = "MWAA environment"


@dataclass(frozen=True)
class NamedResource:
    """A resource that has a name which a deployment would use."""

    stack: str | None = None
    """The stack that made it, also when that is deleted; None when no stack made it, or its tags cannot be read."""
    is_own: bool = True
    """Whether it belongs to the caller's account; the names of buckets are the same for all accounts."""
    region: str | None = None
    """A bucket's region."""
    key_attributes: Sequence[str] = ()
    """A table's partition key and sort key."""


class Identity(Protocol):
    """Who calls."""

    def caller(self) -> Caller:
        """Return the caller; raise a CredentialsError when AWS accepts no credentials."""


class Organizations(Protocol):
    """The organization as its account sees it."""

    def organization(self) -> Organization:
        """Return the organization; raise OrganizationMissingError when the account is in none."""

    def trusted_access(self) -> bool:
        """Return whether account.amazonaws.com has access to the organization."""


class Trails(Protocol):
    """The trails that record events of this account in a region."""

    def trails(self, region: str) -> Iterable[Trail]:
        """Yield them, with those of the organization and of other regions."""


class Environments(Protocol):
    """Amazon MWAA in a region."""

    def is_offered(self, region: str) -> bool:
        """Return whether the region has MWAA."""

    def names(self, region: str) -> Sequence[str]:
        """Return the names of the environments that are there."""

    def quota(self, region: str) -> int | None:
        """Return how many environments the account may have; None when AWS does not say."""


class Network(Protocol):
    """The account's networks in a region."""

    def subnets(self, region: str, ids: Sequence[str]) -> Sequence[Subnet]:
        """Return the subnets with their routes, without those that there are not."""

    def security_groups(self, region: str, ids: Sequence[str]) -> Sequence[SecurityGroup]:
        """Return the security groups, without those that there are not."""


class Names(Protocol):
    """The resources that have a name."""

    def find(self, kind: ResourceKind, name: str, region: str) -> NamedResource | None:
        """Return what has this name; None when the name is free."""


@dataclass(frozen=True)
class Role:
    """An execution role."""

    account: str
    trusted_services: Sequence[str]
    """The services that may assume it."""


class Roles(Protocol):
    """The execution role of an environment."""

    def role(self, role_name: str) -> Role | None:
        """Return a role; None when there is none of this name."""

    def denied(self, role_name: str, calls: Mapping[str, str]) -> Sequence[str]:
        """Return those of the actions, by action with its resource, that the role's policies do not allow."""


class Buckets(Protocol):
    """The bucket that an environment reads."""

    def problems(self, bucket: str, region: str) -> Sequence[str]:
        """Return what MWAA does not accept about a bucket: it is versioned, private, and in the same region."""


@dataclass(frozen=True)
class DeploymentPorts:
    """What the checks before a deployment use."""

    identity: Identity
    organizations: Organizations
    trails: Trails
    environments: Environments
    network: Network
    names: Names
    roles: Roles
    buckets: Buckets
