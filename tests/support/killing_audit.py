"""The audit function with a weakness: some events end its process. Deployed by tests in the real one's place."""

import os
import signal
import time
from collections.abc import Callable

from contactsync.bus.envelope import Event
from contactsync.lambdas.subscriber import subscribed
from contactsync.services.functions.audit import NEEDS, audit_recorder

WAYS: dict[str, Callable[[], object]] = {
    "exits": lambda: os._exit(3),
    "runs out of memory": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hangs": lambda: time.sleep(600),
    "asks to exit": lambda: exec("raise SystemExit(5)"),  # noqa: S102 -- a lambda cannot raise
}
"""What happens to the process, by the `reason` of the configuration's change."""


def _weak() -> Callable[[Event], None]:
    write = audit_recorder()

    def handle(event: Event) -> None:
        WAYS.get(str(getattr(event.data, "reason", None)), lambda: None)()
        write(event)

    return handle


handler = subscribed("audit", _weak, needs=NEEDS)
