"""The organization of the sandbox, as boto3's organizations client and the control API's functions see it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from contactsync.sandbox.contacts.account_rules import ContactType
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.organization.organization import UnknownAccountError
from contactsync.sandbox.scenario.scenario import parse_scenario
from contactsync.sandbox.server import Sandbox

MANAGEMENT, LAB = "222233334444", "999988887777"
ADMINISTRATOR, CLOSED, PLAIN, MOVED = (member_account_id(number) for number in (1, 2, 3, 4))
SERVICE = "account.amazonaws.com"
SCENARIO = parse_scenario(
    {
        "organization": {
            "management_account": MANAGEMENT,
            "accounts": 44,
            "delegated_administrator": ADMINISTRATOR,
            "empty_pages": 1,
            "members": [
                {"number": 2, "state": "CLOSED"},
                {"number": 5, "state": "PENDING_CLOSURE"},
                {"number": 6, "state": "PENDING_ACTIVATION"},
                {"number": 7, "state": "SUSPENDED"},
                {"id": LAB, "name": "sandbox-lab", "ou": "Workloads/Development", "tags": {"team": "lab"}},
            ],
        },
        "quotas": {"enabled": False},
    }
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run one sandbox for all tests of the module."""
    with Sandbox(SCENARIO) as running:
        yield running


@pytest.fixture
def organizations(sandbox: Sandbox) -> Any:
    """Make a client of the management account."""
    return client(sandbox)


def client(sandbox: Sandbox, caller: str = MANAGEMENT) -> Any:
    """Make a client with the credentials of the account."""
    settings: dict[str, Any] = {"region_name": "us-east-1", "endpoint_url": sandbox.endpoint_url}
    make: Any = boto3.client
    keys: dict[str, Any] = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
    if caller != MANAGEMENT:
        sts = make("sts", **settings, **keys)
        assumed = sts.assume_role(RoleArn=f"arn:aws:iam::{caller}:role/contactsync", RoleSessionName="test")
        keys = {
            "aws_access_key_id": assumed["Credentials"]["AccessKeyId"],
            "aws_secret_access_key": assumed["Credentials"]["SecretAccessKey"],
            "aws_session_token": assumed["Credentials"]["SessionToken"],
        }
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    return make("organizations", config=config, **settings, **keys)


def error_of(call: Any, **arguments: Any) -> str:
    """Make a call that must fail and return the error's code."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return str(raised.value.response["Error"]["Code"])


def all_accounts(organizations: Any) -> dict[str, Any]:
    """Read all accounts with boto3's paginator."""
    pages = organizations.get_paginator("list_accounts").paginate()
    return {account["Id"]: account for page in pages for account in page["Accounts"]}


def test_listing_begins_with_an_empty_page(organizations: Any) -> None:
    """A page can be empty and still have a token."""
    page = organizations.list_accounts()
    assert page["Accounts"] == []
    assert page["NextToken"]


def test_pages_have_at_most_20_accounts(organizations: Any) -> None:
    """All 46 accounts come in pages of 20, each once, and the last page has no token."""
    pages = list(organizations.get_paginator("list_accounts").paginate())
    assert [len(page["Accounts"]) for page in pages] == [0, 20, 20, 6]
    assert "NextToken" not in pages[-1]
    ids = Counter(account["Id"] for page in pages for account in page["Accounts"])
    assert set(ids.values()) == {1}
    assert {MANAGEMENT, LAB, member_account_id(44)} <= ids.keys()


@pytest.mark.parametrize("limit", [0, 21, "20"])
def test_page_size_out_of_bounds_is_refused(organizations: Any, limit: Any) -> None:
    """MaxResults is a number from 1 to 20."""
    assert error_of(organizations.list_accounts, MaxResults=limit) == "InvalidInputException"


def test_token_of_another_listing_is_refused(organizations: Any) -> None:
    """A token is good for its own listing only, and rubbish for none."""
    token = organizations.list_accounts()["NextToken"]
    root = organizations.list_roots()["Roots"][0]["Id"]
    foreign = {"ParentId": root, "NextToken": token}
    assert error_of(organizations.list_accounts_for_parent, **foreign) == "InvalidInputException"
    assert error_of(organizations.list_accounts, NextToken="rubbish") == "InvalidInputException"


