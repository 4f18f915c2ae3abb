"""The checks before a deployment, and those that explain why an environment could not be made."""

from collections.abc import Iterator

from contactsync.checks import access
from contactsync.checks.findings import Finding, failed, looked_at, ok, unknown_because
from contactsync.checks.ports import DeploymentPorts
from contactsync.checks.wanted import EnvironmentParts, WantedDeployment
from contactsync.errors import ContactSyncError, CredentialsError, Reader

CREDENTIALS = "credentials"


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
    except ContactSyncError as error:  # AWS could not be asked who calls
        yield unknown_because(CREDENTIALS, error)


def after_failed_environment(parts: EnvironmentParts, ports: DeploymentPorts) -> Iterator[Finding]:
    """Yield what can make MWAA end with CREATE_FAILED: subnets, security groups, role and bucket, as they are now."""
    del parts, ports
    yield from ()


def _who(wanted: WantedDeployment, ports: DeploymentPorts) -> Iterator[Finding]:
    caller = ports.identity.caller()
    yield ok(CREDENTIALS, f"AWS accepts the credentials of {caller.arn}.")
    yield access.check_account(wanted, caller.account)
    yield from looked_at(access.ORGANIZATION, lambda: access.check_organization(caller.account, ports.organizations))


def _surroundings(wanted: WantedDeployment, ports: DeploymentPorts) -> Iterator[Finding]:
    yield from looked_at(
        access.TRUSTED_ACCESS,
        lambda: access.check_trusted_access(ports.organizations, may_enable=wanted.may_enable_trusted_access),
    )
