"""`contactsync events`: publishing events of the audit trail again."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from contactsync.cli.screen.commands import CommandGroup
from contactsync.cli.screen.listing import Output, OutputOption, Row, say, show_rows
from contactsync.cli.screen.periods import FORMS, UntilOption, start_of
from contactsync.cli.screen.progress import counted
from contactsync.errors import ContactSyncError
from contactsync.settings.groups import Group
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.bus.audit import AuditEntry
    from contactsync.bus.replay import Fate, Position, Replayer, ReplayOrder

app = CommandGroup("Publish events of the audit trail again.")

COLUMNS: Final = Columns(("event_type", "fate", "events"), drop=())
NEEDS: Final = (Group.AUDIT, Group.BUS, Group.DEAD_LETTERS, Group.DEPLOYMENT)

PROGRESS_STEP: Final = 10
"""Events between two updates of the progress."""
SHOWN: Final = 5
"""How many of the events that were not sent are named."""


@app.command("replay")
def replay(  # noqa: PLR0913 -- one option per part of the order
    *,
    since: Annotated[
        datetime, typer.Option("--since", parser=start_of, metavar="TIME", help=f"Start of the period: {FORMS}.")
    ],
    reason: Annotated[str, typer.Option(help="Why you do this; stored in the audit trail.")],
    until: UntilOption = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Only events whose type is or begins with this; may be repeated."),
    ] = None,
    subscriber: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Send only to this subscriber's queue: audit, notices, or your own. Without it: to all.",
        ),
    ] = None,
    older: Annotated[
        bool, typer.Option("--older", help="Also events that the --subscriber may handle a second time; never notices.")
    ] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="Send at most this many events per second.")] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Publish the audit trail's events of a period again, oldest first, with their old ids.

    A subscriber ignores an event that it has handled in the last 35 days; older events are refused, except with
    `--older`. If a replay is interrupted, the command prints how to continue.

    Example: `contactsync events replay --since 2d --type contactsync.account. --reason "the topic is new" --dry-run`
    """
    from contactsync.bus.dead_letters.pace import RedrivePace
    from contactsync.bus.replay import Position, ReplayOrder
    from contactsync.cli.config.config_changes import author
    from contactsync.services.services import Services

    if not math.isfinite(rate):
        raise typer.BadParameter("--rate must be a number of events per second.")
    if not reason.strip():
        raise typer.BadParameter("--reason must not be empty.")
    services = Services.from_environment(needs=NEEDS)
    end = until or services.clock.now()
    if since >= end:
        raise typer.BadParameter("--until must be later than --since.")
    order = ReplayOrder(
        since=since,
        until=end,
        by=author(services),
        reason=reason,
        types=tuple(types or ()),
        subscriber=subscriber,
        older=older,
        dry_run=dry_run,
    )
    _say_filters(services.replayer, order)
    position, pace = Position(since), RedrivePace(services.clock, rate)
    replayed = _Replayed()
    try:
        with closing(services.replayer.replay(order, pace, position)) as events:
            for fate, entry in counted(events, "{} events handled".format, step=PROGRESS_STEP):
                replayed.add(fate, entry)
    finally:
        if replayed.counts:
            show_rows(COLUMNS, replayed.rows(), output)
        _say_end(order, position, replayed)
        if replayed.sent > 1:
            say(f"{replayed.sent} events sent, {pace.reached:.3g} a second (--rate {rate:g}).", err=True)
    if not replayed.counts:
        say("The audit trail has no such event.", err=True)
    if replayed.is_incomplete:
        raise typer.Exit(1)


class _Replayed:
    """The number of events by type and fate, and the names of those that could not be sent."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.unsent: list[str] = []

    def add(self, fate: "Fate", entry: "AuditEntry") -> None:
        from contactsync.bus.replay import Fate

        self.counts[entry.event_type, str(fate)] += 1
        if fate in {Fate.REFUSED, Fate.INCOMPLETE}:
            self.unsent.append(f"{entry.event_id} ({fate})")

    @property
    def sent(self) -> int:
        return sum(number for (_, fate), number in self.counts.items() if fate == "sent")

    @property
    def is_incomplete(self) -> bool:
        return bool(self.unsent)

    def rows(self) -> Iterator[Row]:
        for (event_type, fate), number in sorted(self.counts.items()):
            yield {"event_type": event_type, "fate": fate, "events": number}


def _say_filters(replayer: "Replayer", order: "ReplayOrder") -> None:
    """Print the filter policies of a subscriber, because a replay into its queue does not apply them."""
    from contactsync.bus.replay import WANTED

    if order.subscriber is None or order.subscriber in WANTED or order.subscriber not in replayer.queues.subscribers:
        return  # no subscriber, one whose filter is applied anyway, or an order that is refused
    try:
        policies = replayer.queues.filter_policies(order.subscriber)
    except ContactSyncError as error:
        say(f"The filter policy of {order.subscriber} could not be read, and is not applied: {error}", err=True)
        return
    for policy in policies:
        say(
            f"The filter policy of {order.subscriber} is not applied: {policy}. To send only the types that the policy "
            "lets through, use --type.",
            err=True,
        )


def _say_end(order: "ReplayOrder", position: "Position", replayed: _Replayed) -> None:
    """Print which events were not sent, and how to continue when the replay was interrupted."""
    if replayed.unsent:
        more = f" and {len(replayed.unsent) - SHOWN} more" if len(replayed.unsent) > SHOWN else ""
        say(f"Not sent: {', '.join(replayed.unsent[:SHOWN])}{more}.", err=True)
    if position.begun and not position.complete:
        say(
            f"The replay did not finish. Continue with --since {position.reached.isoformat()} --until "
            f"{order.until.isoformat()} and the same other options.",
            err=True,
        )
