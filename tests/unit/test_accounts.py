"""Which accounts a run may touch."""

import pytest

from contactsync.accounts import AccountState, select
from tests.builders import MANAGEMENT_ACCOUNT, account, members


def test_all_by_default() -> None:
    """Without further wishes every active member is a target, in the order of the listing."""
    accounts = list(reversed(members(3)))
    scope = select(accounts, management_account=MANAGEMENT_ACCOUNT, excluded=(), wanted=())
    assert scope.targets == (account(3), account(2), account(1))
    assert scope.excluded == scope.not_active == ()


@pytest.mark.parametrize("wanted", [(), (MANAGEMENT_ACCOUNT,)])
@pytest.mark.parametrize("excluded", [(), (MANAGEMENT_ACCOUNT,)])
def test_management_account(wanted: tuple[str, ...], excluded: tuple[str, ...]) -> None:
    """The management account is in no part of the scope, whatever is asked for."""
    scope = select(members(2), management_account=MANAGEMENT_ACCOUNT, excluded=excluded, wanted=wanted)
    touched = [a.account_id for part in (scope.targets, scope.excluded, scope.not_active) for a in part]
    assert MANAGEMENT_ACCOUNT not in touched


@pytest.mark.parametrize("state", [state for state in AccountState if state is not AccountState.ACTIVE])
def test_not_active(state: AccountState) -> None:
    """Only ACTIVE accounts are targets; a state that AWS added later is not active."""
    scope = select([account(1, state)], management_account=MANAGEMENT_ACCOUNT, excluded=(), wanted=())
    assert scope.targets == ()
    assert scope.not_active == (account(1, state),)


def test_excluded_wins() -> None:
    """An account that is excluded and suspended is reported as excluded, once."""
    suspended = account(1, AccountState.SUSPENDED)
    scope = select([suspended], management_account=MANAGEMENT_ACCOUNT, excluded={suspended.account_id}, wanted=())
    assert (scope.targets, scope.excluded, scope.not_active) == ((), (suspended,), ())


def test_wanted() -> None:
    """Asking for some accounts leaves the others out entirely, and asking for an excluded one does not include it."""
    one, two, three = (account(number).account_id for number in (1, 2, 3))
    scope = select(members(4), management_account=MANAGEMENT_ACCOUNT, excluded={one, three}, wanted={one, two})
    assert [a.account_id for a in scope.targets] == [two]
    assert [a.account_id for a in scope.excluded] == [one]


def test_label() -> None:
    """People see name and id."""
    assert account(1, name="payments").label == "payments (200000000001)"
