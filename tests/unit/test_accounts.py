"""Accounts, and the names of the organizational units that they are in."""

from contactsync.accounts import OrganizationalUnit, path_of, unit_names
from tests.support.builders import account

ROOT = OrganizationalUnit("r-abcd", "Root")
WORKLOADS = OrganizationalUnit("ou-abcd-11111111", "Workloads")
PRODUCTION = OrganizationalUnit("ou-abcd-22222222", "Production")


def test_label() -> None:
    """People see name and id."""
    assert account(1, name="payments").label == "payments (200000000001)"


def test_path() -> None:
    """A path is made of the names below the root; the root's own is empty, whatever it is called."""
    assert path_of((ROOT, WORKLOADS, PRODUCTION)) == "Workloads/Production"
    assert path_of((ROOT,)) == ""


def test_unit_names() -> None:
    """A rule may name any unit above an account, by id or by path, but not by the last name alone."""
    assert unit_names((ROOT, WORKLOADS, PRODUCTION)) == {
        "r-abcd",
        "ou-abcd-11111111",
        "Workloads",
        "ou-abcd-22222222",
        "Workloads/Production",
    }


def test_right_under_the_root() -> None:
    """An account that is in no unit can be named by the root's id only."""
    assert unit_names((ROOT,)) == {"r-abcd"}