@pytest.mark.parametrize(
    ("account", "state", "status"),
    [
        (MANAGEMENT, "ACTIVE", "ACTIVE"),
        (CLOSED, "CLOSED", "SUSPENDED"),
        (member_account_id(5), "PENDING_CLOSURE", "PENDING_CLOSURE"),
        (member_account_id(6), "PENDING_ACTIVATION", "SUSPENDED"),
        (member_account_id(7), "SUSPENDED", "SUSPENDED"),
    ],
)
def test_account_has_state_and_status(organizations: Any, account: str, state: str, status: str) -> None:
    """Every state is shown, with the older status beside it."""
    described = organizations.describe_account(AccountId=account)["Account"]
    assert (described["State"], described["Status"]) == (state, status)
    assert all_accounts(organizations)[account] == described


def test_account_has_its_path(organizations: Any) -> None:
    """The path names the organization, the root, the units and the account."""
    path = organizations.describe_account(AccountId=LAB)["Account"]["Paths"][0]
    organization, root, workloads, development, account = path.strip("/").split("/")
    assert organization == organizations.describe_organization()["Organization"]["Id"]
    assert root == organizations.list_roots()["Roots"][0]["Id"]
    assert [workloads[:3], development[:3], account] == ["ou-", "ou-", LAB]
    assert organizations.list_parents(ChildId=LAB)["Parents"] == [{"Id": development, "Type": "ORGANIZATIONAL_UNIT"}]


def test_units_can_be_walked(organizations: Any) -> None:
    """Units and their accounts are found from the root, as a person would look for them."""
    parent = organizations.list_roots()["Roots"][0]["Id"]
    for name in ("Workloads", "Development"):
        pages = organizations.get_paginator("list_organizational_units_for_parent").paginate(ParentId=parent)
        units = {unit["Name"]: unit["Id"] for page in pages for unit in page["OrganizationalUnits"]}
        parent = units[name]
    pages = organizations.get_paginator("list_accounts_for_parent").paginate(ParentId=parent)
    assert LAB in [account["Id"] for page in pages for account in page["Accounts"]]
    children = organizations.get_paginator("list_children").paginate(ParentId=parent, ChildType="ACCOUNT")
    assert LAB in [child["Id"] for page in children for child in page["Children"]]


def test_account_has_its_tags(organizations: Any) -> None:
    """Tags are those of the scenario, or those that a landing zone would set."""
    assert tags_of(organizations, LAB) == {"team": "lab"}
    assert tags_of(organizations, PLAIN).keys() == {"team", "environment", "cost-center"}


def tags_of(organizations: Any, resource: str) -> dict[str, str]:
    """Read all tags with boto3's paginator."""
    pages = organizations.get_paginator("list_tags_for_resource").paginate(ResourceId=resource)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def test_other_listings_have_pages_too(organizations: Any) -> None:
    """Units and tags come in pages as well, of which the first may be empty."""
    root = organizations.list_roots()["Roots"][0]["Id"]
    single = {"PaginationConfig": {"PageSize": 1}}
    units = list(organizations.get_paginator("list_organizational_units_for_parent").paginate(ParentId=root, **single))
    assert units[0]["OrganizationalUnits"] == []
    assert {len(page["OrganizationalUnits"]) for page in units[1:]} == {1}
    assert len(units) > 2
    assert organizations.list_tags_for_resource(ResourceId=PLAIN)["Tags"] == []


@pytest.mark.parametrize(
    ("call", "arguments", "code"),
    [
        ("describe_account", {"AccountId": "999900001111"}, "AccountNotFoundException"),
        ("list_parents", {"ChildId": "999900001111"}, "ChildNotFoundException"),
        ("list_tags_for_resource", {"ResourceId": "999900001111"}, "TargetNotFoundException"),
        ("list_accounts_for_parent", {"ParentId": "ou-abcd-12345678"}, "ParentNotFoundException"),
        ("list_organizational_units_for_parent", {"ParentId": "ou-abcd-12345678"}, "ParentNotFoundException"),
        (
            "describe_organizational_unit",
            {"OrganizationalUnitId": "ou-abcd-12345678"},
            "OrganizationalUnitNotFoundException",
        ),
    ],
)
def test_unknown_things_have_their_errors(organizations: Any, call: str, arguments: dict[str, str], code: str) -> None:
    """What is not in the organization is answered with the code that AWS documents for the call."""
    assert error_of(getattr(organizations, call), **arguments) == code


