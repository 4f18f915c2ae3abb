"""`contactsync validate`: whether a deployment works, with what to do about each thing that does not."""

import os
import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from contactsync.cli.deployment import ENVIRONMENT, find_settings
from contactsync.cli.screen.findings import BAD, GOOD, kept, show_findings
from contactsync.cli.screen.listing import Output, OutputOption
from contactsync.cli.screen.options import choose
from contactsync.own_variables import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contactsync.checks.findings import Finding

NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,15}", re.ASCII)
"""Names of environments, as the templates accept them."""
LIMIT: Final = 1800
"""Seconds; the default of checks/deep.py, which is not imported before the command runs."""


def validate(
    context: typer.Context,
    *,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Also start a dry run, follow its event into the audit trail, and render every notice."
        ),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Seconds for which `--deep` waits for its dry run.")] = LIMIT,
    output: OutputOption = Output.TABLE,
    environment: Annotated[
        str | None, typer.Option(metavar="NAME", help="The deployment's environment, such as prod.", show_default=False)
    ] = None,
    region: Annotated[str | None, typer.Option(help="The AWS region of the deployment.", show_default=False)] = None,
    profile: Annotated[str | None, typer.Option(help="The AWS profile to use.", show_default=False)] = None,
) -> None:
    """Check a deployment: stacks, Airflow, functions, tables, topics, queues, alarms, configuration, organization.

    One line for each check: ✓ or ✗, and for ✗ what to do; also when a check could not be made. The exit code is 1 if
    there is a ✗. Nothing is changed, and with `--deep` nothing stays but a dry run. docs/validating.md explains each
    check, and lists the permissions.

    Example: `contactsync validate --environment prod --deep`
    """
    choose(os.environ, profile=profile, region=region)
    name = environment or context.obj or value_of(ENVIRONMENT)
    if not name:
        raise typer.BadParameter(f"Name the deployment's environment: --environment NAME, or set {ENVIRONMENT}.")
    if not NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r} is no environment: a name has small letters, digits and hyphens.")
    if (other := value_of(ENVIRONMENT)) and other != name:
        raise typer.BadParameter(f"--environment {name}: {ENVIRONMENT} is set to {other}; unset it, or name {other}.")
    findings: list[Finding] = []
    _show(findings, _findings(name, deep=deep, limit=limit), output)
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(1)


def _findings(environment: str, *, deep: bool, limit: int) -> "Iterator[Finding]":
    from contactsync.checks.findings import unknown_because
    from contactsync.checks.validation import CREDENTIALS
    from contactsync.errors import ContactSyncError
    from contactsync.services.checks import deep_checks, validation

    usable = True
    for finding in validation(environment).findings():
        usable = usable and (finding.is_ok or finding.name != CREDENTIALS)
        yield finding
    if deep and usable:
        try:
            find_settings(environment, os.environ)
            yield from deep_checks(limit=limit).findings()
        except ContactSyncError as error:
            yield unknown_because("deep", error)


def _show(findings: "list[Finding]", found: "Iterator[Finding]", output: Output) -> None:
    """Write what is found, and for people also how much of it is to look at."""
    show_findings(kept(found, findings), output, lambda finding: GOOD if finding.is_ok else BAD)
    if output is Output.TABLE:
        wrong, number = sum(not finding.is_ok for finding in findings), len(findings)
        checks = "1 check" if number == 1 else f"{number} checks"
        typer.echo(f"\n{checks}, {wrong} to look at." if wrong else f"\n{checks}, nothing to do.")
