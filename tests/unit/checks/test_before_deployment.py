"""The checks before a deployment: each failure is a sentence with its remedy, and nothing else is asked in vain."""

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from contactsync.checks.before_deployment import after_failed_environment, before_deployment
from contactsync.checks.environments import needed
from contactsync.checks.findings import Finding, Fix, State
from contactsync.checks.names import wanted_names
from contactsync.checks.ports import NamedResource, Organization, ResourceKind, Route, SecurityGroup
from contactsync.checks.wanted import EnvironmentParts, WantedDeployment
from contactsync.errors import (
    AccessDeniedError,
    CredentialsExpiredError,
    CredentialsMissingError,
    OrganizationMissingError,
    ServiceUnreachableError,
)
from contactsync.stacks.stack_file import read_stacks
from tests.support.fakes.deployment_ports import ACCOUNT, REGION, TRIGGER_REGION, FakeAccount, subnet, trail

ROOT = Path(__file__).parents[3]
WANTED = WantedDeployment("prod", ACCOUNT, REGION, TRIGGER_REGION, read_stacks(ROOT / "infra"))
GIVEN = {"SubnetIds": "subnet-00000001,subnet-00000002", "SecurityGroupIds": "sg-0000000a"}
PARTS = EnvironmentParts(
    REGION,
    "contactsync-prod-airflow",
    ("subnet-00000001", "subnet-00000002"),
    ("sg-0000000a",),
    "contactsync-prod-airflow",
    "contactsync-prod-code",
)
TRUSTED = ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]


def found(account: FakeAccount, **changes: Any) -> list[Finding]:
    """Return all findings for an account and a deployment with some changes."""
    return list(before_deployment(replace(WANTED, **changes), account.ports))


def wrong(account: FakeAccount, **changes: Any) -> Finding:
    """Return the only finding that is not ok."""
    (finding,) = [one for one in found(account, **changes) if not one.is_ok]
    return finding


def test_everything_right() -> None:
    """An account in which nothing is wrong has a finding for every check, in order, and each is ok."""
    findings = found(FakeAccount(), parameters=GIVEN)
    assert [one.name for one in findings] == [
        *("credentials", "account", "organization", "trusted-access", "trail", "region", "quota"),
        *("subnets", "security-groups", "names"),
    ]
    assert {one.state for one in findings} == {State.OK}
    assert not any(one.remedy for one in findings)


@pytest.mark.parametrize("kind", [CredentialsMissingError, CredentialsExpiredError])
def test_credentials(kind: type[CredentialsExpiredError]) -> None:
    """Without credentials that AWS accepts, that is the only finding, and nothing else is asked."""
    account = FakeAccount(errors={"caller": kind("GetCallerIdentity", "ExpiredToken")})
    (finding,) = found(account)
    assert (finding.name, finding.state) == ("credentials", State.FAILED)
    assert "aws sso login" in finding.remedy
    assert account.asked == ["caller"]


def test_credentials_expire_meanwhile() -> None:
    """Credentials that expire between two checks end the checks with one finding."""
    account = FakeAccount(errors={"trails": CredentialsExpiredError("DescribeTrails", "ExpiredToken")})
    assert found(account)[-1].name == "credentials"
    assert found(account)[-1].state is State.FAILED


def test_no_network() -> None:
    """When AWS cannot be asked who calls, nothing is known, and nothing else is asked."""
    account = FakeAccount(errors={"caller": ServiceUnreachableError("GetCallerIdentity", "EndpointConnectionError")})
    (finding,) = found(account)
    assert (finding.name, finding.state) == ("credentials", State.UNKNOWN)
    assert "check the network" in finding.remedy
    assert account.asked == ["caller"]


def test_another_account() -> None:
    """Credentials of another account than the named one stop everything else."""
    finding = wrong(FakeAccount(), account_id="444455556666")
    assert finding.name == "account"
    assert ACCOUNT in finding.sentence
    assert "444455556666" in finding.remedy


def test_member_account() -> None:
    """In a member account the finding names the management account."""
    account = FakeAccount(found=Organization("o-example123", "999988887777", has_all_features=True))
    finding = wrong(account)
    assert finding.name == "organization"
    assert "999988887777" in finding.sentence
    assert "999988887777" in finding.remedy
    assert "trusted_access" not in account.asked


