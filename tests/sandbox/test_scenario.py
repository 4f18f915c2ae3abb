"""Scenario files: defaults, and errors that tell what to write instead."""

import time
from pathlib import Path
from typing import Any

import pytest

from contactsync.sandbox.contacts.account_rules import ContactType, contact_errors
from contactsync.sandbox.contacts.defaults import MANAGEMENT_CONTACTS, member_account_id, member_contact, member_name
from contactsync.sandbox.organization.organization import build
from contactsync.sandbox.scenario.scenario import Scenario, ScenarioError, load_scenario, parse_scenario

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
        ({"organisation": {}}, "organisation is not a known key; the nearest is organization."),
        ({"organization": {"trustedaccess": True}}, "organization.trustedaccess is not a known key; the nearest is t"),
        ({"events": {"x": 1}}, "events.x is not a known key; the keys are casing, copies, delay, "),
        ({"organization": {"members": [{"number": 1, "contacts": {"securty": None}}]}}, "contacts.securty is not a k"),
        ({"contacts": {"security": {**ALTERNATE, "EmailAdress": "x"}}}, "the nearest is EmailAddress"),
        (
            {"organization": {"members": [{"number": 1, "contacts": {"billing": "same_as_managment"}}]}},
            "the nearest is",
        ),
        ({"organization": {"members": [{"number": 1, "state": "ACTIV"}]}}, "the nearest is ACTIVE"),
        ({"organization": {"members": [{"number": 1, "ou": "workloads/test"}]}}, "the nearest is Workloads/Test"),
        ({"quotas": {"preset": "commerical"}}, "quotas.preset: "),
        (
            {"faults": [{"error": "X", "operation": "PutAlternatContact"}]},
            "faults.0.operation: PutAlternatContact is no",
        ),
        (
            {"faults": [{"error": "X", "service": "dynamodb", "operation": "PutAlternateContact"}]},
            "no operation of dyn",
        ),
        ({"faults": [{"error": "X", "service": "*", "operation": "SendMesage"}]}, "the nearest is SendMessage."),
        (
            {"faults": [{"error": "X", "service": "dynamo"}]},
            "faults.0.service: dynamo is no service of the SDK; the ne",
        ),
        ({"faults": [{"error": "X", "account": "44445555666"}]}, "faults.0.account: an account id has twelve digits"),
        ({"faults": [{"error": "X", "account": 444455556666}]}, "faults.0.account: write it in quotes"),
        ({"faults": [{"error": "X", "stage": "entry"}]}, "faults.0: stage entry is for PublishBatch"),
        ({"latency": {"operations": {"GetAlternatContact": 1}}}, "the nearest is GetAlternateContact"),
        ({"latency": {"default": float("inf")}}, "latency.default: "),
        ({"organization": {"accounts": True}}, "organization.accounts: a number is expected"),
        ({"faults": [{"error": "X", "count": True}]}, "faults.0.count: a number is expected"),
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


