"""The port Organization: the fake and the AWS adapter behave alike."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from contactsync.accounts import Account, AccountState, path_of, unit_names
from contactsync.aws.organization import AwsOrganization
from contactsync.configuration.schema import StoredConfiguration, parse_configuration
from contactsync.contacts import ContactType
from contactsync.errors import AccessDeniedError, ContactSyncError, NotInOrganizationError, OrganizationMissingError
from contactsync.sandbox.contacts.defaults import MANAGEMENT_ACCOUNT, member_account_id
from contactsync.scope.rules import Admission, ScopeFilter
from contactsync.scope.selection import Selection
from tests.contract.conftest import Adapters, adapters_on
from tests.support.fakes.surroundings import FakeClock, FakeOrganization

MEMBERS = tuple(member_account_id(number) for number in range(1, 46))
ONE, TWO, THREE, FOUR = MEMBERS[:4]
OUTSIDER = "999900001111"
PRODUCTION, SANDBOX, RETIRED = "Workloads/Production", "Sandbox", "Workloads/Retired"
PLACES = dict.fromkeys(MEMBERS, PRODUCTION) | {TWO: SANDBOX}
TAGS = {ONE: {"contacts": "own", "empty": ""}, TWO: {}}
SCENARIO: dict[str, Any] = {
    "organization": {
        "accounts": len(MEMBERS),
        "empty_pages": 1,
        "organizational_units": [PRODUCTION, SANDBOX, RETIRED],
        "members": [
            {
                "number": number,
                "ou": PLACES[account_id],
                "tags": TAGS.get(account_id),
                "state": "SUSPENDED" if account_id == THREE else "ACTIVE",
            }
            for number, account_id in enumerate(MEMBERS, start=1)
        ],
    },
    "quotas": {"enabled": False},
}


@pytest.fixture(scope="module")
def adapters() -> Iterator[Adapters]:
    """Run a sandbox with more accounts in one unit than fit on two pages."""
    with adapters_on(SCENARIO) as made:
        yield made


@pytest.fixture(params=["fake", "sandbox"])
def port(request: pytest.FixtureRequest) -> Any:
    """Give the fake, then the adapter, both with the same members, of which the third is suspended."""
    if request.param == "sandbox":
        adapters: Adapters = request.getfixturevalue("adapters")
        return adapters.organization
    members = [
        Account(account_id, f"member-{n}", AccountState.SUSPENDED if account_id == THREE else AccountState.ACTIVE)
        for n, account_id in enumerate(MEMBERS, start=1)
    ]
    management = Account(MANAGEMENT_ACCOUNT, "management", AccountState.ACTIVE)
    return FakeOrganization([management, *members], MANAGEMENT_ACCOUNT, places=PLACES, empty_units=[RETIRED], tags=TAGS)


def test_caller(port: Any) -> None:
    """The caller is the management account."""
    assert port.caller_account() == MANAGEMENT_ACCOUNT


def test_trusted_access(port: Any) -> None:
    """Trusted access is on."""
    assert port.trusted_access() is True


def test_accounts(port: Any) -> None:
    """Every account is listed once, over all pages and empty ones too, with name and state."""
    listed = list(port.accounts())
    found = {account.account_id: account for account in listed}
    assert len(listed) == len(found)
    assert set(found) == {MANAGEMENT_ACCOUNT, *MEMBERS}
    assert found[THREE].state is AccountState.SUSPENDED
    assert found[ONE].state is AccountState.ACTIVE
    assert all(account.name for account in found.values())


def test_listing_can_be_repeated(port: Any) -> None:
    """Each listing is a fresh one."""
    assert list(port.accounts()) == list(port.accounts())
    assert list(port.units()) == list(port.units())


@pytest.mark.parametrize(
    ("account_id", "expected"),
    [(ONE, AccountState.ACTIVE), (THREE, AccountState.SUSPENDED), (MANAGEMENT_ACCOUNT, AccountState.ACTIVE)],
)
def test_state(port: Any, account_id: str, expected: AccountState) -> None:
    """One account is asked for its state."""
    assert port.state(account_id) is expected


def test_state_of_an_outsider(port: Any) -> None:
    """An account that is not in the organization has no state, which is no error."""
    assert port.state(OUTSIDER) is None


def test_units(port: Any) -> None:
    """All units are listed with what is above them, parents first, those without accounts too."""
    listed = list(port.units())
    assert {path_of(path) for path in listed} == {"", "Workloads", PRODUCTION, RETIRED, SANDBOX}
    assert len(listed) == 5
    assert [len(path) for path in listed] == sorted(len(path) for path in listed)
    assert {path[0].unit_id for path in listed} == {listed[0][0].unit_id}
    assert listed[0][0].unit_id.startswith("r-")
    assert all(path[-1].unit_id.startswith("ou-") for path in listed[1:])
    assert all(path[:-1] in listed for path in listed[1:])


def test_accounts_in(port: Any) -> None:
    """A unit lists the accounts right in it, over all pages: neither those below nor those above."""
    ids = {path_of(path): path[-1].unit_id for path in port.units()}
    assert sorted(port.accounts_in(ids[PRODUCTION])) == sorted(set(MEMBERS) - {TWO})
    assert list(port.accounts_in(ids[SANDBOX])) == [TWO]
    assert list(port.accounts_in(ids["Workloads"])) == list(port.accounts_in(ids[RETIRED])) == []
    assert list(port.accounts_in(ids[""])) == [MANAGEMENT_ACCOUNT]


@pytest.mark.parametrize(("account_id", "path"), [(ONE, PRODUCTION), (TWO, SANDBOX), (MANAGEMENT_ACCOUNT, "")])
def test_units_of(port: Any, account_id: str, path: str) -> None:
    """One account's place has the same names and ids as the listing of all units."""
    listed = next(found for found in port.units() if path_of(found) == path)
    assert path_of(port.units_of(account_id)) == path
    assert unit_names(port.units_of(account_id)) == unit_names(listed)


