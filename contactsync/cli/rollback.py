"""`contactsync rollback`: an earlier release deployed again, or everything deleted."""

import os
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from contactsync.cli.deploy import (
    Answers,
    EnvironmentOption,
    InterruptOption,
    PreviewOption,
    ProfileOption,
    RegionOption,
    ReplacementOption,
    carry_out,
    stoppable,
)
from contactsync.cli.screen.listing import Output, say, show_rows, window
from contactsync.cli.screen.options import choose
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.deployment.records import Record
    from contactsync.deployment.release import Release
    from contactsync.deployment.target import Target
    from contactsync.services.deploying import Deploying

RELEASES: Final = Columns(("release", "version", "commit", "by", "complete", "present"), drop=("commit", "by"))
DELETED: Final = Columns(("stack", "action", "resource", "type"), drop=("type",))
STAYS: Final = Columns(("type", "command"), prose=("command",))
PROD: Final = "prod"


def rollback(  # noqa: PLR0913 -- a command's options
    context: typer.Context,
    *,
    environment: EnvironmentOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="RELEASE", help="The release to deploy again. Without it: the one before the present one."
        ),
    ] = None,
    show_list: Annotated[
        bool, typer.Option("--list", help="List the releases that were deployed, newest first, and do nothing.")
    ] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete all stacks. Tables, keys, buckets, logs and the secret stay.")
    ] = False,
    backup_data: Annotated[
        bool,
        typer.Option(
            "--backup-data",
            help="Save the tables before, into a folder of this directory, as `contactsync backup` does.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", "--yes", help="Do not ask; prod is deleted never unasked.")] = False,
    preview: PreviewOption = False,
    interrupt_runs: InterruptOption = False,
    allow_replacement: ReplacementOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Deploy an earlier release again, with the values that it had; or delete the deployment.

    Data are never rolled back: a release that cannot read today's data is refused.

    Example: `contactsync rollback --environment prod --list`
    """
    from contactsync.deployment.rollback import choose as chosen
    from contactsync.services.deploying import Deploying

    answers = Answers(preview, force, interrupt_runs, tuple(allow_replacement or ()))
    if not show_list:
        answers.check()
    environment = environment or context.obj
    if not environment:
        raise typer.BadParameter("--environment is needed: dev, staging or prod.")
    choose(os.environ, profile=profile, region=region)
    aws = Deploying.from_environment()
    records = _records(aws, environment)
    if show_list:
        _show(records)
    elif delete:
        _delete(aws, environment, records, answers, saves=backup_data)
    else:
        _deploy_again(aws, environment, chosen(records, to), answers, saves=backup_data)


def _records(aws: "Deploying", environment: str) -> "list[Record]":
    found = aws.records(environment)
    return found.all() if found else []


def _show(records: "list[Record]") -> None:
    present = next((one.release_id for one in records if one.is_complete), None)
    rows: list[dict[str, Any]] = [
        {
            "release": one.release_id,
            "version": one.version,
            "commit": one.commit[:12],
            "by": one.by,
            "complete": one.is_complete,
            "present": one.release_id == present,
        }
        for one in records
    ]
    show_rows(RELEASES, rows, Output.TABLE)


def _deploy_again(aws: "Deploying", environment: str, record: "Record", answers: Answers, *, saves: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="contactsync-") as scratch:
        release, target = _fetched(aws, environment, record, Path(scratch))
        carry_out(aws, release, target, answers, partial(_save, aws, target, wanted=saves))


def _save(aws: "Deploying", target: "Target", *, wanted: bool) -> None:
    from contactsync.clock import SystemClock

    if wanted:
        folder = Path(f"contactsync-{target.environment}-{SystemClock().now():%Y%m%dT%H%M%SZ}")
        number = aws.back_up(target, folder)
        say(f"{number} items of the tables are in {folder}, without the desired contacts.", err=True)


def _fetched(aws: "Deploying", environment: str, record: "Record", folder: Path) -> "tuple[Release, Target]":
    from contactsync.deployment.target import Target

    kept = aws.records(environment)
    if kept is None:  # it was there a moment ago
        raise typer.Exit(1)
    say(f"Fetching release {record.release_id}", err=True)
    target = Target(environment, aws.region, record.account, email=record.email, given=dict(record.given))
    return kept.fetch(record, folder), target


def _delete(aws: "Deploying", environment: str, records: "list[Record]", answers: Answers, *, saves: bool) -> None:
    """Show what is deleted and what stays, ask, and delete the stacks in reverse order."""
    from contactsync.cli.screen.deploy_progress import progress_on
    from contactsync.clock import SystemClock
    from contactsync.deployment.rollback import choose as chosen

    complete = [one for one in records if one.is_complete] or records
    record = complete[0] if complete else chosen(records, None)
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=window(sys.stderr) is None)
    progress = progress_on(console, SystemClock())
    with tempfile.TemporaryDirectory(prefix="contactsync-") as scratch:
        release, target = _fetched(aws, environment, record, Path(scratch))
        deployer = aws.deployer(release.templates, release, target, progress)
        removal = deployer.removal()
        stacks = removal.live()
        removal.check(stacks)
        show_rows(DELETED, [asdict(row) for row in removal.rows(stacks)], Output.TABLE)
        kept = removal.kept(stacks)
        if answers.only_preview:
            raise typer.Exit(3)
        _ask(environment, answers)
        _save(aws, target, wanted=saves)
        with stoppable(deployer), progress.shown():
            deployer.delete()
    say(f"Deleted. These {len(kept)} resources stay, with what they hold; remove them if nobody needs them any more:")
    show_rows(STAYS, [asdict(one) for one in kept], Output.TABLE)


def _ask(environment: str, answers: Answers) -> None:
    """Ask once; for prod its name must be typed, whatever the options say."""
    if environment == PROD:
        if typer.prompt(f"Type {PROD} to delete its stacks", err=True, default="", show_default=False) != PROD:
            say("Nothing was deleted.", err=True)
            raise typer.Exit(1)
    elif not (answers.yes or typer.confirm("Delete these stacks?", err=True)):
        say("Nothing was deleted.", err=True)
        raise typer.Exit(1)
