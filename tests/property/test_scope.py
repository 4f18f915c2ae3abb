"""Properties of the scope, for any rules and any organization."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contactsync.accounts import Placement
from contactsync.contacts import ContactType
from contactsync.errors import ScopeEmptyError
from contactsync.operations.operation import OutcomeDetail
from contactsync.scope.rules import Admission, Rules, ScopeFilter, rules_of
from tests.support.builders import account, configuration, operation
from tests.support.fakes.surroundings import unit_path
from tests.support.strategies import contact_types
from tests.support.worlds.world import World

IDS = tuple(account(number).account_id for number in range(1, 6))
PATHS = ("", "Workloads", "Workloads/Production", "Workloads/Production/Web", "Sandbox")
KEYS, VALUES = ("team", "contacts"), ("core", "own", "")

filters = st.builds(
    lambda ids, units, tags: {"accounts": ids, "organizational_units": units, "tags": tags},
    st.lists(st.sampled_from(IDS), unique=True, max_size=2),
    st.lists(st.sampled_from(PATHS[1:]), unique=True, max_size=2),
    st.dictionaries(st.sampled_from(KEYS), st.lists(st.sampled_from(VALUES), unique=True, max_size=2), max_size=2),
)
type_scopes = st.fixed_dictionaries({}, optional={"include": filters, "exclude": filters})
scopes = st.builds(
    lambda general, narrower: {**general, "contact_types": narrower},
    type_scopes,
    st.dictionaries(contact_types.map(str), type_scopes, max_size=2),
)
settings = st.builds(
    lambda scope, excluded: {"scope": scope, "excluded_accounts": excluded},
    scopes,
    st.lists(st.sampled_from(IDS), unique=True, max_size=1),
)
tags = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
places = st.fixed_dictionaries({account_id: st.sampled_from(PATHS) for account_id in IDS})
tagged = st.fixed_dictionaries(dict.fromkeys(IDS, tags))
placements = st.builds(lambda path, tags: Placement(unit_path(path), tags), st.sampled_from(PATHS), tags)
account_ids = st.sampled_from(IDS)


def named(rule: dict[str, Any], account_id: str, placement: Placement) -> bool:
    """Tell whether a filter names an account, said once more and in another way."""
    path = "/".join(unit.name for unit in (placement.units or ())[1:])
    below = any(f"{path}/".startswith(f"{unit}/") for unit in rule.get("organizational_units", ()))
    pairs = [(key, value) for key, values in rule.get("tags", {}).items() for value in values or VALUES]
    by_tag = any((placement.tags or {}).get(key) == value for key, value in pairs)
    return account_id in rule.get("accounts", ()) or below or by_tag


@given(settings, contact_types, account_ids, placements)
def test_excluded_wins(
    given_settings: dict[str, Any], kind: ContactType, account_id: str, placement: Placement
) -> None:
    """Whatever else names an account, one exclude is enough that it is not admitted."""
    scope = given_settings["scope"]
    excludes = [scope.get("exclude", {}), scope["contact_types"].get(kind, {}).get("exclude", {})]
    excluded = account_id in given_settings["excluded_accounts"] or any(
        named(rule, account_id, placement) for rule in excludes
    )
    admission = rules_of(configuration(**given_settings), kind).admission(account_id, placement)
    if excluded:
        assert admission is not Admission.ADMITTED
    else:
        assert admission is not Admission.EXCLUDED


@given(settings, contact_types, account_ids, placements)
def test_include(given_settings: dict[str, Any], kind: ContactType, account_id: str, placement: Placement) -> None:
    """An account is outside exactly when the general include or the type's names others, and not it."""
    scope = given_settings["scope"]
    includes = [scope.get("include", {}), scope["contact_types"].get(kind, {}).get("include", {})]
    outside = any(any(rule.values()) and not named(rule, account_id, placement) for rule in includes)
    admission = rules_of(configuration(**given_settings), kind).admission(account_id, placement)
    assert (admission is Admission.OUTSIDE) is outside


@given(scopes, contact_types, type_scopes, account_ids, placements)
def test_types_narrow(
    scope: dict[str, Any], kind: ContactType, narrower: dict[str, Any], account_id: str, placement: Placement
) -> None:
    """A type's scope never admits an account that the general one does not."""
    general = configuration(scope={**scope, "contact_types": {}})
    narrowed = configuration(scope={**scope, "contact_types": {kind: narrower}})
    if rules_of(narrowed, kind).admits(account_id, placement):
        assert rules_of(general, kind).admits(account_id, placement)


