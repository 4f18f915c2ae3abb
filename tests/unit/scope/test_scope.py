"""What the rules of a scope say of an account, as far as the account is known."""

from typing import Any

import pytest

from contactsync.accounts import Placement
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationInvalidError
from contactsync.scope.rules import Admission, Rules, ScopeConfig, ScopeFilter, rules_of
from tests.support.builders import account, configuration
from tests.support.fakes.surroundings import unit_path

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
ONE, TWO = account(1).account_id, account(2).account_id
PRODUCTION = unit_path("Workloads/Production")
NOWHERE = Placement(units=unit_path(""), tags={})
HERE = Placement(units=PRODUCTION, tags={"team": "core", "stage": ""})


def named(**parts: Any) -> ScopeFilter:
    """Return a filter."""
    return ScopeFilter.model_validate(parts)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, False),
        ({"accounts": [ONE]}, True),
        ({"accounts": [TWO]}, False),
        ({"organizational_units": ["Workloads"]}, True),
        ({"organizational_units": ["Workloads/Production"]}, True),
        ({"organizational_units": [PRODUCTION[1].unit_id]}, True),
        ({"organizational_units": [PRODUCTION[0].unit_id]}, True),
        ({"organizational_units": ["Production"]}, False),
        ({"organizational_units": ["workloads"]}, False),
        ({"organizational_units": ["Work"]}, False),
        ({"organizational_units": ["Sandbox", "Workloads"]}, True),
        ({"tags": {"team": ["core"]}}, True),
        ({"tags": {"team": ["web", "core"]}}, True),
        ({"tags": {"team": ["web"]}}, False),
        ({"tags": {"team": []}}, True),
        ({"tags": {"stage": []}}, True),
        ({"tags": {"stage": [""]}}, True),
        ({"tags": {"Team": []}}, False),
        ({"tags": {"owner": []}}, False),
        ({"tags": {"owner": [], "team": ["core"]}}, True),
        ({"accounts": [TWO], "organizational_units": ["Sandbox"], "tags": {"team": ["core"]}}, True),
    ],
)
def test_matches(parts: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 -- a column of the table
    """One match is enough; units count with all below them, and names are compared exactly."""
    assert named(**parts).matches(ONE, HERE) is expected


@pytest.mark.parametrize(
    ("parts", "placement", "expected"),
    [
        ({"accounts": [ONE], "tags": {"team": []}}, Placement(), True),
        ({"accounts": [TWO]}, Placement(), False),
        ({"organizational_units": ["Workloads"]}, Placement(), None),
        ({"tags": {"team": []}}, Placement(units=PRODUCTION), None),
        ({"organizational_units": ["Workloads"], "tags": {"team": []}}, Placement(units=PRODUCTION), True),
        ({"organizational_units": ["Sandbox"], "tags": {"team": []}}, Placement(units=PRODUCTION), None),
        ({"organizational_units": ["Sandbox"], "tags": {"owner": []}}, HERE, False),
    ],
)
def test_not_known_yet(parts: dict[str, Any], placement: Placement, expected: bool | None) -> None:  # noqa: FBT001 -- as above
    """What is not known leaves the answer open only where it could still change it."""
    assert named(**parts).matches(ONE, placement) is expected


def rules(**scope: Any) -> Rules:
    """Return the rules of a configuration for the security contact."""
    return rules_of(configuration(scope=scope), SECURITY)


HERE_ONLY, BY_TAG, BY_ID = {"organizational_units": ["Workloads"]}, {"tags": {"team": ["core"]}}, {"accounts": [ONE]}
ELSEWHERE = {"organizational_units": ["Sandbox"]}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({}, Admission.ADMITTED),
        ({"include": BY_ID}, Admission.ADMITTED),
        ({"include": ELSEWHERE}, Admission.OUTSIDE),
        ({"exclude": BY_TAG}, Admission.EXCLUDED),
        ({"exclude": HERE_ONLY, "include": BY_ID}, Admission.EXCLUDED),
        ({"exclude": BY_ID, "include": ELSEWHERE}, Admission.OUTSIDE),
        ({"contact_types": {"security": {"include": ELSEWHERE}}}, Admission.OUTSIDE),
        ({"contact_types": {"security": {"exclude": BY_ID}}}, Admission.EXCLUDED),
        ({"contact_types": {"billing": {"exclude": BY_ID, "include": ELSEWHERE}}}, Admission.ADMITTED),
        ({"include": HERE_ONLY, "contact_types": {"security": {"include": BY_TAG}}}, Admission.ADMITTED),
        ({"include": ELSEWHERE, "contact_types": {"security": {"include": BY_ID}}}, Admission.OUTSIDE),
        ({"exclude": BY_ID, "contact_types": {"security": {"include": BY_ID}}}, Admission.EXCLUDED),
    ],
)
def test_precedence(scope: dict[str, Any], expected: Admission) -> None:
    """Every include must admit an account, the general one and the type's; then any exclude wins."""
    assert rules(**scope).admission(ONE, HERE) is expected
    assert rules(**scope).admits(ONE, HERE) is (expected is Admission.ADMITTED)


