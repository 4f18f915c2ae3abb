"""The checks of who deploys, and of the organization."""

from collections.abc import Iterator
from typing import Final

from contactsync.checks.findings import Finding, Fix, failed, ok
from contactsync.checks.ports import Organization, Organizations
from contactsync.errors import OrganizationMissingError

ACCOUNT: Final = "account"
ORGANIZATION: Final = "organization"
TRUSTED_ACCESS: Final = "trusted-access"

ALL_FEATURES: Final = "aws organizations enable-all-features"
ENABLE: Final = "aws organizations enable-aws-service-access --service-principal account.amazonaws.com"


def check_account(wanted: str, account: str) -> Finding:
    """Compare the caller's account with the one that was named."""
    if account == wanted:
        return ok(ACCOUNT, f"The credentials are those of account {account}.")
    return failed(
        ACCOUNT,
        f"The credentials are those of account {account}, not of account {wanted}.",
        f"Use credentials of account {wanted} (--profile), or name the other account with --account-id.",
    )


def check_organization(account: str, organizations: Organizations) -> Iterator[Finding]:
    """Look whether the account manages an organization with all features; Account Management works in no other."""
    try:
        found = organizations.organization()
    except OrganizationMissingError:
        yield failed(
            ORGANIZATION,
            f"Account {account} belongs to no organization.",
            "Use the management account of an organization; contactsync copies its contacts to the member accounts.",
        )
        return
    if found.management_account != account:
        yield _wrong_account(account, found)
    elif not found.has_all_features:
        yield failed(
            ORGANIZATION,
            f"Organization {found.organization_id} has consolidated billing only, so Account Management cannot write "
            "contacts of its accounts.",
            f"Switch all features on ({ALL_FEATURES}); every invited account has to agree.",
        )
    else:
        yield ok(ORGANIZATION, f"Account {account} manages organization {found.organization_id}, with all features.")


def _wrong_account(account: str, found: Organization) -> Finding:
    return failed(
        ORGANIZATION,
        f"Account {account} is a member of organization {found.organization_id}, whose management account is "
        f"{found.management_account}.",
        f"Use credentials of account {found.management_account}, and name it with --account-id.",
    )


def check_trusted_access(organizations: Organizations, *, may_enable: bool = False) -> Finding:
    """Look whether Account Management has access to the organization."""
    if organizations.trusted_access():
        return ok(TRUSTED_ACCESS, "Account Management has trusted access to the organization.")
    if may_enable:
        return ok(
            TRUSTED_ACCESS,
            "Account Management has no trusted access to the organization yet; it is switched on.",
            Fix.ENABLE_TRUSTED_ACCESS,
        )
    return failed(
        TRUSTED_ACCESS,
        "Account Management has no trusted access to the organization, so it writes no contacts of other accounts.",
        f"Run `{ENABLE}`, or deploy with --enable-trusted-access.",
        Fix.ENABLE_TRUSTED_ACCESS,
    )
