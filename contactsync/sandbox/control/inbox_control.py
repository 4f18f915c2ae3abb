"""The control API's routes for the inbox."""

from collections.abc import Mapping

from contactsync.sandbox.control.control import Control, ControlError, Query, Reply, filters_of, since_of
from contactsync.sandbox.messages.inbox import Channel, Inbox

_FILTERS = ("channel", "since")


def offer_inbox(control: Control, inbox: Inbox) -> None:
    """Offer the messages that people would have received, and a list of those that AWS would have dropped."""

    def messages(_: Mapping[str, str], query: Query, __: object) -> Reply:
        channel, since = _filters(query)
        messages = inbox.messages(channel=channel, since=None if since is None else since_of(since))
        return 200, {"messages": [message.as_json() for message in messages], "dropped": inbox.dropped()}

    def clear(_: Mapping[str, str], __: Query, ___: object) -> Reply:
        inbox.clear()
        return 200, {}

    control.route("GET", "/inbox", messages)
    control.route("DELETE", "/inbox", clear)


def _filters(query: Query) -> tuple[str | None, str | None]:
    channel = filters_of(query, _FILTERS).get("channel")
    if channel is not None and channel not in set(Channel):
        raise ControlError(400, f"channel is one of {', '.join(Channel)}.")
    return channel, query.get("since")
