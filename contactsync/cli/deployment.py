"""Settings from a deployment's stacks: the option `--environment`, and `contactsync env`."""

import json
import os
import shlex
from collections.abc import MutableMapping
from enum import StrEnum
from typing import Annotated, Final

import typer

from contactsync.cli.screen.listing import write_text
from contactsync.own_variables import PREFIX, own_variables, value_of

ENVIRONMENT: Final = "CONTACTSYNC_ENVIRONMENT"
KEY: Final = "CONTACTSYNC_FINGERPRINT_KEY"
SECRET: Final = "CONTACTSYNC_FINGERPRINT_SECRET"  # noqa: S105 -- a variable's name


SECRETS: Final = ("FINGERPRINT_KEY", "AIRFLOW_PASSWORD", "AIRFLOW_TOKEN")
"""How the names of variables end whose values are never printed."""


class Form(StrEnum):
    """How `contactsync env` prints settings."""

    EXPORTS = "exports"
    JSON = "json"


def find_settings(environment: str, environ: MutableMapping[str, str]) -> None:
    """Set the settings that the environment's stacks give and that are not set; what is set wins.

    Raises BadParameter when the settings that are set are those of another environment: a mixture could write to both.
    """
    from contactsync.services.deployment import deployed_settings

    if (other := value_of(ENVIRONMENT, environ)) and other != environment:
        raise typer.BadParameter(
            f"--environment {environment}: {ENVIRONMENT} is set to {other}; unset it, or name {other}."
        )
    found = deployed_settings(environment, environ)
    if value_of(KEY, environ):
        found.pop(SECRET, None)  # exactly one of the two may be set
    for name, value in found.items():
        if not value_of(name, environ):
            environ[name] = value


def env(
    form: Annotated[
        Form, typer.Option("--output", "-o", help="Lines for a shell to source, or one JSON object.")
    ] = Form.EXPORTS,
) -> None:
    """Print the settings that commands use now: those that are set, and with `--environment` those of its stacks.

    Keys of fingerprints, passwords and tokens are not printed.

    Example: `contactsync --environment prod env > prod.env && . ./prod.env`
    """
    own = {name: value for name, value in sorted(own_variables(os.environ).items()) if name.startswith(PREFIX)}
    settings = {name: value for name, value in own.items() if not name.endswith(SECRETS)}
    if form is Form.JSON:
        write_text([json.dumps(settings, indent=2), "\n"])
    else:
        write_text(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
