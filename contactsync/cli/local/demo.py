"""`contactsync demo` (`make run`): one contact change, from the management account into every member account."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final, Never

import typer
from rich.console import Console

from contactsync.cli.env_file import env_file
from contactsync.cli.local.end_signal import end_signal
from contactsync.cli.local.project import project_root
from contactsync.cli.screen.listing import window
from contactsync.contacts import ContactType
from contactsync.doc_links import VARIABLE, known_address
from contactsync.errors import OperationMissingError
from contactsync.isolation import isolate
from contactsync.local_airflow.airflow_settings import Database

if TYPE_CHECKING:
    from contactsync.cli.local.local_system import LocalSystem
    from contactsync.sandbox.scenario.scenario import Scenario

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells give it."""

LOG_TAIL: Final = 10
"""How many lines of a log are shown when a run failed before it had a report."""


def demo(
    *,
    accounts: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="The number of member accounts. [default: 25, or as in the scenario]"),
    ] = None,
    contact: Annotated[ContactType, typer.Option(help="The contact to change.")] = ContactType.SECURITY,
    scenario: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A scenario file for the sandbox (YAML, docs/sandbox.md)."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Stop everything after the report. Without it: at Ctrl-C.")
    ] = False,
    airflow_port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="The port of the Airflow UI; 0, or a port that is in use, means any free port."
        ),
    ] = 8080,
    database: Annotated[
        Database, typer.Option(help="The database of Airflow. SQLite serves one writer at a time.")
    ] = Database.POSTGRESQL,
) -> None:
    """Start the sandbox and Airflow, change a contact of the management account, and show how all accounts get it.

    The exit code is 1 if anything failed. Nothing is left running.

    Example: `contactsync demo --accounts 200 --contact primary --once`
    """
    # A shell that starts us in the background makes us ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    project_root()
    address = known_address()
    isolate()
    if address:  # it is used only in links to pages
        os.environ[VARIABLE] = address
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=window() is None)
    chosen = _scenario(scenario, accounts, contact)
    runs = Path.cwd() / ".run"
    runs.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="demo-", dir=runs))
    fine = False
    try:
        fine = _run(console, home, chosen, contact=contact, once=once, port=airflow_port, database=database)
    except KeyboardInterrupt:
        console.print("Stopped.")
        fine = True
        sys.exit(INTERRUPTED)
    finally:
        if fine:
            shutil.rmtree(home, ignore_errors=True)
        else:
            console.print(f"The logs of this run are in {home.relative_to(Path.cwd())}.")
    if not fine:
        sys.exit(1)


def _scenario(file: Path | None, accounts: int | None, contact: ContactType) -> "Scenario":
    """Read the scenario before anything is made, so that a mistake in it leaves nothing to remove."""
    from contactsync.cli.local.demo_change import demo_scenario
    from contactsync.cli.local.local_system import sandbox_errors

    with sandbox_errors():
        return demo_scenario(file, accounts=accounts, contact=contact)


def _run(
    console: Console,
    home: Path,
    chosen: "Scenario",
    *,
    contact: ContactType,
    once: bool,
    port: int,
    database: Database,
) -> bool:
    from contactsync.cli.local.demo_change import change_contact, demo_configuration
    from contactsync.cli.local.demo_notices import show_notices
    from contactsync.cli.local.demo_progress import follow_run
    from contactsync.cli.local.local_system import local_system, sandbox_errors

    with (
        sandbox_errors(),
        local_system(
            home,
            chosen,
            configuration=demo_configuration(chosen),
            airflow_port=port,
            database=database,
            tell=lambda text: console.print(f"· {text}"),
        ) as system,
        env_file(system.shell_environment, system.sandbox.endpoint_url) as file,
    ):
        console.print(
            f"· Airflow: {system.airflow.base_url}  user {system.airflow.username}  password {system.airflow.password}"
        )
        console.print(f"· Sandbox: {system.sandbox.endpoint_url}")
        console.print(f"· In another terminal:  . {file} && contactsync report")
        change_contact(contact)
        console.print(f"· Changed the {contact} contact of the management account with boto3")
        run_id, fine = follow_run(console, system)
        console.print()
        if run_id:
            _show_report(console, system, run_id)
            show_notices(console, system, run_id)
        if not once:
            console.print(f"\nAirflow keeps running at {system.airflow.base_url}. Press Ctrl-C to stop everything.")
            console.print(f"In another terminal:  . {file} && contactsync report")
            with end_signal() as wait_for_end:
                wait_for_end()
    return fine


def _show_report(console: Console, system: "LocalSystem", run_id: str) -> None:
    from contactsync.cli.local.local_system import DAG_ID
    from contactsync.cli.reports import report

    try:
        report(run_id)
    except OperationMissingError as error:
        console.print(str(error))
        lines = system.airflow.api.log(DAG_ID, run_id, "plan").splitlines()
        causes = [line for line in lines if "Error: " in line or " ERROR " in line] or lines
        console.print("\n".join(causes[-LOG_TAIL:]), soft_wrap=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> Never:
    raise KeyboardInterrupt
