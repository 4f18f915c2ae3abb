"""`contactsync notices`: what it prints, without any settings, and how wrong usage ends."""

import json

import pytest
from typer.testing import CliRunner, Result

from contactsync.cli.app import app
from contactsync.notices.preview import previewed
from contactsync.notices.routing import NoticeForm
from contactsync.notices.samples import sample
from contactsync.notices.scenarios import DEFAULT_SEVERITIES, Scenario


def ran(*arguments: str) -> Result:
    """Run a command of the group."""
    return CliRunner().invoke(app, ["notices", *arguments])


@pytest.mark.parametrize("form", NoticeForm)
def test_preview(form: NoticeForm) -> None:
    """A preview is what would be sent, in the form that was asked for."""
    answer = ran("preview", "halted", "--format", form)
    assert (answer.exit_code, answer.output) == (0, previewed(sample(Scenario.HALTED), form))


def test_preview_all() -> None:
    """All forms follow each other under their names; text alone is the default."""
    answer = ran("preview", "overdue", "--format", "all")
    assert [line for line in answer.output.splitlines() if line.startswith("===")] == [
        "=== text ===",
        "=== json ===",
        "=== chat ===",
        "=== sms ===",
    ]
    assert ran("preview", "overdue").output == previewed(sample(Scenario.OVERDUE), NoticeForm.TEXT)


def test_alias() -> None:
    """The short name of a success is understood."""
    assert ran("preview", "success").output == ran("preview", "success_completion").output


def test_wrong_scenario() -> None:
    """A scenario that there is not is wrong usage, with those there are."""
    answer = ran("preview", "party")
    assert answer.exit_code == 2
    assert "complete_failure" in answer.output
    assert "Traceback" not in answer.output


def test_list() -> None:
    """The list has every scenario with its default severity."""
    answer = ran("list", "--output", "json")
    found = {row["scenario"]: row["severity"] for row in json.loads(answer.output)}
    assert found == {str(scenario): str(severity) for scenario, severity in DEFAULT_SEVERITIES.items()}
