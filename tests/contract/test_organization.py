"""The port Organization: the fake and the AWS adapter behave alike."""

from typing import Any

import pytest

from contactsync.accounts import Account, AccountState
from contactsync.sandbox.defaults import MANAGEMENT_ACCOUNT, member_account_id
from tests.contract.conftest import Adapters
from tests.fakes import FakeOrganization


@pytest.fixture(params=["fake", "sandbox"])
def port(request: pytest.FixtureRequest) -> Any:
    """Give the fake, then the adapter, both with three members of which the third is suspended."""
    if request.param == "sandbox":
        adapters: Adapters = request.getfixturevalue("adapters")
        return adapters.organization
    states = (AccountState.ACTIVE, AccountState.ACTIVE, AccountState.SUSPENDED)
    members = [Account(member_account_id(n), f"member-{n}", state) for n, state in enumerate(states, start=1)]
    management = Account(MANAGEMENT_ACCOUNT, "management", AccountState.ACTIVE)
    return FakeOrganization([management, *members], MANAGEMENT_ACCOUNT)


def test_caller(port: Any) -> None:
    """The caller is the management account."""
    assert port.caller_account() == MANAGEMENT_ACCOUNT


def test_trusted_access(port: Any) -> None:
    """Trusted access is on."""
    assert port.trusted_access() is True


def test_accounts(port: Any) -> None:
    """Every account is listed, over empty pages too, with name and state."""
    found = {account.account_id: account for account in port.accounts()}
    assert set(found) == {MANAGEMENT_ACCOUNT, *(member_account_id(number) for number in (1, 2, 3))}
    assert found[member_account_id(3)].state is AccountState.SUSPENDED
    assert found[member_account_id(1)].state is AccountState.ACTIVE
    assert all(account.name for account in found.values())


def test_listing_can_be_repeated(port: Any) -> None:
    """Each listing is a fresh one."""
    assert list(port.accounts()) == list(port.accounts())


def test_trusted_access_off(adapters: Adapters) -> None:
    """Trusted access that was switched off is noticed at once."""
    state = adapters.sandbox.organization
    state.trusted_access = False
    try:
        assert adapters.organization.trusted_access() is False
    finally:
        state.trusted_access = True
