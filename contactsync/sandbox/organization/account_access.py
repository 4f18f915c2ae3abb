"""Who may manage whose contacts: standalone and organizations context."""

from typing import Protocol


class AccessDeniedError(Exception):
    """The caller may not act on that account; the message is the reason that AWS puts in brackets."""


class AccountDirectory(Protocol):
    """The facts about the organization that the decision needs."""

    @property
    def management_account(self) -> str:
        """The account that owns the organization."""

    @property
    def has_all_features(self) -> bool:
        """Whether all features are enabled."""

    @property
    def trusted_access(self) -> bool:
        """Whether Account Management has trusted access."""

    def is_delegated_administrator(self, account_id: str) -> bool:
        """Return whether the account is a delegated administrator for Account Management."""

    def state_of(self, account_id: str) -> str | None:
        """Return an account's state; None when it is not in the organization."""


def account_to_act_on(directory: AccountDirectory, caller: str, named: str | None) -> str:
    """Return the account that a call is about, by default the caller's own; may raise AccessDeniedError."""
    if named is None:
        _refuse_unusable(directory.state_of(caller) or "ACTIVE")
        return caller
    _check_caller(directory, caller, named)
    if not directory.has_all_features:
        raise AccessDeniedError("Your organization must first enable all features.")
    if not directory.trusted_access:
        raise AccessDeniedError("Your organization must first enable trusted access with AWS Account Management.")
    state = directory.state_of(named)
    if state is None:
        raise AccessDeniedError("The specified account is not a member of your organization.")
    _refuse_unusable(state)
    return named


def _check_caller(directory: AccountDirectory, caller: str, named: str) -> None:
    if caller == directory.management_account:
        if named == caller:
            reason = (
                "The management account can only be managed using the standalone context from the management account."
            )
            raise AccessDeniedError(reason)
        return
    if not directory.is_delegated_administrator(caller):
        reason = "Only the management account or a delegated administrator may specify an AccountId."
        raise AccessDeniedError(reason)
    if named == directory.management_account:
        raise AccessDeniedError("A delegated administrator cannot manage the management account.")


def _refuse_unusable(state: str) -> None:
    # AWS does not document what happens to accounts that are not active: AccessDenied is our guess.
    if state != "ACTIVE":
        raise AccessDeniedError("The specified account is not active.")