@given(scopes, contact_types, filters, account_ids, placements)
def test_requests_narrow(
    scope: dict[str, Any], kind: ContactType, requested: dict[str, Any], account_id: str, placement: Placement
) -> None:
    """What a run asks for never admits an account that the configuration does not."""
    found = configuration(scope=scope)
    if rules_of(found, kind, ScopeFilter.model_validate(requested)).admits(account_id, placement):
        assert rules_of(found, kind).admits(account_id, placement)


def shuffled(value: Any, order: random.Random) -> Any:
    """Return the same lists and mappings in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(inner, order)) for key, inner in value.items()]
        return dict(order.sample(items, len(items)))
    return order.sample(value, len(value)) if isinstance(value, list) else value


@given(settings, contact_types, account_ids, placements, st.randoms(use_true_random=False))
def test_order(
    given_settings: dict[str, Any], kind: ContactType, account_id: str, placement: Placement, order: random.Random
) -> None:
    """The order of rules, and of what they list, does not matter."""
    rules = rules_of(configuration(**given_settings), kind)
    again = rules_of(configuration(**shuffled(given_settings, order)), kind)
    backwards = Rules(again.includes[::-1], again.excludes[::-1])
    assert backwards.admission(account_id, placement) is rules.admission(account_id, placement)


@given(settings, contact_types, account_ids, placements)
def test_knowing_more(given_settings: dict[str, Any], kind: ContactType, account_id: str, placement: Placement) -> None:
    """An answer that is given early is the answer: what is learnt later does not change it."""
    rules = rules_of(configuration(**given_settings), kind)
    known = (Placement(), Placement(units=placement.units), Placement(tags=placement.tags))
    assert rules.admission(account_id, placement) is not None
    assert rules.admits(account_id, placement) is (rules.admission(account_id, placement) is Admission.ADMITTED)
    for less in known:
        assert rules.admission(account_id, less) in {None, rules.admission(account_id, placement)}
        assert rules.admits(account_id, less) in {None, rules.admits(account_id, placement)}


def world_of(
    first: dict[str, Any], place: dict[str, str], tag: dict[str, dict[str, str]], *later: dict[str, Any]
) -> World:
    """Return a world of five accounts."""
    world = World.of(len(IDS))
    world.configurations.versions = [configuration(**version) for version in (first, *later)]
    world.organization.places, world.organization.tags = place, tag
    world.organization.empty_units = list(PATHS[1:])
    return world


@given(settings, places, tagged)
def test_plan(given_settings: dict[str, Any], place: dict[str, str], tag: dict[str, dict[str, str]]) -> None:
    """A plan settles excluded pairs, leaves admitted ones to tasks, knows no others, and maps whom it admits."""
    world = world_of(given_settings, place, tag)
    expected = {
        (account_id, kind): rules_of(configuration(**given_settings), kind).admission(
            account_id, Placement(unit_path(place[account_id]), tag[account_id])
        )
        for account_id in IDS
        for kind in ContactType
    }
    concerned = {key: admission for key, admission in expected.items() if admission is not Admission.OUTSIDE}
    try:
        mapped = world.plan()
    except ScopeEmptyError:
        assert not concerned
        return
    outcomes = world.outcomes()
    assert set(outcomes) == set(concerned)
    for key, outcome in outcomes.items():
        assert (outcome.detail is OutcomeDetail.EXCLUDED) is (concerned[key] is Admission.EXCLUDED)
    assert set(mapped) == {key[0] for key, admission in concerned.items() if admission is Admission.ADMITTED}


@given(settings, settings, places, tagged, contact_types)
def test_before_a_write(
    pinned: dict[str, Any],
    current: dict[str, Any],
    place: dict[str, str],
    tag: dict[str, dict[str, str]],
    kind: ContactType,
) -> None:
    """Of what the pinned version admitted, a write is allowed exactly where the current version admits it as well."""
    world = world_of(pinned, place, tag, current)
    first, second = (rules_of(version, kind) for version in world.configurations.versions)
    for account_id in IDS:
        placement = Placement(unit_path(place[account_id]), tag[account_id])
        if first.admits(account_id, placement):
            excluded = world.exclusions.excludes(operation(kind), world.configurations.versions[0], account_id, kind)
            assert excluded is not second.admits(account_id, placement)
