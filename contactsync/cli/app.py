"""The command contactsync: its groups, and how errors end it."""

import sys

import typer

from contactsync.cli import audit, config, dead_letters, demo, export, notices, operations, reports, sandbox
from contactsync.errors import ContactSyncError, Reader

app = typer.Typer(
    name="contactsync",
    help="Keeps the contacts of every AWS member account equal to those of the management account.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(config.app, name="config")
app.add_typer(operations.app, name="operations")
app.add_typer(operations.accounts_app, name="accounts")
app.add_typer(notices.app, name="notices")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(sandbox.app, name="sandbox")
app.command("report")(reports.report)
app.command("export")(export.export)
app.command("audit")(audit.audit)
app.command("demo")(demo.demo)


def main() -> None:
    """Run a command; exit codes: 0 fine, 1 failed (one sentence on stderr), 2 wrong usage, 3 differences found."""
    try:
        app()
    except ContactSyncError as error:
        sys.stderr.write(f"contactsync: {error.told(Reader.COMMAND)}\n")
        sys.exit(1)
