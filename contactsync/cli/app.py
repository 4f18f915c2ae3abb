"""The command contactsync: its groups, and what it does with errors."""

import contextlib
import errno
import importlib.metadata
import logging
import os
import sys
from typing import Annotated, Final

import typer

from contactsync.cli import (
    approvals,
    audit,
    backup,
    dead_letters,
    deploy,
    events,
    export,
    notices,
    operations,
    package,
    reports,
    rollback,
    runs,
    state,
    validate,
)
from contactsync.cli.config import config
from contactsync.cli.deployment import env, find_settings
from contactsync.cli.doctor import doctor
from contactsync.cli.local import demo, sandbox
from contactsync.cli.local.project import packages_missing
from contactsync.cli.screen import terminal
from contactsync.cli.screen.commands import CUT_OFF, CommandGroup
from contactsync.cli.screen.completion import complete_at_first_tab
from contactsync.cli.screen.listing import folded, window
from contactsync.cli.screen.options import choose, log_calls
from contactsync.doc_links import linked
from contactsync.errors import ContactSyncError, Reader
from contactsync.plain_text import printable

log = logging.getLogger(__name__)

HELP: Final = frozenset({"-h", "--help"})
"""With one of these nothing is asked of AWS."""

WITHOUT_STACKS: Final = frozenset({"deploy", "doctor", "rollback", "validate"})
"""Commands for which the stacks of an environment need not be there."""

EXIT_CODES: Final = (
    "Exit codes: 0 success, 1 failure (a sentence on standard error says why), 2 wrong usage, 3 differences found "
    "(`config diff`, `deploy --preview`), 4 only Airflow's own page can answer (`approvals`), 130 stopped by Ctrl-C, "
    "141 the program that read the output has ended."
)

app = CommandGroup(
    "Keeps the contacts of every AWS member account equal to those of the management account.",
    name="contactsync",
    epilog=EXIT_CODES,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(wanted: bool) -> None:  # noqa: FBT001 -- typer calls it with the option's value
    if wanted:
        typer.echo(f"contactsync {importlib.metadata.version('contactsync')}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    *,
    profile: Annotated[
        str | None,
        typer.Option(help="The AWS profile to use instead of the credentials in the environment.", show_default=False),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="The AWS region of the deployment, instead of the one in the environment.", show_default=False
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The deployment's environment, such as prod: settings that are not set are found in its stacks.",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Log calls to AWS, without their contents, and where an error came from.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take what holds for every command."""
    del version
    if debug:
        log_calls()
    choose(os.environ, profile=profile, region=region)
    context.obj = environment
    if environment is not None and context.invoked_subcommand not in WITHOUT_STACKS and not HELP & set(sys.argv):
        find_settings(environment, os.environ)


app.add_typer(config.app, name="config")
app.add_typer(operations.app, name="operations")
operations.accounts_app.command("state")(state.state)
app.add_typer(operations.accounts_app, name="accounts")
app.add_typer(notices.app, name="notices")
app.add_typer(approvals.app, name="approvals")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(events.app, name="events")
app.add_typer(sandbox.app, name="sandbox")
app.command("sync")(runs.sync)
app.command("watch")(runs.watch)
app.command("retry")(runs.retry)
app.command("report")(reports.report)
app.command("export")(export.export)
app.command("audit")(audit.audit)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("env")(env)
app.command("validate")(validate.validate)
app.command("doctor")(doctor)
app.command("package")(package.package)
app.command("deploy")(deploy.deploy)
app.command("rollback")(rollback.rollback)
app.command("demo")(demo.demo)


def main() -> None:
    """Run a command; exit codes: 0 fine, 1 failed (one sentence on stderr), 2 wrong usage, 3 differences found.

    When the reader of a pipe has gone, it ends without a message, with 141.
    """
    terminal.prepare()
    complete_at_first_tab()
    try:
        code = _run()
        terminal.flush()
    except ContactSyncError as error:
        log.debug("The command failed.", exc_info=True)
        code = _failed(error.sentence_for(Reader.COMMAND))
    except ModuleNotFoundError as error:
        missing = packages_missing(error)
        if missing is None:
            raise
        code = _failed(str(missing))
    except OSError as error:
        terminal.give_up_output()
        if terminal.is_closed_pipe(error):
            sys.exit(CUT_OFF)
        code = _failed(f"{error.filename or 'the output'} cannot be used: {error.strerror or error}.")
    sys.exit(code)


def _run() -> str | int | None:
    """Return the command's exit code; raise BrokenPipeError again, which typer turns into an exit code."""
    try:
        app()
    except SystemExit as ended:
        if terminal.is_closed_pipe(ended.__context__):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
        return ended.code
    return 0


def _failed(sentence: str) -> int:
    if sys.stderr:
        with contextlib.suppress(OSError):
            sys.stderr.write(folded(linked(printable(f"contactsync: {sentence}")), window(sys.stderr)) + "\n")
    return 1
