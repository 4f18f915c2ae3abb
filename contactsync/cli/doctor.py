"""`contactsync doctor`: what is missing for the person at the keyboard."""

import json
import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from contactsync.cli.deployment import find_settings
from contactsync.cli.screen.listing import say, write_text
from contactsync.errors import ContactSyncError
from contactsync.own_variables import OPTION_PREFIX, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from contactsync.checks.findings import Finding
    from contactsync.checks.keyboard import KnownSettings


class Form(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"


SIGNS: Final = {"ok": "✓", "failed": "✗", "unknown": "–"}  # noqa: RUF001 -- the dash is meant
"""The sign of each state; a dash is for what is not there and need not be, or could not be looked at."""


def doctor(
    context: typer.Context,
    form: Annotated[Form, typer.Option("--output", "-o", help="A line per check, or one JSON array.")] = Form.TEXT,
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
    found = _shown(check_keyboard(DeployedKeyboard(os.environ, settings)), form)
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


def _shown(findings: "Iterable[Finding]", form: Form) -> "list[Finding]":
    """Print findings; as text each one as soon as it is known."""
    if form is Form.TEXT:
        return list(_said(findings))
    found = list(findings)
    rows = [
        {"name": one.name, "state": str(one.state), "sentence": one.sentence, "remedy": one.remedy} for one in found
    ]
    write_text([json.dumps(rows, indent=2), "\n"])
    return found


def _said(findings: "Iterable[Finding]") -> "Iterator[Finding]":
    for one in findings:
        say(f"{SIGNS[one.state]} {one.name}: {' '.join(filter(None, [one.sentence, one.remedy]))}")
        yield one