def test_no_organization() -> None:
    """An account without an organization cannot be deployed to."""
    error = OrganizationMissingError("DescribeOrganization", "AWSOrganizationsNotInUseException")
    finding = wrong(FakeAccount(errors={"organization": error}))
    assert (finding.state, finding.sentence) == (State.FAILED, f"Account {ACCOUNT} belongs to no organization.")


def test_billing_only() -> None:
    """An organization without all features says how to switch them on."""
    finding = wrong(FakeAccount(found=Organization("o-example123", ACCOUNT, has_all_features=False)))
    assert "consolidated billing" in finding.sentence
    assert "enable-all-features" in finding.remedy


def test_trusted_access_off() -> None:
    """Trusted access that is off stops a deployment, which may offer to switch it on."""
    finding = wrong(FakeAccount(trusted=False))
    assert (finding.name, finding.fix) == ("trusted-access", Fix.ENABLE_TRUSTED_ACCESS)
    assert "enable-aws-service-access" in finding.remedy


def test_trusted_access_to_be_enabled() -> None:
    """With the permission to switch it on, it is no failure, and the finding asks for it."""
    findings = found(FakeAccount(trusted=False), may_enable_trusted_access=True)
    assert {one.state for one in findings} == {State.OK}
    assert [one.name for one in findings if one.fix is Fix.ENABLE_TRUSTED_ACCESS] == ["trusted-access"]


def test_no_trail() -> None:
    """Without a trail no event comes, so the deployment is stopped, and a trail can be created on request."""
    finding = wrong(FakeAccount(all_trails=[]))
    assert (finding.name, finding.fix) == ("trail", Fix.CREATE_TRAIL)
    assert "CreateTrail=true" in finding.remedy
    created = found(FakeAccount(all_trails=[]), creates_trail=True)
    assert [one.fix for one in created if one.name == "trail"] == [Fix.CREATE_TRAIL]


def test_another_trail() -> None:
    """A trail is created only when there is none, but our own does not stop a second deployment."""
    assert "everything" in wrong(FakeAccount(), creates_trail=True).sentence
    own = FakeAccount(all_trails=[trail("contactsync-prod-trail", is_multi_region=False)])
    assert {one.state for one in found(own, creates_trail=True)} == {State.OK}


def test_denied_reads() -> None:
    """Every read that is denied is a finding that names the permission; the other checks go on."""
    denied = {
        name: AccessDeniedError(call, "AccessDeniedException", service=service)
        for name, service, call in (
            ("trusted_access", "organizations", "ListAWSServiceAccessForOrganization"),
            ("trails", "cloudtrail", "DescribeTrails"),
            ("is_offered", "mwaa", "ListEnvironments"),
            ("names", "mwaa", "ListEnvironments"),
            ("subnets", "ec2", "DescribeSubnets"),
            ("find table", "dynamodb", "DescribeTable"),
            ("find bucket", "s3", "HeadBucket"),
        )
    }
    unknown = [one for one in found(FakeAccount(errors=dict(denied)), parameters=GIVEN) if not one.is_ok]
    assert [one.state for one in unknown] == [State.UNKNOWN] * 7
    assert [one.name for one in unknown] == [
        *("trusted-access", "trail", "region", "quota", "subnets", "names", "names"),
    ]
    assert all("allow" in one.remedy for one in unknown)


def test_region_without_mwaa() -> None:
    """A region without MWAA stops the deployment, and is asked nothing else."""
    account = FakeAccount(regions={TRIGGER_REGION})
    assert wrong(account).name == "region"
    assert "names" not in account.asked


