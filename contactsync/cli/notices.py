"""`contactsync notices`: which notices there are, what they look like, and how those of an operation were delivered."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from contactsync.cli.operations import operation_named
from contactsync.cli.screen.commands import CommandGroup
from contactsync.cli.screen.listing import Output, OutputOption, show_rows, write_text
from contactsync.cli.screen.values import NameArgument, completed, one_of
from contactsync.settings.groups import Group
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.notices.scenarios import Scenario

app = CommandGroup("List and preview notices, and show how they were delivered.")

ALIASES: Final = {"success": "success_completion"}

COLUMNS: Final = Columns(("scenario", "severity", "switch", "when"), drop=("switch",), prose=("when",))
DELIVERY_COLUMNS: Final = Columns(
    ("scenario", "priority", "requested_at", "channel", "status", "code", "at", "notice_id"),
    drop=("requested_at", "notice_id", "priority", "at", "code"),
)


class PreviewFormat(StrEnum):
    """The forms of a notice."""

    TEXT = "text"
    JSON = "json"
    CHAT = "chat"
    SMS = "sms"
    ALL = "all"


def _scenario(text: str) -> str:
    """Return the scenario of a name or an alias; raise BadParameter, with all names, for any other text."""
    from contactsync.notices.scenarios import Scenario

    return one_of(ALIASES.get(text, text), Scenario)


def _scenarios() -> list[str]:
    from contactsync.notices.scenarios import Scenario

    return list(Scenario)


@app.command("list")
def list_scenarios(*, output: OutputOption = Output.TABLE) -> None:
    """List the notice scenarios: default severity, switch in notification_settings, and when the notice is sent.

    Example: `contactsync notices list`
    """
    from contactsync.notices.scenarios import DEFAULT_SEVERITIES, SWITCHES, WHEN, Scenario

    rows = (
        {"scenario": one, "severity": DEFAULT_SEVERITIES[one], "switch": SWITCHES.get(one), "when": WHEN[one]}
        for one in Scenario
    )
    show_rows(COLUMNS, rows, output)


@app.command("deliveries")
def deliveries(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """List the notices of an operation or run, with the result of each channel.

    A notice that still waits has no channel yet. A notice of priority info is sent to nobody. For a run of another DAG,
    write DAG_ID#RUN_ID.

    Example: `contactsync notices deliveries manual__2026-11-21T10:00:00+00:00`
    """
    from contactsync.operations.operation import sync_id_of
    from contactsync.services.services import Services

    services = Services.from_environment(needs=[Group.STATE])
    requests = services.notice_store
    # A run whose plan failed has notices and no operation; an operation's own id is no run's.
    deliveries = [*requests.deliveries(sync_id_of(name)), *requests.deliveries(name)]
    if not deliveries:
        operation_named(services, name)
    show_rows(DELIVERY_COLUMNS, deliveries, output)


@app.command("preview")
def preview(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO",
            help="A scenario that `contactsync notices list` shows.",
            callback=_scenario,
            autocompletion=completed(_scenarios),
        ),
    ],
    *,
    preview_format: Annotated[
        PreviewFormat,
        typer.Option("--output", "-o", help="The form of the notice. text is for e-mail, chat for Slack and Teams."),
    ] = PreviewFormat.TEXT,
) -> None:
    """Print a notice with sample data; nothing is sent, and no AWS account is needed.

    Example: `contactsync notices preview permission_errors -o all`
    """
    from contactsync.doc_links import known_address
    from contactsync.notices.notice import with_doc_links
    from contactsync.notices.preview import all_forms, previewed
    from contactsync.notices.routing import NoticeForm
    from contactsync.notices.samples import sample

    notice = with_doc_links(sample(_named(scenario)), known_address())
    if preview_format is PreviewFormat.ALL:
        write_text("\n".join(all_forms(notice)))
    else:
        write_text([previewed(notice, NoticeForm(preview_format))])


def _named(scenario: str) -> "Scenario":
    from contactsync.notices.scenarios import Scenario

    return Scenario(scenario)
