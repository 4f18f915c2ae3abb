"""The check of whether contactsync may call at all."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from contactsync.errors import CallerMismatchError, ContactSyncError, ThrottledError, TrustedAccessOffError
from contactsync.sync.access import AccessCheck
from tests.support.builders import MANAGEMENT_ACCOUNT, members
from tests.support.fakes.pacing import FakeBreakers
from tests.support.fakes.surroundings import FakeClock, FakeOrganization

ANOTHER_ACCOUNT = "444455556666"


@dataclass
class Checked:
    """A check and what it asks."""

    organization: FakeOrganization = field(default_factory=lambda: FakeOrganization(members(1), MANAGEMENT_ACCOUNT))
    breakers: FakeBreakers = field(default_factory=FakeBreakers)
    clock: FakeClock = field(default_factory=FakeClock)

    @property
    def check(self) -> AccessCheck:
        """Return the check as another worker would make it."""
        return AccessCheck(self.organization, self.breakers, self.clock, MANAGEMENT_ACCOUNT)

    def spoil(self) -> type[ContactSyncError]:
        """Switch trusted access off, and return what tells so."""
        self.organization.trusted = False
        return TrustedAccessOffError


def test_confirmed() -> None:
    """A good answer is stored with its time."""
    checked = Checked()
    checked.check.confirm()
    assert checked.breakers.checked == checked.clock.now()


def test_caller() -> None:
    """Credentials of another account are named, whatever trusted access says, and nothing good is stored."""
    checked = Checked()
    checked.organization.caller = ANOTHER_ACCOUNT
    with pytest.raises(CallerMismatchError, match=ANOTHER_ACCOUNT):
        checked.check.confirm()
    assert checked.breakers.checked is None


def test_trusted_access() -> None:
    """The error names the command that fixes it, and nothing good is stored."""
    checked = Checked()
    with pytest.raises(checked.spoil(), match="aws organizations enable-aws-service-access"):
        checked.check.confirm()
    assert checked.breakers.checked is None


@pytest.mark.parametrize("seconds", [-9.9, 0, 9.9])
def test_recent(seconds: float) -> None:
    """A good answer of any worker is trusted for a while, also when that worker's clock is ahead."""
    checked = Checked()
    checked.check.confirm()
    checked.spoil()
    checked.clock.time += timedelta(seconds=seconds)
    checked.check.confirm_recent(10)


@pytest.mark.parametrize("seconds", [-10, 10, 86_400])
def test_not_recent(seconds: float) -> None:
    """An older one, or one from a clock that was far ahead, is not."""
    checked = Checked()
    checked.check.confirm()
    expected = checked.spoil()
    checked.clock.time += timedelta(seconds=seconds)
    with pytest.raises(expected):
        checked.check.confirm_recent(10)


def test_never_checked() -> None:
    """Without any answer yet the check is made, and then remembered."""
    checked = Checked()
    checked.check.confirm_recent(10)
    assert checked.breakers.checked == checked.clock.now()


def test_no_trust() -> None:
    """With no time to trust in, every check is made."""
    checked = Checked()
    checked.check.confirm()
    with pytest.raises(checked.spoil()):
        checked.check.confirm_recent(0)


def test_unreadable() -> None:
    """When the stored time cannot be read the error goes out: nothing is concluded from it."""
    error = ThrottledError("GetItem", "ProvisionedThroughputExceededException")
    checked = Checked(breakers=FakeBreakers(error=error))
    with pytest.raises(ThrottledError):
        checked.check.confirm_recent(10)
