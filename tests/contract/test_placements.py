"""How often a run whose configuration changed after its plan calls AWS Organizations, counted on the sandbox."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from contactsync.aws.organization import AwsOrganization
from contactsync.contacts import ContactType
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sync.account.exclusions import Exclusions
from tests.contract.conftest import Adapters, adapters_on
from tests.support.builders import configuration, operation
from tests.support.fakes.surroundings import FakeClock, FakeConfigurations

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
PLACES = ("Workloads/Production/Web", "Workloads/Test", "Sandbox", "Security")
IDS = tuple(member_account_id(number) for number in range(1, 201))
ONE, TWO = IDS[:2]
CLOSED = {"exclude": {"organizational_units": ["Closed"]}}
SCENARIO: dict[str, Any] = {
    "organization": {
        "accounts": len(IDS),
        "organizational_units": [*PLACES, "Closed"],
        "members": [
            {"number": number, "ou": PLACES[number % 4], "tags": {"contacts": "own"} if number == 1 else {}}
            for number in range(1, len(IDS) + 1)
        ],
    },
    "quotas": {"enabled": False},
}


@pytest.fixture(scope="module")
def adapters() -> Iterator[Adapters]:
    """Run a sandbox with 200 accounts in units of three levels."""
    with adapters_on(SCENARIO) as made:
        yield made


@dataclass
class Run:
    """The tasks of a run that was planned with the first version, each in a process of its own."""

    adapters: Adapters
    configurations: FakeConfigurations
    first: int
    """The number of that version: what is kept for others stays out of it."""
    clock: FakeClock = field(default_factory=FakeClock)
    """On which the pace of calls takes no time."""
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        """Make the one client of all processes: making one takes longer than its calls here."""
        self.client = self.adapters.services._clients.management("organizations")
        sts = self.adapters.services._clients.management("sts")
        self.organization = AwsOrganization(self.client, sts, self.clock)

    def excluded(self, account_id: str, *contact_types: ContactType) -> set[bool]:
        """Ask twice for each contact type, as one task does."""
        exclusions = Exclusions(self.configurations, self.organization, self.adapters.services.lookups, self.clock)
        made = operation(SECURITY, BILLING, config_version=self.first)
        plans = {kind: replace(plan, expected=len(IDS)) for kind, plan in made.plans.items()}
        pinned = self.configurations.version(self.first).configuration
        kinds = [kind for kind in contact_types or (SECURITY, BILLING) for _ in range(2)]
        return {exclusions.excludes(replace(made, plans=plans), pinned, account_id, kind) for kind in kinds}

    def calls(self) -> Counter[str]:
        """Return what reached AWS Organizations since the last time."""
        log = self.adapters.sandbox.call_log
        found = Counter(call.operation for call in log.query(service="organizations"))
        log.clear()
        return found


def run(adapters: Adapters, number: int, **scope: Any) -> Run:
    """Return a run after whose plan another version came into force."""
    versions = [configuration() for _ in range(number)]
    made = Run(adapters, FakeConfigurations([*versions, configuration(scope=scope)]), number)
    made.calls()
    return made


def test_units_of_a_run(adapters: Adapters) -> None:
    """The walk takes 25 calls for 200 accounts, where each account by itself took 902; tries after it take none."""
    made = run(adapters, 1, **CLOSED)
    for account_id in IDS:
        assert made.excluded(account_id) == {False}
    walk = {"ListRoots": 1, "ListOrganizationalUnitsForParent": 8, "ListAccountsForParent": 16}
    assert made.calls() == walk
    for account_id in IDS:
        assert made.excluded(account_id) == {False}
    assert made.calls() == {}


def test_tags_of_a_run(adapters: Adapters) -> None:
    """Tags take one call for each account, and none when it is tried again."""
    made = run(adapters, 10, exclude={"tags": {"contacts": ["own"]}})
    for calls in ({"ListTagsForResource": 200}, {}):
        for account_id in IDS:
            assert made.excluded(account_id) == {account_id == ONE}
        assert made.calls() == calls


def test_same_as_each_account(adapters: Adapters) -> None:
    """A walk puts every account where its own question puts it, by names and by ids."""
    root, *_ = adapters.organization.units_of(TWO)
    for number, name in enumerate(("Workloads", "Workloads/Test", "Sandbox", "Closed", root.unit_id), start=20):
        made = run(adapters, number, exclude={"organizational_units": [name]})
        for account_id, place in zip(IDS[:8], (PLACES * 3)[1:], strict=False):
            inside = f"{place}/".startswith(f"{name}/") or name == root.unit_id
            assert made.excluded(account_id, SECURITY) == {inside}


def test_renamed_during_the_walk(adapters: Adapters) -> None:
    """A unit that is renamed while the organization is walked keeps its id, and so its accounts are excluded."""
    made = run(adapters, 40, exclude={"organizational_units": ["Sandbox"]})
    client = made.client
    root, sandbox = adapters.organization.units_of(TWO)
    assert sandbox.name == "Sandbox"
    renamed: list[str] = []

    def rename(params: Any, **_: Any) -> None:
        # The units below the root have been listed by then, with their old names.
        if not renamed and root.unit_id not in str(params["body"]):
            renamed.append(sandbox.unit_id)
            client.update_organizational_unit(OrganizationalUnitId=sandbox.unit_id, Name="Playground")

    client.meta.events.register("before-call.organizations.ListAccountsForParent", rename)
    try:
        found = made.excluded(TWO, SECURITY)
    finally:
        client.meta.events.unregister("before-call.organizations.ListAccountsForParent", rename)
        client.update_organizational_unit(OrganizationalUnitId=sandbox.unit_id, Name="Sandbox")
    assert renamed
    assert found == {True}
