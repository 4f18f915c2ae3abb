"""`contactsync config`: the configuration that operators change while the product runs."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from contactsync.cli.listing import LimitOption, Output, OutputOption, Row, flat, show_rows
from contactsync.errors import ConfigurationInvalidError, ConfigurationMissingError
from contactsync.settings import Group

if TYPE_CHECKING:
    from contactsync.services import Services
    from contactsync.sync.config import Configuration
    from contactsync.sync.configuration_versions import Difference, StoredVersion

DIFFERENT: Final = 3
"""The exit code when two versions differ."""

FULL: Final = ("field", "before", "after")

PLAIN_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_:./-]*")
"""Text that `config set` takes without JSON's quotes."""

REASON_LENGTH: Final = 1000

READING: Final = (Group.CONFIGURATION,)
STORING: Final = (Group.CONFIGURATION, Group.STATE, Group.DEPLOYMENT, Group.BUS)

app = typer.Typer(help="Show, check, change and compare versions of the configuration.", no_args_is_help=True)

ConfigurationFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A JSON file with the whole configuration.")
]


def _reason(text: str | None) -> str | None:
    if text and (len(text) > REASON_LENGTH or not text.isprintable()):
        raise typer.BadParameter(f"one line of at most {REASON_LENGTH} characters.")
    return text or None


ReasonOption = Annotated[str | None, typer.Option(help="Why, for the history.", show_default=False, callback=_reason)]
VersionArgument = Annotated[int, typer.Argument(min=1, metavar="VERSION")]


@app.command()
def show(
    *,
    version: Annotated[
        int | None, typer.Option(min=1, help="An earlier version instead of the one in force.", show_default=False)
    ] = None,
    output: OutputOption = Output.JSON,
) -> None:
    """Print a configuration as JSON, defaults included, and on stderr its version, when it was stored, by whom and why.

    Example: `contactsync config show > configuration.json`
    """
    from contactsync.services import Services

    configurations = Services.from_environment(needs=READING).stored_configurations
    stored = configurations.newest() if version is None else configurations.stored(version)
    settings = stored.settings
    typer.echo(_described(stored), err=True)
    if output is Output.JSON:
        typer.echo(settings.model_dump_json(indent=2))
    else:
        rows = ({"field": path, "value": value} for path, value in flat(settings.model_dump(mode="json")))
        show_rows(("field", "value"), rows, output)


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
    reason: ReasonOption = None,
) -> None:
    """Check a configuration and store it as the next version; runs that have begun keep theirs.

    Example: `contactsync config put configuration.json --after-version 3 --reason "exclude the payment accounts"`
    """
    from contactsync.services import Services
    from contactsync.sync.config import parse_configuration

    settings = parse_configuration(_read(file))
    services = Services.from_environment(needs=STORING)
    if after_version is None:
        try:
            after_version = services.configurations.latest_version()
        except ConfigurationMissingError:
            after_version = 0
    typer.echo(f"{_store(services, settings, after_version, reason)}.")


@app.command("set")
def set_fields(
    assignments: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE...", help="Dotted keys; values are JSON, or plain words.")
    ],
    *,
    reason: ReasonOption = None,
) -> None:
    """Change single fields of the configuration in force and store that as the next version.

    A value replaces the whole field, so a list is given complete. Nothing is stored when somebody else has changed the
    configuration meanwhile.

    Example: `contactsync config set deletion.policy=propagate excluded_accounts='["123456789012"]' --reason "ticket 7"`
    """
    from contactsync.services import Services
    from contactsync.sync.config import parse_configuration
    from contactsync.sync.configuration_versions import changed

    values = _assignments(assignments)
    services = Services.from_environment(needs=STORING)
    stored = services.configurations.newest()
    _store_changed(services, stored, parse_configuration(changed(stored.effective, values)), reason)


@app.command()
def history(*, limit: LimitOption = 20, output: OutputOption = Output.TABLE) -> None:
    """List the versions, newest first: when each was stored, by whom, why, and which fields it changed.

    Example: `contactsync config history --limit 5`
    """
    from contactsync.services import Services

    versions = list(Services.from_environment(needs=READING).stored_configurations.history(limit=limit + 1))
    rows = map(_history_row, versions[:limit], [*versions[1:], None])
    show_rows(("version", "changed_at", "changed_by", "reason", "changed_fields"), rows, output)


