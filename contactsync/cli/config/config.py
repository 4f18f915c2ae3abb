"""`contactsync config`: the configuration that operators change while the product runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from contactsync.cli.config.config_changes import check_with_organization, full, problem_per_line, short, store_changed
from contactsync.cli.config.config_files import assignments as read_assignments
from contactsync.cli.config.config_files import read_configuration
from contactsync.cli.screen.commands import CommandGroup
from contactsync.cli.screen.listing import LimitOption, Output, OutputOption, Row, flat, say, show_rows
from contactsync.errors import ConfigurationMissingError
from contactsync.plain_text import cell_text, json_shown
from contactsync.settings.groups import Group
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from contactsync.configuration.ports import StoredConfigurations
    from contactsync.configuration.versions import Difference, StoredVersion
    from contactsync.services.services import Services

DIFFERENT: Final = 3
"""The exit code when two versions differ."""

FULL: Final = ("field", "before", "after")

HISTORY: Final = Columns(
    ("version", "changed_at", "changed_by", "reason", "changed_fields"),
    drop=("changed_fields", "changed_by"),
    prose=("reason", "changed_fields"),
)

REASON_LENGTH: Final = 1000

READING: Final = (Group.CONFIGURATION,)
STORING: Final = (Group.CONFIGURATION, Group.STATE, Group.DEPLOYMENT, Group.BUS)

NOTHING_STORED: Final = "Nothing was stored."

app = CommandGroup("Show, check, change and compare versions of the configuration.")

ConfigurationFile = Annotated[
    Path,
    typer.Argument(
        exists=True,
        dir_okay=False,
        readable=True,
        allow_dash=True,
        help="A JSON file with the whole configuration; - means standard input.",
    ),
]


def _reason(text: str | None) -> str | None:
    if text and (len(text) > REASON_LENGTH or not text.isprintable()):
        raise typer.BadParameter(f"one line of at most {REASON_LENGTH} characters.")
    return text or None


ReasonOption = Annotated[
    str | None,
    typer.Option(help="Why you make this change; `config history` shows it.", show_default=False, callback=_reason),
]
VersionArgument = Annotated[int, typer.Argument(min=1, metavar="VERSION", help="The number of the earlier version.")]
FieldArgument = Annotated[
    str, typer.Argument(metavar="FIELD", help="The dotted key of a list: excluded_accounts, scope.exclude.tags.team.")
]
ValuesArgument = Annotated[
    list[str], typer.Argument(metavar="VALUE...", help="Account ids, organizational units or values of a tag.")
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Store without asking, even if the change takes protection away.")
]


@app.command("show")
def show(
    *,
    version: Annotated[
        int | None,
        typer.Option(
            min=1, help="The number of an earlier version. Without it: the version in force.", show_default=False
        ),
    ] = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Print the default values instead, without a call to AWS.")
    ] = False,
    output: OutputOption = Output.JSON,
) -> None:
    """Print a version of the configuration as JSON, with default values.

    On standard error: the number of the version, when it was stored, by whom and why.

    Example: `contactsync config show > configuration.json`
    """
    from contactsync.configuration.schema import Configuration
    from contactsync.services.services import Services

    if defaults and version is not None:
        raise typer.BadParameter("Name a version or --defaults, not both.")
    if defaults:
        configuration = Configuration()
    else:
        configurations = Services.from_environment(needs=READING).stored_configurations
        stored = configurations.newest() if version is None else configurations.stored(version)
        configuration = stored.configuration
        say(_described(stored), err=True)
    if output is Output.JSON:
        typer.echo(json_shown(configuration.model_dump_json(indent=2)))
    else:
        rows = ({"field": path, "value": value} for path, value in flat(configuration.model_dump(mode="json")))
        show_rows(Columns(("field", "value"), prose=("value",)), rows, output)


@app.command("init")
def init(*, reason: ReasonOption = "the first version: the defaults") -> None:
    """Store the default values as the first version; fails if a configuration is already stored.

    Example: `contactsync config init --reason "ticket 1"`
    """
    from contactsync.configuration.schema import Configuration
    from contactsync.errors import ConfigurationPresentError
    from contactsync.services.services import Services

    services = Services.from_environment(needs=STORING)
    before = _in_force(services)
    if before:
        raise ConfigurationPresentError(config_key=services.configurations.config_key, version=before.number)
    store_changed(services, None, Configuration(), reason, yes=True)
    say("See it with `contactsync config show`, change it with `contactsync config set`.", err=True)


@app.command("validate")
def validate(file: ConfigurationFile) -> None:
    """Check a configuration without storing it, and list every problem.

    Account ids, organizational units and tags that do not exist in the organization are listed as warnings, if AWS
    Organizations can be asked.

    Example: `contactsync config validate configuration.json`
    """
    from contactsync.configuration.schema import parse_configuration
    from contactsync.configuration.size import check_size

    with problem_per_line(""):
        configuration = parse_configuration(read_configuration(file))
        check_size(configuration)
    check_with_organization(configuration)
    say("The configuration is valid.")


@app.command("put")
def put(
    file: ConfigurationFile,
    after_version: Annotated[
        int | None, typer.Option(help="Store only if this version is in force (0: if none is stored yet).")
    ] = None,
    *,
    reason: ReasonOption = None,
    yes: YesOption = False,
) -> None:
    """Check a configuration and store it as the next version; runs that have already begun keep their version.

    Every field that changes is printed. A change that takes protection away (fewer excluded accounts, a wider scope,
    deletions without approval) must be confirmed: on a terminal you are asked, without one `--yes` is needed.

    Example: `contactsync config put configuration.json --after-version 3 --reason "exclude the payment accounts"`
    """
    from contactsync.configuration.schema import parse_configuration
    from contactsync.services.services import Services

    with problem_per_line(NOTHING_STORED):
        configuration = parse_configuration(read_configuration(file))
    services = Services.from_environment(needs=STORING)
    before = _in_force(services)
    store_changed(services, before, configuration, reason, yes=yes, after_version=after_version, even_equal=True)


@app.command("set")
def set_fields(
    assignments: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE...", help="A dotted key and its new value: JSON or a plain word.")
    ],
    *,
    reason: ReasonOption = None,
    yes: YesOption = False,
) -> None:
    """Change single fields of the configuration in force, and store the result as the next version.

    A value replaces the whole field, so a list needs all its entries; `config add` and `config remove` change single
    entries. If somebody else changes the configuration at the same time, nothing is stored. A change that takes
    protection away must be confirmed, as with `config put`.

    Example: `contactsync config set deletion.policy=ignore retry_config.max_attempts=5 --reason "ticket 7"`
    """
    from contactsync.configuration.versions import changed

    values = read_assignments(assignments)
    _change(lambda data: changed(data, values), reason, yes=yes)


@app.command("add")
def add(field: FieldArgument, values: ValuesArgument, *, reason: ReasonOption = None, yes: YesOption = False) -> None:
    """Add entries to a list of the configuration in force, and store the result as the next version.

    Example: `contactsync config add excluded_accounts 123456789012 --reason "ticket 7"`
    """
    from contactsync.configuration.versions import with_added

    _change(lambda data: with_added(data, field, values), reason, yes=yes)


@app.command("remove")
def remove(
    field: FieldArgument, values: ValuesArgument, *, reason: ReasonOption = None, yes: YesOption = False
) -> None:
    """Remove entries from a list of the configuration in force, and store the result as the next version.

    Example: `contactsync config remove excluded_accounts 123456789012 --reason "the account was closed"`
    """
    from contactsync.configuration.versions import with_removed

    _change(lambda data: with_removed(data, field, values), reason, yes=yes)


@app.command("history")
def history(*, limit: LimitOption = 20, output: OutputOption = Output.TABLE) -> None:
    """List the versions, newest first: when each was stored, by whom, why, and which fields it changed.

    Example: `contactsync config history --limit 5`
    """
    from contactsync.services.services import Services

    versions = list(Services.from_environment(needs=READING).stored_configurations.history(limit=limit + 1))
    rows = map(_history_row, versions[:limit], [*versions[1:], None])
    show_rows(HISTORY, rows, output)


@app.command("diff")
def diff(
    version: Annotated[str, typer.Argument(metavar="VERSION_OR_FILE", help="The number of a version, or a JSON file.")],
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION_OR_FILE]",
            help="What to compare it with. Without it: the version in force.",
            show_default=False,
        ),
    ] = None,
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compare two versions or files field by field; exit code 3 if they differ, 0 if they are equal.

    A single file is compared with the version in force, which shows what `config put` would change. For a list with
    more than ten entries, the table and CSV show only the entries that one of the two lacks.

    Example: `contactsync config diff 3 4`, `contactsync config diff configuration.json`
    """
    from contactsync.configuration.versions import differences
    from contactsync.services.services import Services

    sides: list[int | Path | None] = [_side(text) for text in (version, other) if text is not None]
    configurations = Services.from_environment(needs=READING).stored_configurations
    if len(sides) == 1:  # a file is shown as the later side, a version as the earlier one
        sides.insert(0 if isinstance(sides[0], Path) else 1, None)
    before, after = (_settings_of(configurations, side) for side in sides)
    changes = list(differences(before.data, after.data))
    columns = Columns(("field", before.name, after.name), prose=(before.name, after.name))
    if output is Output.JSON:
        show_rows(FULL, (dict(zip(FULL, full(one), strict=True)) for one in changes), output)
    elif changes or output is Output.CSV:
        show_rows(columns, (dict(zip(columns.names, short(one), strict=True)) for one in changes), output)
    if changes:
        raise typer.Exit(DIFFERENT)
    equal = (
        f"Versions {before.number} and {after.number}" if before.number and after.number else "The two configurations"
    )
    say(f"{equal} are equal.", err=True)