@pytest.mark.parametrize(("allowed", "used", "is_enough"), [(3, 3, False), (3, 2, True), (None, 10, False)])
def test_quota(allowed: int | None, used: int, is_enough: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """The account's quota counts, and AWS's default when it cannot be read."""
    account = FakeAccount(allowed=allowed, environments=[f"other-{number}" for number in range(used)])
    (finding,) = [one for one in found(account) if one.name == "quota"]
    assert finding.is_ok is is_enough


def test_quota_of_an_environment_that_is_there() -> None:
    """An environment that is there already needs no room."""
    account = FakeAccount(allowed=1, environments=["contactsync-prod-airflow"])
    assert {one.state for one in found(account, stacks=frozenset({"airflow"}))} == {State.OK}


PUBLIC = subnet(2, Route("10.0.0.0/16", "local"), Route("0.0.0.0/0", "igw-1"))


@pytest.mark.parametrize(
    ("ids", "subnets", "said"),
    [
        ("subnet-00000001", [subnet(1)], "names 1 subnet; "),
        ("subnet-00000001,subnet-00000001", [subnet(1)], "names 1 subnet; "),
        ("subnet-00000001,subnet-00000002", [subnet(1)], "There is no subnet subnet-00000002"),
        ("subnet-00000001,subnet-00000002", [subnet(1), subnet(2, zone=f"{REGION}b")], "both in availability zone"),
        ("subnet-00000001,subnet-00000002", [subnet(1), PUBLIC], "is public"),
        (
            "subnet-00000001,subnet-00000002",
            [subnet(1), subnet(2, Route("10.0.0.0/16", "local"))],
            "subnet-00000002 has no way to AWS's APIs.",
        ),
        (
            "subnet-00000001,subnet-00000002",
            [subnet(1), subnet(2, Route("0.0.0.0/0", "nat-2", is_active=False))],
            "its route to nat-2 is a black hole",
        ),
    ],
)
def test_subnets(ids: str, subnets: list[Any], said: str) -> None:
    """Given subnets are two, in two zones, private, and have a way out."""
    account = FakeAccount(all_subnets=subnets)
    finding = wrong(account, parameters={**GIVEN, "SubnetIds": ids})
    assert finding.name == "subnets"
    assert said in finding.sentence
    assert finding.remedy


def test_subnets_of_two_networks() -> None:
    """Subnets of two VPCs are refused."""
    account = FakeAccount(all_subnets=[subnet(1), subnet(2, vpc="vpc-2b")])
    assert "different VPCs" in wrong(account, parameters={"SubnetIds": GIVEN["SubnetIds"], "VpcId": "vpc-1a"}).sentence


@pytest.mark.parametrize(
    "routes",
    [
        (Route("0.0.0.0/0", "tgw-1"),),
        (Route("0.0.0.0/1", "eni-1"), Route("128.0.0.0/1", "eni-1")),
        (Route("0.0.0.0/0", "vpce-1"),),
    ],
)
def test_ways_out(routes: tuple[Route, ...]) -> None:
    """Every target except an internet gateway is a private way out."""
    account = FakeAccount(all_subnets=[subnet(1, *routes), subnet(2, *routes)])
    assert {one.state for one in found(account, parameters=GIVEN)} == {State.OK}


@pytest.mark.parametrize(
    ("group", "said"),
    [
        (None, "There is no security group"),
        (SecurityGroup("sg-0000000a", "vpc-2b", admits_itself=True, lets_out=True), "belongs to vpc-2b"),
        (SecurityGroup("sg-0000000a", "vpc-1a", admits_itself=False, lets_out=True), "may not talk to each other"),
        (SecurityGroup("sg-0000000a", "vpc-1a", admits_itself=True, lets_out=False), "may not connect"),
    ],
)
def test_security_groups(group: SecurityGroup | None, said: str) -> None:
    """Security groups are there, in the subnets' VPC, and let the environment's parts talk to each other and to AWS."""
    finding = wrong(FakeAccount(groups=[group] if group else []), parameters=GIVEN)
    assert finding.name == "security-groups"
    assert said in finding.sentence


def test_no_security_group() -> None:
    """Without security groups one is created, in a VPC that is given and is that of the subnets."""
    subnets = {"SubnetIds": GIVEN["SubnetIds"]}
    assert "Neither" in wrong(FakeAccount(), parameters=subnets).sentence
    assert "vpc-1a" in wrong(FakeAccount(), parameters={**subnets, "VpcId": "vpc-2b"}).remedy
    assert {one.state for one in found(FakeAccount(), parameters={**subnets, "VpcId": "vpc-1a"})} == {State.OK}


def test_own_network() -> None:
    """A network that the deployment makes is not checked: it is not there yet."""
    account = FakeAccount()
    found(account)
    assert "subnets" not in account.asked


def test_names_of_the_templates() -> None:
    """The names come from the templates of the stacks that will be created, with environment, account and region."""
    names = {(one.stack, one.name) for one in wanted_names(WANTED)}
    assert ("contactsync-prod-state", "contactsync-prod-state") in names
    assert ("contactsync-prod-airflow", "contactsync-prod-airflow") in names
    assert ("contactsync-prod-artifacts-trigger", f"contactsync-prod-code-{ACCOUNT}-{TRIGGER_REGION}") in names
    assert not any("trail" in name for _, name in names)
    with_state = replace(WANTED, stacks=frozenset({"state"}))
    assert not any(one.stack == "contactsync-prod-state" for one in wanted_names(with_state))


TABLE = (ResourceKind.TABLE, "contactsync-prod-state")
BUCKET = (ResourceKind.BUCKET, f"contactsync-prod-code-{ACCOUNT}-{REGION}")
ENVIRONMENT = (ResourceKind.ENVIRONMENT, "contactsync-prod-airflow")


@pytest.mark.parametrize(
    ("name", "there", "said"),
    [
        (TABLE, NamedResource(key_attributes=("id",)), "is not contactsync's"),
        (TABLE, NamedResource(stack="somebody", key_attributes=("pk", "sk")), "belongs to stack somebody"),
        (BUCKET, NamedResource(is_own=False), "belongs to another account"),
        (BUCKET, NamedResource(region="us-west-2"), "in us-west-2 and not in eu-west-1"),
        (ENVIRONMENT, NamedResource(), "without its stack contactsync-prod-airflow"),
    ],
)
def test_taken_names(name: tuple[ResourceKind, str], there: NamedResource, said: str) -> None:
    """A name that is taken by what the stack would not adopt stops the deployment."""
    finding = wrong(FakeAccount(resources={name: there}))
    assert finding.name == "names"
    assert said in finding.sentence
    assert name[1] in finding.sentence


def test_kept_resources() -> None:
    """What an earlier deployment kept does not stop a new one, which adopts it."""
    kept = {
        TABLE: NamedResource(stack="contactsync-prod-state", key_attributes=("pk", "sk")),
        BUCKET: NamedResource(region=REGION),
    }
    (finding,) = [one for one in found(FakeAccount(resources=kept)) if one.name == "names"]
    assert finding.is_ok
    assert f"kept {BUCKET[1]}, {TABLE[1]}" in finding.sentence


def test_after_a_failed_environment() -> None:
    """Network, role and bucket are looked at as they are, with a finding for each."""
    account = FakeAccount(trusts={PARTS.role_name: TRUSTED})
    findings = list(after_failed_environment(PARTS, account.ports))
    assert [(one.name, one.state) for one in findings] == [
        (name, State.OK) for name in ("subnets", "security-groups", "role", "bucket")
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trusts": {}}, "There is no role"),
        ({"trusts": {PARTS.role_name: TRUSTED[:1]}}, "does not trust airflow-env.amazonaws.com"),
        ({"denied_actions": ["s3:GetObject"]}, "may not do s3:GetObject"),
        ({"bucket_problems": ["is not versioned"]}, "is not versioned"),
        ({"all_subnets": [subnet(1), PUBLIC]}, "is public"),
    ],
)
def test_reasons_of_a_failed_environment(changes: dict[str, Any], said: str) -> None:
    """Each reason that MWAA does not name is a finding with its remedy."""
    account = FakeAccount(**{"trusts": {PARTS.role_name: TRUSTED}, **changes})
    (finding,) = [one for one in after_failed_environment(PARTS, account.ports) if not one.is_ok]
    assert said in finding.sentence
    assert finding.remedy