def test_has_unit(port: Any) -> None:
    """A unit is found by id and by its whole path, and by nothing else."""
    ids = {path_of(path): path[-1].unit_id for path in port.units()}
    for name in ("Workloads", PRODUCTION, RETIRED, SANDBOX, *ids.values()):
        assert port.has_unit(name), name
    for name in ("Production", "workloads", "Workloads/", "Workloads/Prod", "/Workloads", "ou-abcd-12345678", "r-0000"):
        assert not port.has_unit(name), name


def test_tags(port: Any) -> None:
    """Tags are read with their values, empty ones too; an account may have none."""
    assert port.tags_of(ONE) == {"contacts": "own", "empty": ""}
    assert port.tags_of(TWO) == {}


@pytest.mark.parametrize("method", ["units_of", "tags_of"])
def test_outsider(port: Any, method: str) -> None:
    """An account that is not in the organization has neither place nor tags: an error that names it."""
    with pytest.raises(NotInOrganizationError, match=OUTSIDER):
        getattr(port, method)(OUTSIDER)


def test_selection(port: Any) -> None:
    """A whole scope with units and tags gives the same accounts, whoever is asked."""
    scope = {"include": {"organizational_units": ["Workloads"]}, "exclude": {"tags": {"contacts": ["own"]}}}
    found = Selection(port, MANAGEMENT_ACCOUNT).select(
        StoredConfiguration(version=1, configuration=parse_configuration({"scope": scope})),
        [ContactType.SECURITY],
        ScopeFilter(accounts=MEMBERS[:4]),
    )
    assert [target.account_id for target in found.targets] == [FOUR]
    admissions = {member.account.account_id: dict(member.admissions) for member in found.members}
    assert admissions == {
        ONE: {ContactType.SECURITY: Admission.EXCLUDED},
        THREE: {ContactType.SECURITY: Admission.ADMITTED},
        FOUR: {ContactType.SECURITY: Admission.ADMITTED},
    }


def test_trusted_access_off(adapters: Adapters) -> None:
    """Trusted access that was switched off is noticed at once."""
    state = adapters.sandbox.organization
    state.trusted_access = False
    try:
        assert adapters.organization.trusted_access() is False
    finally:
        state.trusted_access = True


@pytest.fixture
def client(adapters: Adapters) -> Any:
    """Give a client of the management account, for changing the organization."""
    return client_of(adapters)


def client_of(adapters: Adapters, caller: str | None = None) -> Any:
    """Return a client of any account."""
    make: Any = boto3.client
    where = {"region_name": "us-east-1", "endpoint_url": adapters.sandbox.endpoint_url}
    keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
    if caller:
        role = f"arn:aws:iam::{caller}:role/contactsync"
        given = make("sts", **where, **keys).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        keys = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
    return make("organizations", **where, **keys)


def test_changes_are_seen(adapters: Adapters, client: Any) -> None:
    """A rename, a move and a tag show at the next question."""
    organization = adapters.organization
    root, sandbox = organization.units_of(TWO)
    client.update_organizational_unit(OrganizationalUnitId=sandbox.unit_id, Name="Playground/One")
    client.tag_resource(ResourceId=TWO, Tags=[{"Key": "contacts", "Value": "own"}])
    try:
        assert path_of(organization.units_of(TWO)) == "Playground/One"
        assert organization.has_unit("Playground/One")
        assert not organization.has_unit("Playground")
        assert not organization.has_unit(SANDBOX)
        assert organization.tags_of(TWO) == {"contacts": "own"}
        move = {"AccountId": TWO, "SourceParentId": sandbox.unit_id, "DestinationParentId": root.unit_id}
        client.move_account(**move)
        assert organization.units_of(TWO)[1:] == ()
    finally:
        back = {"AccountId": TWO, "SourceParentId": root.unit_id, "DestinationParentId": sandbox.unit_id}
        client.move_account(**back)
        client.untag_resource(ResourceId=TWO, TagKeys=["contacts"])
        client.update_organizational_unit(OrganizationalUnitId=sandbox.unit_id, Name=SANDBOX)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("accounts", ()),
        ("units", ()),
        ("accounts_in", ("r-0000",)),
        ("state", (ONE,)),
        ("units_of", (ONE,)),
        ("tags_of", (ONE,)),
        ("has_unit", (SANDBOX,)),
        ("has_unit", ("ou-abcd-12345678",)),
    ],
)
@pytest.mark.parametrize(
    ("caller", "expected"),
    [(FOUR, AccessDeniedError), (OUTSIDER, OrganizationMissingError)],
    ids=["member", "outsider"],
)
def test_no_right(
    adapters: Adapters, caller: str, expected: type[ContactSyncError], method: str, arguments: tuple[str, ...]
) -> None:
    """A caller without the right gets an error from every question, never an empty answer."""
    organization: Any = AwsOrganization(
        client_of(adapters, caller), boto3.client("sts", region_name="us-east-1"), FakeClock()
    )
    with pytest.raises(expected):
        list(getattr(organization, method)(*arguments))


def test_removed_unit(adapters: Adapters) -> None:
    """A unit that was removed while the tree is walked is an error, not a unit without accounts."""
    with pytest.raises(NotInOrganizationError):
        list(adapters.organization.accounts_in("ou-abcd-12345678"))
