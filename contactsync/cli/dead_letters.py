"""`contactsync dead-letters`: what could not be delivered or handled, why, and what to do with it."""

import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from contactsync.cli.screen.commands import CommandGroup
from contactsync.cli.screen.listing import (
    Output,
    OutputOption,
    Row,
    flat,
    json_array,
    say,
    show_facts,
    show_rows,
    write_text,
)
from contactsync.cli.screen.progress import counted
from contactsync.cli.screen.values import completed
from contactsync.settings.groups import Group
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.bus.dead_letters.handling import Done, LetterFacts, LetterOrder
    from contactsync.services.services import Services

app = CommandGroup("List, show, redrive and discard dead letters.")

COLUMNS: Final = Columns(
    ("queue", "message_id", "sent", "age", "event_id", "event_type", "redriven", "code", "reason"),
    drop=("sent", "event_id", "event_type", "reason", "age", "redriven", "code"),
    prose=("reason",),
)
NEEDS: Final = (Group.DEAD_LETTERS, Group.AUDIT, Group.STATE, Group.DEPLOYMENT)

DONE_COLUMNS: Final = Columns(
    ("step", "message_id", "event_id", "event_type", "code"), drop=("event_type", "event_id", "code")
)

DONE_STEP: Final = 10
"""How many messages are handled between two updates of the progress; few, because each takes its time."""


def _queues() -> list[str]:
    """Return the names of the queues; an empty list when the settings are missing."""
    from contactsync.errors import SettingsError
    from contactsync.settings.settings import Settings

    try:
        return [*Settings(os.environ).dead_letters.queues, "outbox"]
    except SettingsError:
        return []


QueueArgument = Annotated[
    str,
    typer.Argument(
        metavar="QUEUE",
        help="audit, notices, rule, trigger, outbox, or one of your own.",
        autocompletion=completed(_queues),
    ),
]
IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[MESSAGE_ID]...", help="Ids as `dead-letters list` shows them.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Take all messages of the queue.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]


@app.command("list")
def list_letters(
    queue: Annotated[
        str | None,
        typer.Argument(
            metavar="[QUEUE]", help="Only this queue. Without it: all queues.", autocompletion=completed(_queues)
        ),
    ] = None,
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the messages of one or all dead-letter queues, with the reason why each is there.

    Example: `contactsync dead-letters list audit`
    """
    from contactsync.services.services import Services

    services = Services.from_environment(needs=NEEDS)
    queues = [queue] if queue else services.dead_letter_queues.names
    # Counted first, because reading the messages makes them invisible too.
    others = {name: services.dead_letter_queues.counts(name).in_flight for name in queues}
    listed = dict.fromkeys(queues, 0)
    show_rows(COLUMNS, _rows(services, listed), output)
    for name, number in listed.items():
        say(f"{name}: {_counted(number, others[name])}.", err=True)


@app.command("show")
def show(
    queue: QueueArgument,
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="An id as `dead-letters list` shows it.")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show one whole message; everything that could be a contact value is masked.

    Example: `contactsync dead-letters show rule 059f36b4-87a3-44ab-83d2-661975040000`
    """
    from contactsync.services.services import Services

    letter = Services.from_environment(needs=NEEDS).dead_letters.show(queue, message_id)
    if output is Output.JSON:
        write_text(json_array([letter]))
    elif output is Output.CSV:
        show_rows(("what", "value"), _parts(letter), output)
    else:
        show_facts(flat(letter))


@app.command("redrive")
def redrive(
    queue: QueueArgument,
    message_ids: IdsArgument = None,
    *,
    everything: AllOption = False,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="Send at most this many messages per second.")] = 5,
    reason: Annotated[str | None, typer.Option(help="Why you do this; stored in the audit trail.")] = None,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send messages again to where they should be handled.

    Messages of a subscriber go to its own queue, those of `rule` and `trigger` to the trigger function, and events of
    `outbox` to the outbox. A message leaves the dead-letter queue only after it was accepted there. To send a
    message that was already handled changes nothing.

    Example: `contactsync dead-letters redrive audit --all --rate 2 --reason "the table is back"`
    """
    from contactsync.bus.dead_letters.pace import RedrivePace
    from contactsync.services.services import Services

    if not math.isfinite(rate):
        raise typer.BadParameter("--rate must be a number of messages per second.")
    _check_named(message_ids, everything=everything)
    services = Services.from_environment(needs=NEEDS)
    order = _order(services, queue, message_ids, everything=everything, reason=reason, dry_run=dry_run)
    pace = RedrivePace(services.clock, rate)
    try:
        _show_done(services.dead_letters.redrive(order, rate=rate, pace=pace), output)
    finally:
        if pace.sent > 1:
            say(f"{pace.sent} messages sent, {pace.reached:.3g} a second (--rate {rate:g}).", err=True)


@app.command("discard")
def discard(
    queue: QueueArgument,
    message_ids: IdsArgument = None,
    *,
    reason: Annotated[str, typer.Option(help="Why you do this; stored in the audit trail.")],
    everything: AllOption = False,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete messages permanently; the audit trail keeps who deleted them and why.

    Example: `contactsync dead-letters discard rule 059f36b4-87a3-44ab-83d2-661975040000 --reason "a drill"`
    """
    from contactsync.services.services import Services

    if not reason.strip():
        raise typer.BadParameter("--reason must not be empty.")
    _check_named(message_ids, everything=everything)
    services = Services.from_environment(needs=NEEDS)
    order = _order(services, queue, message_ids, everything=everything, reason=reason, dry_run=dry_run)
    _show_done(services.dead_letters.discard(order), output)