def test_needed_actions() -> None:
    """What the role is tried with is what infra/airflow.yaml allows it, so that a right role is never called wrong."""
    template = read_stacks(ROOT / "infra").templates["airflow.yaml"]
    policies = template["Resources"]["ExecutionRole"]["Properties"]["Policies"]
    known = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "Environment": "prod"}
    known["CodeBucket"] = PARTS.bucket

    def texts(value: Any) -> list[str]:
        found = value if isinstance(value, list) else [value]
        plain = [one["Fn::Sub"] if isinstance(one, dict) else one for one in found]
        return [re.sub(r"\$\{([A-Za-z:]+)\}", lambda match: known[match[1]], one) for one in plain]

    allowed = [
        (action, resource)
        for statement in policies[0]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and "Resource" in statement
        for action in texts(statement["Action"])
        for resource in texts(statement["Resource"])
    ]
    for action, resource in needed(PARTS, ACCOUNT).items():
        assert any(fnmatchcase(action, may) and fnmatchcase(resource, on) for may, on in allowed), (action, resource)


def test_expired_credentials_after_a_failed_environment() -> None:
    """Credentials that have expired meanwhile are one finding there too."""
    account = FakeAccount(errors={"subnets": CredentialsExpiredError("DescribeSubnets", "ExpiredToken")})
    (finding,) = after_failed_environment(PARTS, account.ports)
    assert (finding.name, finding.state) == ("credentials", State.FAILED)
