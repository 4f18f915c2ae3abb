"""The checks before a deployment, and those that explain why an environment could not be made."""

from collections.abc import Iterator
from typing import Final

from contactsync.checks import access, environments, names, networks, trails
from contactsync.checks.findings import Finding, State, failed, looked_at, ok, unknown_because
from contactsync.checks.ports import DeploymentPorts
from contactsync.checks.wanted import EnvironmentParts, WantedDeployment
from contactsync.errors import ContactSyncError, CredentialsError, Reader

CREDENTIALS: Final = "credentials"


def before_deployment(wanted: WantedDeployment, ports: DeploymentPorts) -> Iterator[Finding]:
    """Yield a finding for each check, in order; nothing is changed.

    A finding that failed must stop the deployment. One that is unknown need not: the permissions for these reads are
    not those for a deployment. When credentials, account or organization are wrong, no other check follows: it would be
    about another account.
    """
    try:
        for finding in _who(wanted, ports):
            yield finding
            if not finding.is_ok:
                return
        yield from _surroundings(wanted, ports)
    except CredentialsError as error:
        yield failed(CREDENTIALS, error.facts, error.advice(Reader.COMMAND))


def after_failed_environment(parts: EnvironmentParts, ports: DeploymentPorts) -> Iterator[Finding]:
    """Yield what can make MWAA end with CREATE_FAILED: subnets, security groups, role and bucket, as they are now."""
    try:
        yield from looked_at(
            networks.SUBNETS,
            lambda: networks.check_network(ports.network, parts.region, parts.subnets, parts.security_groups, ""),
        )
        yield from looked_at(environments.ROLE, lambda: environments.check_role(ports.roles, parts))
        yield from looked_at(environments.BUCKET, lambda: environments.check_bucket(ports.buckets, parts))
    except CredentialsError as error:
        yield failed(CREDENTIALS, error.facts, error.advice(Reader.COMMAND))


def _who(wanted: WantedDeployment, ports: DeploymentPorts) -> Iterator[Finding]:
    try:
        caller = ports.identity.caller()
    except CredentialsError:
        raise
    except ContactSyncError as error:
        yield unknown_because(CREDENTIALS, error)
        return
    yield ok(CREDENTIALS, f"AWS accepts the credentials of {caller.arn}.")
    yield access.check_account(wanted.account_id, caller.account)
    yield from looked_at(access.ORGANIZATION, lambda: access.check_organization(caller.account, ports.organizations))


def _surroundings(wanted: WantedDeployment, ports: DeploymentPorts) -> Iterator[Finding]:
    yield from looked_at(
        access.TRUSTED_ACCESS,
        lambda: access.check_trusted_access(ports.organizations, may_enable=wanted.may_enable_trusted_access),
    )
    yield from looked_at(
        trails.TRAIL,
        lambda: trails.check_trail(
            ports.trails.trails(wanted.trigger_region),
            wanted.trigger_region,
            wanted.named("trail"),
            creates=wanted.creates_trail,
        ),
    )
    region = looked_at(environments.REGION, lambda: environments.check_region(ports.environments, wanted.region))
    yield from region
    if any(finding.state is State.FAILED for finding in region):
        return  # there is no MWAA to ask, and nothing to give subnets to
    yield from looked_at(
        environments.QUOTA,
        lambda: environments.check_quota(ports.environments, wanted.region, wanted.named("airflow")),
    )
    if subnets := wanted.listed_values("SubnetIds"):
        yield from looked_at(networks.SUBNETS, lambda: _network(wanted, ports, subnets))
    yield from looked_at(names.NAMES, lambda: names.check_names(wanted, ports.names))


def _network(wanted: WantedDeployment, ports: DeploymentPorts, subnets: tuple[str, ...]) -> Iterator[Finding]:
    groups = wanted.listed_values("SecurityGroupIds")
    return networks.check_network(ports.network, wanted.region, subnets, groups, wanted.parameters.get("VpcId", ""))
