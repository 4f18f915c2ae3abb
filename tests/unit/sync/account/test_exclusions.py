"""The exclusions that are asked immediately before a write."""

from typing import Any

import pytest

from contactsync.accounts import AccountState
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    ConfigurationInvalidError,
    ConfigurationMissingError,
    NotInOrganizationError,
)
from tests.support.builders import account, configuration, operation
from tests.support.fakes.surroundings import unit_path
from tests.support.worlds.world import World

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
ONE, TWO = account(1).account_id, account(2).account_id
IN_WORKLOADS, IN_SANDBOX = {"organizational_units": ["Workloads"]}, {"organizational_units": ["Sandbox"]}
OWN = {"tags": {"contacts": ["own"]}}


def world_of(*versions: dict[str, Any]) -> World:
    """Return a world with versions of the configuration; the first account is in Workloads/Production and tagged."""
    world = World.of(2)
    world.configurations.versions = [configuration(**version) for version in versions]
    world.organization.places = {ONE: "Workloads/Production", TWO: "Sandbox"}
    world.organization.tags = {ONE: {"contacts": "own"}}
    return world


def excluded(world: World, account_id: str = ONE, contact_type: ContactType = SECURITY) -> bool:
    """Ask about an operation that was planned with the first version."""
    pinned = world.configurations.versions[0]
    return world.exclusions.excludes(operation(SECURITY, BILLING), pinned, account_id, contact_type)


def test_nothing_excluded() -> None:
    """Without rules nothing is excluded, and nothing is asked."""
    world = world_of({})
    assert not excluded(world)
    assert world.organization.asked == []


@pytest.mark.parametrize(
    "settings",
    [
        {"excluded_accounts": [ONE]},
        {"scope": {"exclude": {"accounts": [ONE]}}},
        {"scope": {"include": {"accounts": [TWO]}}},
        {"scope": {"contact_types": {"security": {"exclude": {"accounts": [ONE]}}}}},
        {"scope": {"contact_types": {"security": {"include": {"accounts": [TWO]}}}}},
    ],
)
def test_pinned_by_id(settings: dict[str, Any]) -> None:
    """What the pinned version says about an id holds whatever the current one says."""
    assert excluded(world_of(settings, {}))
    assert not excluded(world_of({}, {"retry_config": {"max_attempts": 1}}))


@pytest.mark.parametrize(
    "scope", [{"exclude": IN_SANDBOX}, {"include": IN_WORKLOADS}, {"exclude": {"tags": {"x": []}}}]
)
def test_pinned_needs_no_calls(scope: dict[str, Any]) -> None:
    """Units and tags that the plan asked for are not asked for again while the version is the same."""
    world = world_of({"scope": scope})
    assert not excluded(world)
    assert world.organization.asked == []


@pytest.mark.parametrize(
    ("settings", "expected", "asked"),
    [
        ({"excluded_accounts": [ONE]}, True, []),
        ({"excluded_accounts": [TWO]}, False, []),
        ({"scope": {"include": {"accounts": [TWO]}}}, True, []),
        ({"scope": {"exclude": IN_WORKLOADS}}, True, ["units_of"]),
        ({"scope": {"exclude": IN_SANDBOX}}, False, ["units_of", "has_unit"]),
        ({"scope": {"include": IN_SANDBOX}}, True, ["units_of"]),
        ({"scope": {"include": IN_WORKLOADS}}, False, ["units_of"]),
        ({"scope": {"exclude": OWN}}, True, ["tags_of"]),
        ({"scope": {"include": {"tags": {"team": []}}}}, True, ["tags_of"]),
        ({"scope": {"include": IN_SANDBOX, "exclude": OWN}}, True, ["units_of"]),
        ({"scope": {"include": IN_WORKLOADS, "exclude": OWN}}, True, ["units_of", "tags_of"]),
        ({"scope": {"contact_types": {"security": {"exclude": IN_WORKLOADS}}}}, True, ["units_of"]),
        ({"scope": {"contact_types": {"billing": {"exclude": IN_WORKLOADS}}}}, False, []),
        ({"scope": {"exclude": {"accounts": [ONE], "tags": {"x": []}}, "include": IN_SANDBOX}}, True, []),
    ],
)
def test_current(settings: dict[str, Any], expected: bool, asked: list[str]) -> None:  # noqa: FBT001 -- a column of the table
    """A newer version excludes as well, or no longer includes; no more is asked of the account than it takes."""
    world = world_of({}, settings)
    assert excluded(world) is expected
    assert [method for method, _ in world.organization.asked] == asked