@app.command()
def diff(
    version: VersionArgument,
    other: Annotated[int | None, typer.Argument(min=1, help="Else the one in force.", show_default=False)] = None,
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compare two versions field by field; exit code 3 when they differ, 0 when they do not.

    Of a list, the table and CSV show the elements that only one of the two versions has.

    Example: `contactsync config diff 3 4`
    """
    from contactsync.services import Services

    configurations = Services.from_environment(needs=READING).stored_configurations
    before = configurations.stored(version)
    after = configurations.newest() if other is None else configurations.stored(other)
    found = _differences(before, after)
    columns = ("field", f"version {before.number}", f"version {after.number}")
    if output is Output.JSON:
        show_rows(FULL, (dict(zip(FULL, _full(one), strict=True)) for one in found), output)
    elif found or output is Output.CSV:
        show_rows(columns, (dict(zip(columns, _short(one), strict=True)) for one in found), output)
    if found:
        raise typer.Exit(DIFFERENT)
    typer.echo(f"Versions {before.number} and {after.number} are equal.", err=True)


@app.command()
def rollback(version: VersionArgument, *, reason: ReasonOption = None) -> None:
    """Store the settings of an earlier version as the next version.

    A version that is not valid any more is refused with its problems.

    Example: `contactsync config rollback 3 --reason "version 4 excluded too much"`
    """
    from contactsync.services import Services

    services = Services.from_environment(needs=STORING)
    stored = services.configurations.newest()
    settings = services.configurations.version(version).settings
    _store_changed(services, stored, settings, f"rollback to version {version}{f': {reason}' if reason else ''}")


def _store_changed(
    services: "Services", stored: "StoredVersion", settings: "Configuration", reason: str | None
) -> None:
    """Store settings after the version that they were made from, unless they are the same."""
    from contactsync.sync.configuration_versions import differences

    paths = [found.path for found in differences(stored.effective, settings.model_dump(mode="json"))]
    if paths:
        typer.echo(f"{_store(services, settings, stored.number, reason)}: {', '.join(paths)}.")
    else:
        typer.echo(f"Nothing changes: version {stored.number} stays in force.")


def _store(services: "Services", settings: "Configuration", after_version: int, reason: str | None) -> str:
    stored = services.configuration_changes.store(
        settings, after_version=after_version, changed_by=author(services), reason=reason
    )
    return f"Stored as version {stored.version}"


def author(services: "Services") -> str:
    """Return the AWS caller's ARN, with the user of this machine where the ARN does not name them."""
    arn, user = services.caller.arn(), _user()
    return arn if user in {None, arn.rpartition("/")[2]} else f"{arn} ({user})"


def _user() -> str | None:
    import getpass

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # containers may run as a user without a name
        return None


def _described(version: "StoredVersion") -> str:
    from contactsync.sync.rows import as_text

    parts = [
        f"version {version.number}",
        f"stored {as_text(version.changed_at)}" if version.changed_at else None,
        f"by {version.changed_by}" if version.changed_by else None,
        f"({version.reason})" if version.reason else None,
    ]
    return " ".join(filter(None, parts))


def _history_row(version: "StoredVersion", earlier: "StoredVersion | None") -> Row:
    return {
        "version": version.number,
        "changed_at": version.changed_at,
        "changed_by": version.changed_by,
        "reason": version.reason,
        "changed_fields": [found.path for found in _differences(earlier, version)] if earlier else [],
    }


def _differences(before: "StoredVersion", after: "StoredVersion") -> list["Difference"]:
    from contactsync.sync.configuration_versions import differences

    return list(differences(before.effective, after.effective))


def _full(found: "Difference") -> tuple[Any, ...]:
    from contactsync.sync.configuration_versions import MISSING

    return (found.path, *(None if value is MISSING else value for value in (found.before, found.after)))


def _short(found: "Difference") -> tuple[str, ...]:
    """Return a difference's cells: JSON, without the elements that both lists have."""
    path, before, after = _full(found)
    if isinstance(before, list) and isinstance(after, list):
        only_before, only_after = _without(before, after), _without(after, before)
        if only_before or only_after:
            before, after = only_before, only_after
    return path, json.dumps(before), json.dumps(after)


def _without(parts: list[Any], others: list[Any]) -> list[Any]:
    known = set(map(json.dumps, others))
    return [part for part in parts if json.dumps(part) not in known]


def _assignments(texts: list[str]) -> list[tuple[str, Any]]:
    values = [_assignment(text) for text in texts]
    keys = [key for key, _ in values]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice:
        raise typer.BadParameter(f"{twice} is given twice.")
    return values


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE.")
    if PLAIN_WORD.fullmatch(value) and value not in {"true", "false", "null", "NaN", "Infinity"}:
        return key, value
    try:
        return key, _json(value)
    except ValueError as error:
        raise typer.BadParameter(f"The value of {key} is not JSON ({error}); text needs quotes: '\"text\"'.") from None


def _read(file: Path) -> Any:  # noqa: ANN401 -- whatever JSON the file holds
    try:
        return _json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationInvalidError(problems=[f"{file} is not JSON: {error}"]) from None


def _json(text: str) -> Any:  # noqa: ANN401 -- as _read
    """Read JSON; raise ValueError also for keys that stand there twice, of which json would take the last."""
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return found
