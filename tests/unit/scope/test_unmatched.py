"""Rules that match no account: which ones are seen, in every place that names accounts, and what stays silent."""

from typing import Any

import pytest

from contactsync.accounts import Account, AccountState
from contactsync.contacts import ContactType
from contactsync.errors import ScopeEmptyError
from contactsync.scope.unmatched import MOST_NAMED, unmatched_accounts, unmatched_tags
from tests.support.builders import MANAGEMENT_ACCOUNT, RUN, account, change_of, configuration, members, request
from tests.support.worlds.world import World

ONE, TWO, THREE = (account(number).account_id for number in (1, 2, 3))
GONE = "418842542548"


def nested(path: str, value: object) -> dict[str, Any]:
    """Return settings with one value at a dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def unmatched(**settings: Any) -> list[str]:
    """Return what is said of rules in an organization of three members."""
    return list(unmatched_accounts(configuration(**settings), members(3), MANAGEMENT_ACCOUNT))


@pytest.mark.parametrize(
    ("field", "effect"),
    [
        ("excluded_accounts", "protects no account"),
        ("scope.exclude.accounts", "protects no account"),
        ("scope.include.accounts", "includes no account"),
        ("scope.contact_types.billing.exclude.accounts", "protects no account"),
        ("scope.contact_types.primary.include.accounts", "includes no account"),
    ],
)
def test_every_list(field: str, effect: str) -> None:
    """Each list of ids is looked at, also those of one contact type, and its field is named."""
    (sentence,) = unmatched(**nested(field, [ONE, GONE, GONE]))
    assert sentence == f"{field}: the organization has no account {GONE}, so this {effect}."


@pytest.mark.parametrize("slip", ["123456789021", "213456789012", "123456789013", "923456789012"])
def test_slip(slip: str) -> None:
    """Two digits that changed places, or a wrong one, give the account that may be meant."""
    accounts = [account(1), Account("123456789012", "meant", AccountState.ACTIVE)]
    (sentence,) = unmatched_accounts(configuration(excluded_accounts=[slip, GONE]), accounts, MANAGEMENT_ACCOUNT)
    assert sentence.endswith(f"; did you mean 123456789012 instead of {slip}?")


def test_no_guess() -> None:
    """Where several accounts may be meant, none is named."""
    (sentence,) = unmatched(excluded_accounts=[f"{ONE[:-1]}9"])
    assert sentence.endswith("protects no account.")


def test_long_list() -> None:
    """Of thousands of ids some are named, and the rest is counted: the sentence is stored with the operation."""
    (sentence,) = unmatched(excluded_accounts=[f"9{number:011}" for number in range(5000)])
    assert f"and {5000 - MOST_NAMED} more" in sentence
    assert len(sentence) < 500


def test_silent() -> None:
    """Accounts that exist need no word, whatever their state, nor does the management account where it is excluded."""
    suspended = [*members(2), account(3, AccountState.SUSPENDED)]
    settings = configuration(excluded_accounts=[ONE, THREE, MANAGEMENT_ACCOUNT], scope={"include": {"accounts": [TWO]}})
    assert list(unmatched_accounts(settings, suspended, MANAGEMENT_ACCOUNT)) == []


def test_management_account_included() -> None:
    """An include that names the management account asks for what never happens."""
    (sentence,) = unmatched(scope={"include": {"accounts": [MANAGEMENT_ACCOUNT, ONE]}})
    assert "is the management account, which is never written" in sentence


def test_tags() -> None:
    """A tag, or a value of one, that no account has whose tags were read is named; one that some have is not."""
    scope = {
        "exclude": {"tags": {"contacts": ["own", "onw"], "team": []}},
        "contact_types": {"billing": {"include": {"tags": {"cost": []}}}, "primary": {"exclude": {"tags": {"x": []}}}},
    }
    settings = configuration(scope=scope)
    found = list(unmatched_tags(settings, [ContactType.BILLING], [{"contacts": "own"}, {"teem": "x"}]))
    assert [sentence.partition(":")[0] for sentence in found] == [
        "scope.exclude.tags",
        "scope.exclude.tags",
        "scope.contact_types.billing.include.tags",
    ]
    assert "'contacts' with the value 'onw'" in found[0]
    assert "the tag 'team', so this protects no account" in found[1]
    assert "includes no account" in found[2]
    assert list(unmatched_tags(settings, [ContactType.BILLING], [])) == []


def test_plan() -> None:
    """The plan goes on, keeps a sentence for each, and the report shows them; tags are those it reads anyway."""
    scope = {"exclude": {"accounts": [GONE], "tags": {"contacts": ["onw"]}}}
    world = World.of(3, contact_types=["security"], excluded_accounts=[THREE], scope=scope)
    world.organization.tags = {ONE: {"contacts": "own"}}
    assert world.plan() == (ONE, TWO)
    ids, tags = world.operation().unmatched
    assert GONE in ids
    assert "'onw'" in tags
    assert world.organization.questions("tags_of") == [ONE, TWO]
    for account_id in (ONE, TWO):
        world.sync(account_id)
    report = world.reporter.report(RUN, {}, has_plan=True)
    assert {ids, tags} <= set(report.remarks)
    report.check()


def test_run_for_some_accounts() -> None:
    """A run for one account reads no other one's tags, so it says nothing of tags; ids it knows all."""
    world = World.of(3, scope={"exclude": {"tags": {"contacts": []}}}, excluded_accounts=[GONE])
    world.organization.tags = {TWO: {"contacts": "own"}}
    world.plan(request(accounts=[ONE]))
    (sentence,) = world.operation().unmatched
    assert GONE in sentence


def test_nobody_left(caplog: pytest.LogCaptureFixture) -> None:
    """An include that names nobody is in the log where a run by hand is refused, and in the report of a change."""
    world = World.of(2, contact_types=["security"], scope={"include": {"accounts": [GONE]}})
    with pytest.raises(ScopeEmptyError):
        world.plan()
    assert GONE in caplog.text
    world.plan(request(change=change_of("security")))
    assert GONE in world.operation().unmatched[0]
