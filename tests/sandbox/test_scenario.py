"""Scenario files: defaults, and errors that tell what to write instead."""

import time
from pathlib import Path
from typing import Any

import pytest

from contactsync.sandbox.account_rules import ContactType, contact_errors
from contactsync.sandbox.defaults import MANAGEMENT_CONTACTS, member_account_id, member_contact, member_name
from contactsync.sandbox.organization import build
from contactsync.sandbox.scenario import Scenario, ScenarioError, load_scenario, parse_scenario

ALTERNATE = MANAGEMENT_CONTACTS[ContactType.SECURITY]
EVERY_SECTION = """
organization:
  management_account: "222233334444"
  accounts: 12
  trusted_access: false
  delegated_administrator: "999988887777"
  organizational_units: [Security, Workloads/Production, Workloads/Development]
  empty_pages: 2
  members:
    - {number: 3, state: SUSPENDED}
    - {number: 7, contacts: {security: same_as_management}}
    - {id: "999988887777", name: sandbox-lab, ou: Workloads/Development, tags: {team: lab}, contacts: {security: null}}
contacts:
  security: null
quotas: {enabled: true, preset: china, operations: {PutAlternateContact: {rate: 5, burst: 8}}}
latency: {default: 0.0, operations: {GetAlternateContact: 0.05}}
faults: [{operation: PutAlternateContact, error: TooManyRequestsException, count: 2, stage: after}]
stale_reads: {seconds: 1.5}
events: {casing: camel, redacted: false, copies: 2, shuffle: true, delay: 0.1, drop: 0.1, seed: 3}
"""


def test_every_section_is_read(tmp_path: Path) -> None:
    """A file with every section arrives in the model."""
    path = tmp_path / "scenario.yaml"
    path.write_text(EVERY_SECTION)
    scenario = load_scenario(path)
    assert scenario.organization.members[2].contacts.security is None
    assert scenario.organization.members[1].contacts.security == "same_as_management"
    assert scenario.organization.members[1].contacts.billing == "generated"
    assert scenario.contacts.security is None
    assert (scenario.quotas.preset, scenario.latency.operations["GetAlternateContact"]) == ("china", 0.05)
    assert (scenario.faults[0].count, scenario.stale_reads.seconds, scenario.events.copies) == (2, 1.5, 2)


def test_empty_file_is_a_whole_organization(tmp_path: Path) -> None:
    """Nothing needs to be written: 25 members, trusted access, all contacts."""
    path = tmp_path / "scenario.yaml"
    path.write_text("")
    assert load_scenario(path) == Scenario()
    assert Scenario().organization.accounts == 25
    assert Scenario().organization.trusted_access


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"quota": {}}, "quota is not a known key"),
        (
            {"organization": {"members": [{"number": 1, "colour": "red"}]}},
            "organization.members.0.colour is not a known",
        ),
        (
            {"organization": {"management_account": 111122223333}},
            "organization.management_account: write the account id",
        ),
        ({"organization": {"management_account": "1111"}}, "organization.management_account: "),
        ({"organization": {"accounts": 10_001}}, "organization.accounts: "),
        ({"organization": {"members": [{"name": "x"}]}}, "organization.members.0: give either the number"),
        ({"organization": {"members": [{"number": 26}]}}, "number 26 is above the 25 generated accounts"),
        ({"organization": {"members": [{"number": 2}, {"number": 2}]}}, "is named twice"),
        ({"organization": {"members": [{"number": 2, "state": "GONE"}]}}, "organization.members.0.state: "),
        ({"organization": {"members": [{"number": 2, "ou": "Nowhere"}]}}, "Nowhere is not one of organizational_units"),
        (
            {"organization": {"members": [{"id": member_account_id(1)}]}},
            "is a generated account; name it by its number",
        ),
        ({"organization": {"members": [{"id": "111122223333"}]}}, "is a member too"),
        ({"organization": {"delegated_administrator": "999988887777"}}, "is not a member account"),
        ({"organization": {"organizational_units": []}}, "organization.organizational_units: "),
        ({"contacts": {"primary": None}}, "contacts.primary: "),
        ({"contacts": {"security": {"Name": "x"}}}, "contacts.security: Title: Member must not be null"),
        ({"contacts": {"security": {**ALTERNATE, "Nick": "x"}}}, "contacts.security: Nick is not a field"),
        ({"contacts": {"security": {**ALTERNATE, "PhoneNumber": "x"}}}, "contacts.security: PhoneNumber: "),
        (
            {"organization": {"members": [{"number": 1, "contacts": {"billing": {}}}]}},
            "members.0.contacts.billing: Name",
        ),
        (
            {"quotas": {"operations": {"PutAlternateContact": {"rate": 0, "burst": 1}}}},
            "quotas.operations.PutAlternate",
        ),
        ({"faults": [{"error": "X", "stage": "during"}]}, "faults.0.stage: "),
        ({"stale_reads": {"seconds": -1}}, "stale_reads.seconds: "),
        ({"events": {"casing": "snake"}}, "events.casing: "),
        ([], "It must be a mapping"),
    ],
)
def test_mistake_is_named(content: Any, sentence: str) -> None:
    """The error is one sentence that begins with the field."""
    with pytest.raises(ScenarioError) as raised:
        parse_scenario(content)
    assert sentence in str(raised.value)
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"organization: {accounts: many}"])
def test_unreadable_file_is_named(tmp_path: Path, content: bytes) -> None:
    """A file that is no YAML, or wrong, is named in the error."""
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match=r"broken\.yaml"):
        load_scenario(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named in the error."""
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(tmp_path / "absent.yaml")


def test_error_has_no_contact_value() -> None:
    """A wrong contact's value is not repeated in the error."""
    with pytest.raises(ScenarioError) as raised:
        parse_scenario({"contacts": {"security": {**ALTERNATE, "EmailAddress": "not an address"}}})
    assert "not an address" not in str(raised.value)


def test_generated_contacts_are_valid() -> None:
    """Invented contacts obey the service's own rules, and names and ids are unique."""
    for number in range(1, 500):
        for contact_type in ContactType:
            assert contact_errors(contact_type, member_contact(number, contact_type)) == []
    assert len({member_name(number) for number in range(1, 10_001)}) == 10_000


def test_management_contacts_are_valid() -> None:
    """The management account's default contacts obey the rules too."""
    for contact_type in ContactType:
        assert contact_errors(contact_type, MANAGEMENT_CONTACTS[contact_type]) == []


def test_largest_organization_is_ready_in_seconds() -> None:
    """Ten thousand accounts are built and listed in a few seconds, with the same ids each time."""
    started = time.monotonic()
    sizes = []
    for _ in range(2):
        organization = build(parse_scenario({"organization": {"accounts": 10_000}}))
        sizes.append(organization.account_ids())
        organization.close()
    assert sizes[0] == sizes[1]
    assert len(set(sizes[0])) == 10_001
    assert any(account.startswith("0") for account in sizes[0])
    assert time.monotonic() - started < 5