def test_types_are_apart() -> None:
    """What excludes an account for one contact type leaves the others alone."""
    world = world_of({}, {"scope": {"contact_types": {"billing": {"exclude": {"accounts": [ONE]}}}}})
    assert excluded(world, contact_type=BILLING)
    assert not excluded(world, contact_type=SECURITY)


def test_same_rules_in_both() -> None:
    """What both versions ask was answered by the plan; only what is new is asked now."""
    scope = {"exclude": IN_SANDBOX, "include": IN_WORKLOADS}
    world = world_of({"scope": scope}, {"scope": scope, "retry_config": {"max_attempts": 1}})
    assert not excluded(world)
    assert world.organization.asked == []
    world = world_of({"scope": scope}, {"scope": scope, "excluded_accounts": [ONE]})
    assert excluded(world)
    assert world.organization.asked == []


def test_no_longer_excluded_now() -> None:
    """An account that only the pinned version excludes stays excluded."""
    assert excluded(world_of({"excluded_accounts": [ONE]}, {"excluded_accounts": []}))


def test_unknown_unit() -> None:
    """A newer exclude with a unit that does not exist stops the write: it may be this account's, renamed."""
    world = world_of({}, {"scope": {"exclude": {"organizational_units": ["Sandbox", "Workload"]}}})
    with pytest.raises(ConfigurationInvalidError, match="'Workload'") as caught:
        excluded(world)
    assert caught.value.version == 2
    assert "Sandbox" not in str(caught.value)


def test_unknown_unit_of_an_include() -> None:
    """A newer include with a unit that does not exist names nobody, so nothing is written."""
    assert excluded(world_of({}, {"scope": {"include": {"organizational_units": ["Workload"]}}}))


def test_unit_by_id() -> None:
    """A newer exclude may name a unit by id."""
    unit = unit_path("Workloads/Production")[-1].unit_id
    assert excluded(world_of({}, {"scope": {"exclude": {"organizational_units": [unit]}}}))


@pytest.mark.parametrize(
    "error",
    [ConfigurationMissingError(table="config", config_key="default"), ConfigurationInvalidError(problems=["x"])],
)
def test_unreadable_configuration(error: Exception) -> None:
    """A current configuration that cannot be read raises, so that nothing is written."""
    world = world_of({})
    world.configurations.latest_error = error
    with pytest.raises(type(error)):
        excluded(world)


@pytest.mark.parametrize("rule", [IN_SANDBOX, OWN])
def test_unreadable_organization(rule: dict[str, Any]) -> None:
    """Units or tags that cannot be read raise, so that nothing is written."""
    world = world_of({}, {"scope": {"exclude": rule}})
    world.organization.scope_error = AccessDeniedError("ListParents", "AccessDeniedException", ONE)
    with pytest.raises(AccessDeniedError):
        excluded(world)


@pytest.mark.parametrize("rule", [IN_SANDBOX, OWN])
def test_left(rule: dict[str, Any]) -> None:
    """An account that left the organization meanwhile has no place and no tags: nothing is written."""
    world = world_of({}, {"scope": {"exclude": rule}})
    world.organization.members = [account(2, AccountState.ACTIVE)]
    with pytest.raises(NotInOrganizationError, match=ONE):
        excluded(world)
