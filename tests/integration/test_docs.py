"""Documents that can go stale."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from rich.console import Console

from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, OutcomeStatus
from contactsync.sandbox.scenario.scenario import parse_scenario
from contactsync.settings.groups import Group
from contactsync.settings.settings import variables_of
from contactsync.sync.report import stored_report
from contactsync.views.report_table import report_renderables
from tests.support.builders import operation

DOCS = Path(__file__).parents[2] / "docs"


def test_documented_scenario_is_valid() -> None:
    """The scenarios in docs/sandbox.md can be run as they stand."""
    texts = re.findall(r"```yaml\n(.*?)```", (DOCS / "sandbox.md").read_text(), re.DOTALL)
    whole, about_stacks = (parse_scenario(yaml.safe_load(text)) for text in texts)
    assert (whole.organization.accounts, len(about_stacks.stacks.resources)) == (40, 3)


def test_every_setting_is_documented() -> None:
    """docs/settings.md names every variable that the code reads, and no other."""
    documented = set(re.findall(r"`(CONTACTSYNC_[A-Z_]+)`", (DOCS / "settings.md").read_text()))
    elsewhere = {"CONTACTSYNC_ACCOUNT_TASKS", "CONTACTSYNC_DOCS_URL", "CONTACTSYNC_SUBSCRIBER_SETTINGS"}
    assert documented == {*variables_of(Group)} | elsewhere


def test_every_configuration_key_is_documented() -> None:
    """docs/settings.md has a row for every key of the configuration."""
    rows = [row for row in (DOCS / "settings.md").read_text().splitlines() if row.startswith("| `")]
    assert list(undocumented(Configuration, "", rows)) == []


def undocumented(section: type[BaseModel], path: str, rows: list[str]) -> Iterator[str]:
    """Yield the keys without a row, such as `deletion.policy`; a section may have one row for all of its keys."""
    for name, field in section.model_fields.items():
        key, beside = f"{path}{name}", f"`.{name}`"
        if any(f"`{key}`" in row or f"`{key}.<" in row or (f"`{path}" in row and beside in row) for row in rows):
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from undocumented(field.annotation, f"{key}.", rows)
        else:
            yield key


def facts() -> dict[str, str]:
    """Return the facts of docs/facts.md by their headings."""
    parts = re.split(r"^(?:##|###) (.+)\n", (DOCS / "facts.md").read_text(), flags=re.MULTILINE)
    return {heading: text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=True) if "Used in" in text}


def incomplete(text: str) -> list[str]:
    """List what a fact lacks."""
    found = re.search(r"^Source: (.*)\. Used in: (.*)\.$", text, re.MULTILINE)
    if found is None:
        return ["a last line with its source and its files"]
    source, files = found.groups()
    known = re.search(r"<https://[^>]+>", source) or re.search(r"seen with [A-Za-z0-9]+ \d", source)
    lacks = [] if known else ["a page, or what it was seen with"]
    missing = [name for name in files.split(", ") if not (DOCS.parent / name.strip("`")).is_file()]
    return [*lacks, *missing, *([] if text.partition("Source:")[0].strip() else ["a sentence"])]


def test_every_fact_has_its_source() -> None:
    """Each fact of docs/facts.md says what is so, where that comes from, and which files lean on it."""
    headings = re.findall(r"^### (.+)$", (DOCS / "facts.md").read_text(), re.MULTILINE)
    assert len(headings) > 50
    assert list(facts()) == headings
    assert {heading: lacks for heading, text in facts().items() if (lacks := incomplete(text))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "It is so.",
        "It is so.\n\nSource: somebody said it. Used in: `dags/contact_sync.py`.",
        "It is so.\n\nSource: <https://docs.example/page>. Used in: `gone.py`.",
        "Source: <https://docs.example/page>. Used in: `dags/contact_sync.py`.",
    ],
)
def test_incomplete_facts_are_found(text: str) -> None:
    """The test above would find a fact without a sentence, a source or a file."""
    assert incomplete(text) != []


def test_sample_of_the_readme() -> None:
    """The README's report is what a window of 80 columns shows."""
    (sample,) = re.findall(r"```text\n(· Starting.*?)```", (DOCS.parent / "README.md").read_text(), re.DOTALL)
    assert max(map(len, sample.splitlines())) <= 80
    found = re.findall(r"^(\S+) +([0-9]{12})  (\S+) +(\S+) +(\S+)$", sample, re.MULTILINE)
    others = [("security-tooling", "440128778855", "security", "success", "updated")]
    outcomes = [
        AccountOutcome(
            account_id,
            name,
            ContactType(contact_type),
            status=OutcomeStatus(status),
            detail=OutcomeDetail(detail),
            changed_fields=("EmailAddress", "Name", "PhoneNumber", "Title") if detail == "updated" else (),
        )
        for name, account_id, contact_type, status, detail in [*found, *others]
    ]
    report = stored_report(operation(ContactType.SECURITY), outcomes, 1)
    shown = io.StringIO()
    for part in report_renderables(report, outcomes, 80):
        Console(file=shown, width=80, highlight=False, markup=False, emoji=False).print(part)
    printed = {line.rstrip() for line in shown.getvalue().splitlines()}
    table = sample[sample.index("account           id") : sample.index("\n\n=== email")]
    assert len(found) == 4
    assert [line for line in table.splitlines() if line not in printed and line != "..."] == []