@app.command("rollback")
def rollback(version: VersionArgument, *, reason: ReasonOption = None, yes: YesOption = False) -> None:
    """Store the content of an earlier version as the next version.

    If that version is no longer valid, its problems are listed and nothing is stored. A change that takes protection
    away must be confirmed, as with `config put`.

    Example: `contactsync config rollback 3 --reason "version 4 excluded too much"`
    """
    from contactsync.services.services import Services

    services = Services.from_environment(needs=STORING)
    stored = services.configurations.newest()
    with problem_per_line(NOTHING_STORED):
        configuration = services.configurations.version(version).configuration
    why = f"rollback to version {version}{f': {reason}' if reason else ''}"
    store_changed(services, stored, configuration, why, yes=yes)


def _change(change: "Callable[[Mapping[str, Any]], dict[str, Any]]", reason: str | None, *, yes: bool) -> None:
    """Change the current configuration, and store it as the next version."""
    from contactsync.configuration.schema import parse_configuration
    from contactsync.services.services import Services

    services = Services.from_environment(needs=STORING)
    stored = services.configurations.newest()
    with problem_per_line(NOTHING_STORED):
        configuration = parse_configuration(change(stored.effective))
    store_changed(services, stored, configuration, reason, yes=yes)


def _in_force(services: "Services") -> "StoredVersion | None":
    try:
        return services.configurations.newest()
    except ConfigurationMissingError:
        return None


