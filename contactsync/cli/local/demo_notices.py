"""What people would have received about the demo's run."""

import time
from typing import TYPE_CHECKING, Final

from contactsync.cli.screen.listing import folded, window
from contactsync.operations.operation import sync_id_of
from contactsync.plain_text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from contactsync.cli.local.local_system import LocalSystem

LONGEST: Final = 20.0
"""Seconds to wait for the bus and its functions."""


def show_notices(console: "Console", system: "LocalSystem", run_id: str) -> None:
    """Wait for the notices that were requested about the run, and print everything that people received."""
    deliveries = system.services.notice_store.deliveries(sync_id_of(run_id))
    requested = {one["notice_id"] for one in deliveries if one["notice_id"]}
    if not requested:
        console.print("\nNo notice is sent about this run: it succeeded, or its notices are switched off.")
        return
    inbox, queues = system.sandbox.loop.inbox, system.sandbox.loop.queue_polling
    deadline = time.monotonic() + LONGEST
    # The mail names its notice; chats and SMS come a moment later, before the function has ended.
    while not (all(any(notice in m.text for m in inbox.messages()) for notice in requested) and queues.is_idle()):
        if time.monotonic() > deadline:
            console.print("\nSome notices have not arrived yet: contactsync sandbox inbox --follow shows new ones.")
            break
        time.sleep(0.1)
    for message in inbox.messages():
        console.print(f"\n=== {message.channel} to {message.recipient} ===")
        console.print(folded(printable(f"{message.subject or ''}\n\n{message.text}"), window()), soft_wrap=True)
