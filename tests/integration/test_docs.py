"""Documents that can go stale."""

import io
import re
from pathlib import Path

import yaml
from rich.console import Console

from contactsync.contacts import ContactType
from contactsync.sandbox.scenario import parse_scenario
from contactsync.settings import Group, variables_of
from contactsync.sync.config import Configuration
from contactsync.sync.operation import AccountOutcome, OutcomeDetail, OutcomeStatus
from contactsync.sync.report import stored_report
from contactsync.sync.report_table import report_renderables
from tests.builders import operation

DOCS = Path(__file__).parents[2] / "docs"


def test_documented_scenario_is_valid() -> None:
    """The scenario in docs/sandbox.md can be run as it stands."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "sandbox.md").read_text(), re.DOTALL)
    assert parse_scenario(yaml.safe_load(text)).organization.accounts == 40


def test_every_setting_is_documented() -> None:
    """docs/settings.md names every variable that the code reads, and no other."""
    documented = set(re.findall(r"`(CONTACTSYNC_[A-Z_]+)`", (DOCS / "settings.md").read_text()))
    elsewhere = {
        "CONTACTSYNC_MWAA_ENVIRONMENT",
        "CONTACTSYNC_MWAA_REGION",
        "CONTACTSYNC_DEAD_LETTERS_URL",
        "CONTACTSYNC_NOTICES_TOPIC_ARN",
        "CONTACTSYNC_AIRFLOW_URL",
        "CONTACTSYNC_OPS_ITEMS",
        "CONTACTSYNC_ACCOUNT_TASKS",
        "CONTACTSYNC_DOCS_URL",
    }
    assert documented == {*variables_of(Group)} | elsewhere


def test_every_configuration_key_is_documented() -> None:
    """docs/settings.md has a row for every key of the configuration."""
    text = (DOCS / "settings.md").read_text()
    assert all(f"`{name}" in text for name in Configuration.model_fields)


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