@dataclass(frozen=True)
class _Side:
    """One side of a comparison: a configuration as plain data, and the name of its column."""

    name: str
    data: "Mapping[str, Any]"
    number: int | None = None


def _side(text: str) -> int | Path:
    if text.isascii() and text.isdigit():
        if int(text) < 1:
            raise typer.BadParameter("versions count from 1.")
        return int(text)
    file = Path(text)
    if not file.is_file():
        raise typer.BadParameter(f"{text!r} is neither the number of a version nor a file.")
    return file


def _settings_of(configurations: "StoredConfigurations", side: int | Path | None) -> _Side:
    from contactsync.configuration.schema import parse_configuration

    if isinstance(side, Path):
        with problem_per_line(""):
            configuration = parse_configuration(read_configuration(side))
        return _Side(str(side), configuration.model_dump(mode="json"))
    stored = configurations.newest() if side is None else configurations.stored(side)
    return _Side(f"version {stored.number}", stored.effective, stored.number)


def _described(version: "StoredVersion") -> str:
    from contactsync.views.rows import as_text

    parts = [
        f"version {version.number}",
        f"stored {as_text(version.changed_at)}" if version.changed_at else None,
        f"by {version.changed_by}" if version.changed_by else None,
        f"({version.reason})" if version.reason else None,
    ]
    return cell_text(" ".join(filter(None, parts)))


def _history_row(version: "StoredVersion", earlier: "StoredVersion | None") -> Row:
    return {
        "version": version.number,
        "changed_at": version.changed_at,
        "changed_by": version.changed_by,
        "reason": version.reason,
        "changed_fields": [found.path for found in _differences(earlier, version)] if earlier else [],
    }


def _differences(before: "StoredVersion", after: "StoredVersion") -> list["Difference"]:
    from contactsync.configuration.versions import differences

    return list(differences(before.effective, after.effective))
