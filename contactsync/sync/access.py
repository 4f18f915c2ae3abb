"""The check whether contactsync may call at all: who is calling, and is trusted access on."""

from dataclasses import dataclass

from contactsync.clock import Clock
from contactsync.errors import CallerMismatchError, TrustedAccessOffError
from contactsync.pacing.ports import Breakers
from contactsync.scope.ports import Organization


@dataclass(frozen=True)
class AccessCheck:
    """The check that separates a cause that concerns every account from one account's missing permission."""

    organization: Organization
    breakers: Breakers
    clock: Clock
    management_account: str

    def confirm(self) -> None:
        """Ask STS and Organizations now; raise CallerMismatchError or TrustedAccessOffError."""
        caller = self.organization.caller_account()
        if caller != self.management_account:
            raise CallerMismatchError(expected_account=self.management_account, actual_account=caller)
        if not self.organization.trusted_access():
            raise TrustedAccessOffError
        self.breakers.store_access_check(self.clock.now())

    def confirm_recent(self, within: float) -> None:
        """Do nothing if any worker made this check with success less than `within` seconds ago; else confirm.

        A task that is denied an account calls this, so that a thousand denied accounts do not mean a thousand checks.
        """
        checked = self.breakers.access_checked()
        # The clocks of two workers differ, so the other worker's time may be in the future.
        if checked is None or abs((self.clock.now() - checked).total_seconds()) >= within:
            self.confirm()