def test_old_exclusions() -> None:
    """`excluded_accounts` wins over every include, as `exclude` does."""
    settings = configuration(excluded_accounts=[ONE], scope={"include": BY_ID})
    assert rules_of(settings, SECURITY).admission(ONE, NOWHERE) is Admission.EXCLUDED
    assert rules_of(settings, SECURITY).admission(TWO, NOWHERE) is Admission.OUTSIDE


def test_requested() -> None:
    """What a run asks for narrows the scope, and includes nothing that the configuration leaves out."""
    wanted = named(accounts=[ONE, TWO])
    narrow = rules_of(configuration(scope={"include": BY_ID}), SECURITY, wanted)
    assert narrow.admission(ONE, NOWHERE) is Admission.ADMITTED
    assert narrow.admission(TWO, NOWHERE) is Admission.OUTSIDE
    assert rules_of(configuration(), SECURITY, wanted).admission(account(3).account_id, NOWHERE) is Admission.OUTSIDE


@pytest.mark.parametrize(
    ("scope", "admission", "admits"),
    [
        ({"include": ELSEWHERE, "exclude": BY_TAG}, Admission.OUTSIDE, False),
        ({"include": BY_TAG, "exclude": HERE_ONLY}, None, False),
        ({"include": HERE_ONLY, "exclude": BY_TAG}, None, None),
        ({"include": BY_TAG}, None, None),
    ],
)
def test_open(scope: dict[str, Any], admission: Admission | None, admits: bool | None) -> None:  # noqa: FBT001 -- as above
    """Tags matter only while they can change the answer; whether to write is settled sooner than what to report."""
    untagged = Placement(units=PRODUCTION)
    assert rules(**scope).admission(ONE, untagged) is admission
    assert rules(**scope).admits(ONE, untagged) is admits


def test_beyond() -> None:
    """Of a newer version only those filters are left that the older one does not have on the same side."""
    older, newer = rules(include=BY_ID, exclude=ELSEWHERE), rules(include=BY_ID, exclude=BY_TAG)
    assert newer.beyond(older) == Rules(includes=(), excludes=(named(**BY_TAG),))
    assert newer.beyond(newer) == Rules()
    swapped = rules(include=ELSEWHERE, exclude=BY_ID).beyond(older)
    assert swapped == Rules(includes=(named(**ELSEWHERE),), excludes=(named(**BY_ID),))


def test_named_units() -> None:
    """Units are named with their fields, of the general scope and of the wanted types."""
    scope = ScopeConfig.model_validate(
        {
            "include": HERE_ONLY,
            "exclude": ELSEWHERE,
            "contact_types": {
                "security": {"exclude": {"organizational_units": ["A", "B"]}},
                "billing": {"include": ELSEWHERE},
            },
        }
    )
    assert list(scope.named_units([SECURITY])) == [
        ("scope.include.organizational_units", "Workloads"),
        ("scope.exclude.organizational_units", "Sandbox"),
        ("scope.contact_types.security.exclude.organizational_units", "A"),
        ("scope.contact_types.security.exclude.organizational_units", "B"),
    ]


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        ({"exclude": {"account": []}}, "scope.exclude.account"),
        ({"exclude": {"accounts": ["1"]}}, "scope.exclude.accounts"),
        ({"include": {"tags": {"team": "core"}}}, "scope.include.tags.team"),
        ({"include": {"organizational_units": [""]}}, "scope.include.organizational_units"),
        ({"contact_types": {"legal": {}}}, "scope.contact_types.legal"),
        ({"contact_types": {"billing": {"contact_types": {}}}}, "scope.contact_types.billing.contact_types"),
    ],
)
def test_invalid(scope: dict[str, Any], field: str) -> None:
    """A scope that cannot be read is refused with the field."""
    with pytest.raises(ConfigurationInvalidError) as caught:
        configuration(scope=scope)
    assert any(problem.startswith(field) for problem in caught.value.problems)