def test_unit_is_renamed(organizations: Any) -> None:
    """A unit takes a name that only a unit elsewhere has, and none of a sibling."""
    root = organizations.list_roots()["Roots"][0]["Id"]
    made = [
        organizations.create_organizational_unit(ParentId=root, Name=name)["OrganizationalUnit"]["Id"]
        for name in ("Before", "Beside")
    ]
    organizations.update_organizational_unit(OrganizationalUnitId=made[0], Name="Development")
    unit = organizations.describe_organizational_unit(OrganizationalUnitId=made[0])["OrganizationalUnit"]
    assert unit["Name"] == "Development"
    rename = {"OrganizationalUnitId": made[1], "Name": "Development"}
    assert error_of(organizations.update_organizational_unit, **rename) == "DuplicateOrganizationalUnitException"
    for unit_id in made:
        organizations.delete_organizational_unit(OrganizationalUnitId=unit_id)


def test_delegated_administrator_may_list_accounts(sandbox: Sandbox, organizations: Any) -> None:
    """A delegated administrator sees what the management account sees, and changes nothing."""
    delegated = client(sandbox, ADMINISTRATOR)
    assert all_accounts(delegated) == all_accounts(organizations)
    assert error_of(delegated.close_account, AccountId=PLAIN) == "AccessDeniedException"
    service = {"ServicePrincipal": SERVICE}
    assert error_of(delegated.disable_aws_service_access, **service) == "AccessDeniedException"


def test_plain_member_may_describe_the_organization_only(sandbox: Sandbox) -> None:
    """A member without delegation is refused the accounts."""
    member = client(sandbox, PLAIN)
    assert error_of(member.list_accounts) == "AccessDeniedException"
    assert error_of(member.describe_account, AccountId=PLAIN) == "AccessDeniedException"
    assert member.describe_organization()["Organization"]["MasterAccountId"] == MANAGEMENT


def test_account_outside_has_no_organization(sandbox: Sandbox) -> None:
    """An account that belongs to no organization is told so."""
    outsider = client(sandbox, "999900001111")
    assert error_of(outsider.list_accounts) == "AWSOrganizationsNotInUseException"
    assert error_of(outsider.describe_organization) == "AWSOrganizationsNotInUseException"


def test_trusted_access_is_one_thing(sandbox: Sandbox, organizations: Any) -> None:
    """The client and the control API's function see and change the same trusted access."""
    state = sandbox.organization
    assert state.trusted_access
    assert SERVICE in trusted(organizations)
    organizations.disable_aws_service_access(ServicePrincipal=SERVICE)
    assert not state.trusted_access
    assert SERVICE not in trusted(organizations)
    state.trusted_access = True
    assert SERVICE in trusted(organizations)


def trusted(organizations: Any) -> list[str]:
    """List the services that have trusted access."""
    answer = organizations.list_aws_service_access_for_organization()
    return [service["ServicePrincipal"] for service in answer["EnabledServicePrincipals"]]


def administrators(organizations: Any, **arguments: str) -> list[str]:
    """List the delegated administrators."""
    pages = organizations.get_paginator("list_delegated_administrators").paginate(**arguments)
    return [admin["Id"] for page in pages for admin in page["DelegatedAdministrators"]]


def test_delegated_administrator_is_registered_and_removed(organizations: Any) -> None:
    """Account Management takes a delegated administrator, which moto refuses."""
    delegation = {"AccountId": PLAIN, "ServicePrincipal": SERVICE}
    organizations.register_delegated_administrator(**delegation)
    assert administrators(organizations, ServicePrincipal=SERVICE) == [ADMINISTRATOR, PLAIN]
    assert error_of(organizations.register_delegated_administrator, **delegation) == "AccountAlreadyRegisteredException"
    organizations.deregister_delegated_administrator(**delegation)
    assert administrators(organizations) == [ADMINISTRATOR]
    assert administrators(organizations, ServicePrincipal="ssm.amazonaws.com") == []


