"""`contactsync doctor`: what is missing for the person at the keyboard."""

import os
from typing import TYPE_CHECKING

import typer

from contactsync.cli.deployment import find_settings
from contactsync.cli.screen.findings import ABSENT, BAD, GOOD, Mark, kept, show_findings
from contactsync.cli.screen.listing import Output, OutputOption
from contactsync.errors import ContactSyncError
from contactsync.own_variables import OPTION_PREFIX, value_of

if TYPE_CHECKING:
    from contactsync.checks.findings import Finding
    from contactsync.checks.keyboard import KnownSettings


def doctor(
    context: typer.Context,
    output: OutputOption = Output.TABLE,
) -> None:
    """Look what this machine, its settings and its credentials can do, and say what is missing and how to get it.

    Nothing is changed. It looks at Python, its packages, the settings and where they come from, at the region, the
    credentials and the clock. Then it reads from each table, the queues, the topic and Airflow. The exit code is 1 when
    something is wrong (✗); a dash is for what is not set, not installed, or cannot be known now.

    Example: `contactsync --environment prod doctor`
    """
    from contactsync.checks.keyboard import check_keyboard
    from contactsync.services.keyboard import DeployedKeyboard

    settings = _settings(context.obj)
    found: list[Finding] = []
    show_findings(kept(check_keyboard(DeployedKeyboard(os.environ, settings)), found), output, _mark_of)
    if any(finding.state == "failed" for finding in found):
        raise typer.Exit(1)


def _settings(environment: str | None) -> "KnownSettings":
    """Find the settings, and remember where each one comes from."""
    from contactsync.checks.keyboard import KnownSettings
    from contactsync.settings.settings import variables_of

    variables = variables_of()
    origins = {name: _origin(name) for name in variables if value_of(name)}
    if environment is None:
        return KnownSettings(origins)
    try:
        find_settings(environment, os.environ)
    except ContactSyncError as error:
        return KnownSettings(origins, environment, error)
    stacks = f"the stacks of {environment}"
    return KnownSettings({name: origins.get(name, stacks) for name in variables if value_of(name)}, environment)


def _origin(variable: str) -> str:
    if os.environ.get(variable, "").strip():
        return "variables"
    return f"options of Airflow ({OPTION_PREFIX}*)"


def _mark_of(finding: "Finding") -> Mark:
    return {"ok": GOOD, "failed": BAD}.get(finding.state, ABSENT)