def _counted(number: int, others: int) -> str:
    """Return how many messages there are, and how many somebody else is reading."""
    here = f"{number} message{'' if number == 1 else 's'}"
    if not others:
        return here
    return f"{here}, {others} more {'is' if others == 1 else 'are'} being read elsewhere"


def _check_named(message_ids: list[str] | None, *, everything: bool) -> None:
    if bool(message_ids) == everything:
        raise typer.BadParameter("Name messages, or use --all.")


def _order(
    services: "Services",
    queue: str,
    message_ids: list[str] | None,
    *,
    everything: bool,
    reason: str | None,
    dry_run: bool,
) -> "LetterOrder":
    from contactsync.bus.dead_letters.handling import LetterOrder
    from contactsync.cli.config.config_changes import author

    ids = None if everything else message_ids
    return LetterOrder(queue, ids, by=author(services), reason=reason, dry_run=dry_run)


def _show_done(done: "Done", output: Output) -> None:
    """Show what happened to each message; exit with 1 when one could not be sent on."""
    from contactsync.bus.dead_letters.handling import LetterStep

    steps = Counter[LetterStep]()

    def rows() -> Iterator[Row]:
        with closing(done):
            for step, facts in counted(done, "{} messages handled".format, step=DONE_STEP):
                steps[step] += 1
                yield {"step": str(step), **vars(facts)}

    show_rows(DONE_COLUMNS, rows(), output)
    if unreadable := steps[LetterStep.UNREADABLE]:
        said = "1 message contains" if unreadable == 1 else f"{unreadable} messages contain"
        what = "it" if unreadable == 1 else "them"
        say(f"{said} nothing that can be sent; look at {what} with `show`, then discard {what}.", err=True)
    if refused := steps[LetterStep.REFUSED]:
        said = "1 message was" if refused == 1 else f"{refused} messages were"
        stays = "stays where it is" if refused == 1 else "stay where they are"
        say(f"{said} not sent on, for the reasons above, and {stays}.", err=True)
    if steps[LetterStep.UNREADABLE] or steps[LetterStep.REFUSED]:
        raise typer.Exit(1)


def _rows(services: "Services", listed: dict[str, int]) -> Iterator[Row]:
    """Yield the messages of the queues, and count them in `listed`."""
    for queue in listed:
        with closing(services.dead_letters.look(queue)) as letters:
            for facts in counted(letters, f"{queue}: {{}} messages read".format):
                listed[queue] += 1
                yield {**vars(facts), "age": _age(services, facts)}


def _age(services: "Services", facts: "LetterFacts") -> str:
    minutes = max(0, int((services.clock.now() - facts.sent).total_seconds() // 60))
    days, hours = divmod(minutes // 60, 24)
    return f"{days}d {hours}h" if days else f"{hours}h {minutes % 60}m"


def _parts(letter: dict[str, Any]) -> Iterator[Row]:
    return ({"what": what, "value": value} for what, value in flat(letter))
