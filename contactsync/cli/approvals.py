"""`contactsync approvals`: the runs that wait for a person before they delete contacts, and the person's answer."""

import sys
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from contactsync.cli.screen.commands import CommandGroup
from contactsync.cli.screen.listing import Output, OutputOption, say, show_rows
from contactsync.errors import AccessDeniedError, AirflowRefusedError, AirflowSilentError, Reader
from contactsync.settings.groups import Group
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.runs.approvals import Answer
    from contactsync.services.services import Services

IN_AIRFLOW: Final = 4
"""The exit code when this machine cannot answer, and the person has to do it in Airflow."""

COLUMNS: Final = Columns(("run_id", "asked", "subject"), drop=("asked",))

app = CommandGroup("Show the runs that wait before they delete contacts, and answer them.")

RunArgument = Annotated[str, typer.Argument(metavar="RUN_ID", help="The id of the run, as `approvals list` shows it.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again. Needed without a terminal.")]


@app.command("list", epilog="Example: contactsync approvals list -o json")
def list_approvals(output: OutputOption = Output.TABLE) -> None:
    """List the runs that wait for an answer, oldest first.

    JSON has the whole question too, with the accounts and the time by which to answer.
    """
    questions = _services().approvals.waiting()
    rows = (
        {"run_id": one.run_id, "asked": one.asked, "subject": one.subject, "question": one.body} for one in questions
    )
    show_rows(COLUMNS, rows, output)


@app.command("approve")
def approve(run: RunArgument, *, yes: YesOption = False) -> None:
    """Show the question of a run, and approve it: the contacts are then deleted in the member accounts.

    If the management account has the contact again by then, nothing is deleted. The exit code is 4 if only Airflow's
    own page can answer; the command then says where that is.

    Example: `contactsync approvals approve 5830ca16-0051-41b8-adea-f81145261771`
    """
    from contactsync.runs.approvals import Answer

    _answer(run, Answer.APPROVE, "approved", yes=yes)


@app.command("reject")
def reject(run: RunArgument, *, yes: YesOption = False) -> None:
    """Show the question of a run, and reject it: nothing is deleted.

    The exit code is 4 if only Airflow's own page can answer; the command then says where that is.

    Example: `contactsync approvals reject 5830ca16-0051-41b8-adea-f81145261771 --yes`
    """
    from contactsync.runs.approvals import Answer

    _answer(run, Answer.REJECT, "rejected", yes=yes)


def _answer(run: str, answer: "Answer", done: str, *, yes: bool) -> None:
    services = _services()
    question = services.approvals.of(run)
    say(f"{question.subject}\n\n{question.body}\n", err=True)
    _confirm(answer, yes=yes)
    try:
        services.answers.answer(run, answer)
    except (AccessDeniedError, AirflowRefusedError, AirflowSilentError) as error:
        if services.settings.airflow.url is not None:
            raise
        _send_to_airflow(services, run, error.sentence_for(Reader.COMMAND))
    say(f"Run {run} is {done}. Follow it with: contactsync watch {run}", err=True)


def _confirm(answer: "Answer", *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        message = "there is no terminal to ask on: add --yes to answer without being asked."
        raise typer.BadParameter(message)
    if not typer.confirm(f"{answer}?", err=True):
        say("Nothing was answered.", err=True)
        raise typer.Exit(1)


def _send_to_airflow(services: "Services", run: str, why: str) -> NoReturn:
    """Say where Airflow's own page is; people reach it through the console, with other permissions and networks."""
    from contactsync.own_variables import value_of

    trigger = services.settings.trigger
    url = value_of("CONTACTSYNC_AIRFLOW_URL")
    where = (
        f"{url.rstrip('/')}/dags/contact_sync/runs/{run}"
        if url
        else f"the Airflow UI of {trigger.mwaa_environment}, from the MWAA console in {trigger.mwaa_region}"
    )
    say(f"contactsync: {why}", err=True)
    say(f"Nothing was answered. Answer in Airflow, under Required Actions of run {run}: {where}", err=True)
    raise typer.Exit(IN_AIRFLOW)


def _services() -> "Services":
    from contactsync.services.services import Services

    return Services.from_environment(needs=[Group.AIRFLOW])
