"""`contactsync config`: the configuration that operators change while the product runs."""

import getpass
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from contactsync.errors import ConfigurationInvalidError, ConfigurationMissingError

app = typer.Typer(help="Show, check and store the configuration.", no_args_is_help=True)

ConfigurationFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A JSON file with the whole configuration.")
]


@app.command()
def show() -> None:
    """Print the configuration in force as JSON, defaults included, and its version on stderr.

    Example: `contactsync config show > configuration.json`
    """
    from contactsync.services import Services

    stored = Services.from_environment().configurations.latest()
    typer.echo(f"version {stored.version}", err=True)
    typer.echo(stored.settings.model_dump_json(indent=2))


@app.command()
def validate(file: ConfigurationFile) -> None:
    """Check a configuration without storing it; every problem is named.

    Example: `contactsync config validate configuration.json`
    """
    from contactsync.sync.config import parse_configuration

    parse_configuration(_read(file))
    typer.echo("The configuration is valid.")


@app.command()
def put(
    file: ConfigurationFile,
    after_version: Annotated[
        int | None, typer.Option(help="Refuse when the version in force is another one (0: none is stored yet).")
    ] = None,
) -> None:
    """Check a configuration and store it as the next version; runs that have begun keep theirs.

    Example: `contactsync config put configuration.json --after-version 3`
    """
    from contactsync.services import Services
    from contactsync.sync.config import parse_configuration

    settings = parse_configuration(_read(file))
    configurations = Services.from_environment().configurations
    if after_version is None:
        try:
            after_version = configurations.latest_version()
        except ConfigurationMissingError:
            after_version = 0
    stored = configurations.store(settings, after_version=after_version, changed_by=getpass.getuser())
    typer.echo(f"Stored as version {stored.version}.")


def _read(file: Path) -> Any:  # noqa: ANN401 -- whatever JSON the file holds
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigurationInvalidError(problems=[f"{file} is not JSON: {error}"]) from None