PHONE = "contacts: {security: {Name: a, Title: b, EmailAddress: a@example.com, PhoneNumber: %s}}"
ADDRESS = """
contacts:
  primary: {FullName: A, AddressLine1: B, City: C, PostalCode: %s, CountryCode: %s, PhoneNumber: "+47 22000000"}
"""
TAGS = "organization: {members: [{number: 1, tags: {team: %s}}]}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (PHONE % "+4722000000", "contacts.security.PhoneNumber: write it in quotes, or YAML reads it as a number."),
        (ADDRESS % ("'0150'", "NO"), "contacts.primary.CountryCode: write it in quotes, or YAML reads it as true or f"),
        (ADDRESS % ("0150", "'NO'"), "contacts.primary.PostalCode: write it in quotes, or YAML reads it as a number."),
        (ADDRESS % ("98101", "'NO'"), "contacts.primary.PostalCode: write it in quotes, or YAML reads it as a number."),
        (TAGS % "yes", "organization.members.0.tags.team: write it in quotes, or YAML reads it as true or false."),
        (TAGS % "42", "organization.members.0.tags.team: write it in quotes, or YAML reads it as a number."),
        (TAGS % "1.5", "organization.members.0.tags.team: write it in quotes, or YAML reads it as a number."),
        (TAGS % "12:30", "organization.members.0.tags.team: write it in quotes, or YAML reads it as a number."),
        (TAGS % "2024-01-01", "organization.members.0.tags.team: write it in quotes, or YAML reads it as a date."),
        (
            TAGS % "2024-01-01 10:00:00",
            "organization.members.0.tags.team: write it in quotes, or YAML reads it as a da",
        ),
        (
            TAGS % "2024-13-01",
            "organization.members.0.tags.team: write the value in line 1 in quotes, or YAML reads it",
        ),
        (TAGS % "Null", "organization.members.0.tags.team: write it in quotes, or YAML reads it as nothing."),
        (TAGS % "~", "organization.members.0.tags.team: write it in quotes, or YAML reads it as nothing."),
        (
            TAGS % "!!timestamp x",
            "organization.members.0.tags.team: write the value in line 1 in quotes, or YAML reads ",
        ),
        (
            TAGS % "!!bool x",
            "organization.members.0.tags.team: write the value in line 1 in quotes, or YAML reads it as",
        ),
        (
            TAGS % "!!int x",
            "organization.members.0.tags.team: write the value in line 1 in quotes, or YAML reads it as",
        ),
        (TAGS % "[a]", "organization.members.0.tags.team: a text is expected here."),
        ("organization: {organizational_units: [Off]}", "organization.organizational_units.0: write it in quotes, or"),
        ("organization: {organizational_units: [Null]}", "organization.organizational_units.0: write it in quotes, or"),
        ("organization: {members: [{number: 1, name: 007}]}", "organization.members.0.name: write it in quotes, or YA"),
        (
            "organization: {members: [{number: 1, tags: {NO: x}}]}",
            "tags: write the key in line 1 in quotes, or YAML re",
        ),
        (
            "organization: {members: [{number: 1, tags: {42: x}}]}",
            "tags: write the key in line 1 in quotes, or YAML re",
        ),
        ("quotas: {}\nlatency: {}\nquotas: {}\n", "quotas is given twice, in lines 1 and 3; keep one."),
        ("organization:\n  accounts: 1\n  'accounts': 2\n", "organization.accounts is given twice, in lines 2 and 3; "),
        (PHONE % "x, PhoneNumber: y", "contacts.security.PhoneNumber is given twice"),
        (
            "faults:\n  - error: A\n    count: 1\n    error: B\n",
            "faults.0.error is given twice, in lines 2 and 4; keep",
        ),
        ('organization: {"\\uD800": 1}', "the key in line 1 has half of a surrogate pair"),
        (PHONE % '"\\uDC00"', "has half of a surrogate pair"),
        ("contacts: &a\n  security: *a\n", "contacts.security holds itself, by an alias in line 1."),
        ("a: 1\n---\nb: 2\n", "it is not YAML: but found another document in line 2, column 1."),
        ("contacts: {security: {Name: Robin Tester", "it is not YAML: expected ',' or '}', but got"),
        ("organization: !!python/object:os.system {}", "it is not YAML: could not determine a constructor"),
        ("[" * 3000, "its lists and mappings are nested too deeply."),
        ("organization:\n#  accounts: 3\n", "organization: a mapping is expected here."),
        ("faults: {error: X}", "faults: a list is expected here."),
        ("contacts: {security: [a]}", "contacts.security: a mapping is expected here."),
        ("- organization", "It must be a mapping of sections"),
    ],
)
def test_what_yaml_would_guess_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    """A bare value that is no text, a key given twice and the like are one sentence with the path of the key."""
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as raised:
        load_scenario(path)
    assert str(raised.value).startswith(f"Scenario {path}: ")
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not any(value in str(raised.value) for value in ("4722000000", "0150", "98101", "Robin"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_unicode_is_named(tmp_path: Path, encoding: str) -> None:
    """A file from PowerShell is UTF-16, with a mark or without one; the error says how to save it."""
    path = tmp_path / "scenario.yaml"
    path.write_bytes("organization: {accounts: 3}\n".encode(encoding))
    with pytest.raises(ScenarioError, match=r"scenario\.yaml: it is UTF-16, .*; save the file as UTF-8\.$"):
        load_scenario(path)


def test_code_page_is_named(tmp_path: Path) -> None:
    """Text of a Windows code page is refused, with its line."""
    path = tmp_path / "scenario.yaml"
    path.write_bytes("organization:\n  organizational_units: [Büro]\n".encode("cp1252"))
    with pytest.raises(ScenarioError, match=r"line 2 is not UTF-8; save the file as UTF-8\.$"):
        load_scenario(path)


def test_byte_order_mark_is_read(tmp_path: Path) -> None:
    """A UTF-8 file with a byte order mark is as good as one without; anchors and merges work."""
    path = tmp_path / "scenario.yaml"
    text = (
        "organization:\n  accounts: 3\n  members:\n    - &m {number: 1, tags: {team: é}}\n    - {<<: *m, number: 2}\n"
    )
    path.write_text(text, encoding="utf-8-sig")
    scenario = load_scenario(path)
    assert [member.tags for member in scenario.organization.members] == [{"team": "é"}] * 2


def test_contact_is_kept_as_aws_stores_it() -> None:
    """Blanks around a field and small letters in the country are what AWS would have put right."""
    primary = {**MANAGEMENT_CONTACTS[ContactType.PRIMARY], "City": " Seattle ", "CountryCode": "us"}
    assert parse_scenario({"contacts": {"primary": primary}}) == Scenario()


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


def test_largest_organization() -> None:
    """Ten thousand accounts are built and listed with the same ids each time, for about ten times the work of 1,000."""
    work: dict[int, list[float]] = {1_000: [], 10_000: []}
    sizes = []
    for accounts in (1_000, 10_000) * 2:
        begun = time.process_time()
        organization = build(parse_scenario({"organization": {"accounts": accounts}}))
        sizes.append(organization.account_ids())
        work[accounts].append(time.process_time() - begun)
        organization.close()
    assert sizes[1] == sizes[3]
    assert len(set(sizes[1])) == 10_001
    assert any(account.startswith("0") for account in sizes[1])
    assert min(work[10_000]) < 40 * min(work[1_000]), "it would be a hundred times if each account looked at the others"


def test_aliases_of_aliases(tmp_path: Path) -> None:
    """Each part of a file is looked at once, however many ways aliases make to it."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    file = tmp_path / "aliases.yaml"
    file.write_text("\n".join(lines))
    with pytest.raises(ScenarioError, match="a0 is not a known key"):
        load_scenario(file)