@pytest.mark.parametrize("account", [MANAGEMENT, CLOSED])
def test_delegation_needs_an_active_member(organizations: Any, account: str) -> None:
    """Neither the management account nor a closed one can be a delegated administrator."""
    delegation = {"AccountId": account, "ServicePrincipal": SERVICE}
    assert error_of(organizations.register_delegated_administrator, **delegation) == "ConstraintViolationException"


def test_delegation_needs_trusted_access(sandbox: Sandbox, organizations: Any) -> None:
    """Delegation before trusted access is refused, with AWS's reason."""
    sandbox.organization.trusted_access = False
    try:
        with pytest.raises(ClientError) as raised:
            organizations.register_delegated_administrator(AccountId=PLAIN, ServicePrincipal=SERVICE)
    finally:
        sandbox.organization.trusted_access = True
    assert dict(raised.value.response)["Reason"] == "SERVICE_ACCESS_NOT_ENABLED"


def test_moved_account_is_in_its_new_unit(sandbox: Sandbox, organizations: Any) -> None:
    """A move through the client shows in the control API's list and in the account's path."""
    root = organizations.list_roots()["Roots"][0]["Id"]
    before = organizations.list_parents(ChildId=MOVED)["Parents"][0]["Id"]
    organizations.move_account(AccountId=MOVED, SourceParentId=before, DestinationParentId=root)
    organization = organizations.describe_organization()["Organization"]["Id"]
    assert organizations.describe_account(AccountId=MOVED)["Account"]["Paths"] == [f"{organization}/{root}/{MOVED}/"]
    assert listed(sandbox)[MOVED]["ou"] == ""


def test_closed_account_is_closed_once(sandbox: Sandbox, organizations: Any) -> None:
    """CloseAccount leaves the state CLOSED, and a second call is refused."""
    account = member_account_id(40)
    organizations.close_account(AccountId=account)
    assert listed(sandbox)[account]["state"] == "CLOSED"
    assert error_of(organizations.close_account, AccountId=account) == "AccountAlreadyClosedException"


def listed(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """List the accounts by id as the control API does."""
    return {account["id"]: account for account in sandbox.organization.accounts()}


def test_accounts_are_listed_without_contacts(sandbox: Sandbox) -> None:
    """The list for the control API has what a person looks for, and no contact."""
    account = listed(sandbox)[LAB]
    assert account == {
        "id": LAB,
        "name": "sandbox-lab",
        "state": "ACTIVE",
        "ou": "Workloads/Development",
        "tags": {"team": "lab"},
        "management": False,
        "delegated_administrator": False,
    }


def test_state_is_set_at_run_time(sandbox: Sandbox, organizations: Any) -> None:
    """A state that is set shows at once; unknown states and accounts are refused."""
    account, state = member_account_id(41), sandbox.organization
    state.set_state(account, "SUSPENDED")
    assert organizations.describe_account(AccountId=account)["Account"]["State"] == "SUSPENDED"
    with pytest.raises(UnknownAccountError):
        state.set_state("999900001111", "ACTIVE")
    with pytest.raises(ValueError, match="is not one of"):
        state.set_state(account, "GONE")
    with pytest.raises(ValueError, match="always ACTIVE"):
        state.set_state(MANAGEMENT, "CLOSED")


def test_generated_members_differ_from_the_management_account(sandbox: Sandbox) -> None:
    """By default every member has every contact, and none equals the management account's."""
    contacts = sandbox.organization.contacts
    for contact_type in ContactType:
        own = contacts.read(MANAGEMENT, contact_type)
        for number in range(1, 45):
            theirs = contacts.read(member_account_id(number), contact_type)
            assert theirs
            assert own
            assert not set(theirs.items()) >= set(own.items())
            assert "example" in str(theirs).lower() or "555" in str(theirs)
