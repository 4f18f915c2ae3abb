"""`contactsync sync`, `watch` and `retry`: runs of the DAG contact_sync, started and followed from a terminal."""

import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from contactsync.cli.screen.listing import say, window
from contactsync.cli.screen.values import account_ids
from contactsync.contacts import ContactType
from contactsync.settings.groups import Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from contactsync.runs.runs import RunProgress, Runs

POLL: Final = 5.0
"""Seconds between two looks at a run: MWAA allows everyone together 10 calls a second, and Airflow's audit log gets a
line for each list of tasks."""
MOST_FAILURES: Final = 20
"""How many looks in a row may fail, for a cause that may pass, before `watch` gives up."""

RunArgument = Annotated[
    str | None, typer.Argument(metavar="[RUN_ID]", help="The id of a DAG run. Without it: the newest run.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Follow the run to its end; exit code 1 if it fails. Without it: return at once.")
]


def sync(
    *,
    contact_type: Annotated[
        list[ContactType] | None,
        typer.Option(help="A contact to synchronize; may be repeated. Without it: all that the configuration names."),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(metavar="ACCOUNT_ID", help="Only this account; may be repeated.", callback=account_ids),
    ] = None,
    ou: Annotated[
        list[str] | None,
        typer.Option(
            "--ou",
            metavar="UNIT",
            help="Only accounts in this organizational unit (ou-... or a path of names); may be repeated.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing to the accounts; the report says what would change.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why you start the run; stored with the sync operation.")] = None,
    wait: WaitOption = False,
) -> None:
    """Start a run of the DAG contact_sync, and print its id.

    With accounts and organizational units, all accounts in either of them are synchronized.

    Example: `contactsync sync --contact-type security --account 444455556666 --dry-run --wait`
    """
    runs = _runs()
    conf: dict[str, Any] = {
        "contact_types": [str(one) for one in contact_type or []],
        "accounts": account or [],
        "organizational_units": ou or [],
        "dry_run": dry_run,
    } | ({"reason": reason} if reason else {})
    run_id = _new_id()
    _check(conf, run_id)
    runs.start(run_id, conf)
    typer.echo(run_id)
    if wait:
        _follow(runs, run_id)
    else:
        say(f"Follow it with: contactsync watch {run_id}", err=True)


def watch(run: RunArgument = None) -> None:
    """Follow a run to its end; exit code 1 if it fails.

    Ctrl-C stops only the command, not the run.

    Example: `contactsync watch manual__2026-11-21T10:00:00+00:00`
    """
    runs = _runs()
    run_id = run or runs.newest()
    say(f"Run {run_id}", err=True)
    _follow(runs, run_id)


def retry(run: RunArgument = None, *, wait: WaitOption = False) -> None:
    """Run the failed tasks of a run again, and those that did not run because of them.

    This is what clearing the run with **only failed** selected does in Airflow. The accounts that have succeeded are
    left alone.

    Example: `contactsync retry manual__2026-11-21T10:00:00+00:00 --wait`
    """
    runs = _runs()
    run_id = run or runs.newest()
    cleared = Counter(runs.retry(run_id))
    if not cleared:
        say(f"Nothing of run {run_id} has failed, so nothing is run again.", err=True)
        return
    tasks = ", ".join(f"{number} {task}" for task, number in sorted(cleared.items()))
    say(f"Tasks of run {run_id} that run again: {tasks}.", err=True)
    if wait:
        _follow(runs, run_id)


def _runs() -> "Runs":
    from contactsync.services.services import Services

    return Services.from_environment(needs=[Group.AIRFLOW]).runs


def _new_id() -> str:
    """Return an id like Airflow's own for runs by hand; known before the call, so that repeating it is harmless."""
    from contactsync.clock import SystemClock

    return f"manual__{SystemClock().now():%Y-%m-%dT%H:%M:%S}_{secrets.token_hex(3)}"


def _check(conf: dict[str, Any], run_id: str) -> None:
    """Raise RunRequestError for what the run's task `plan` would refuse."""
    from contactsync.intake.request import parse_request

    parse_request(conf, conf, dag_run_id=run_id, triggered_by="", management_account="")


def _follow(runs: "Runs", run_id: str) -> None:
    from contactsync.cli.screen.run_progress import follow

    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=window() is None)
    run = follow(console, _patient(lambda: runs.progress(run_id)), poll=POLL)
    say(f"The run ended: {run.state}. See every account with: contactsync report {run_id}", err=True)
    if run.state != "success":
        raise typer.Exit(1)


def _patient(look: "Callable[[], RunProgress]") -> "Callable[[], RunProgress]":
    """Return a look that repeats itself while a cause lasts that may pass, such as AWS's throttling.

    An Airflow that has never answered is more likely at another address.
    """
    from contactsync.errors import AirflowSilentError, ContactSyncError

    has_answered = False

    def seen() -> "RunProgress":
        nonlocal has_answered
        progress = look()
        has_answered = True
        return progress

    def repeated() -> "RunProgress":
        for _ in range(MOST_FAILURES - 1):
            try:
                return seen()
            except ContactSyncError as error:
                if not error.retryable or (isinstance(error, AirflowSilentError) and not has_answered):
                    raise
                say(f"{error} Looking again.", err=True)
                time.sleep(POLL)
        return look()

    return repeated
