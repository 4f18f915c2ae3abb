"""The subscriber that delivers notices to people."""

from collections.abc import Callable

from contactsync.bus.envelope import Event
from contactsync.lambdas.subscriber import subscribed
from contactsync.services.functions.notices import NEEDS, notice_deliverer


def _deliver() -> Callable[[Event], None]:
    return notice_deliverer().deliver


handler = subscribed("notices", _deliver, needs=NEEDS)
