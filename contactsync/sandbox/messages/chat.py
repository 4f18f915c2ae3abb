"""Amazon Q Developer in chat applications: channels that listen to topics, and the only form of messages they accept.

https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html: messages of another form are dropped silently.
Real channels also show events of AWS services; our topics carry none of them, so here they are dropped too.
"""

import json
import threading
from collections.abc import Mapping
from typing import Any, NoReturn

from moto.sns.models import sns_backends

from contactsync.sandbox.messages.inbox import Channel, Inbox

ENDPOINT = "https://global.sns-api.chatbot.amazonaws.com"
"""The https endpoint that is subscribed to every topic of a channel; it is the same for all channels."""
_LONGEST = {"title": 250, "description": 8000}  # characters
_LONGEST_STEP, _LONGEST_KEYWORD = 350, 75  # characters


class ChatChannels:
    """The chat channels, and what they show of their topics' messages."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._lock = threading.Lock()
        self._topics: dict[str, set[str]] = {}

    def put(self, channel_arn: str, topics: set[str]) -> None:
        """Let a channel listen to these topics and no others; Amazon Q subscribes to them by itself."""
        with self._lock:
            self._topics[channel_arn] = topics
        for topic in topics:
            _, _, _, region, account, _ = topic.split(":", 5)
            sns_backends[account][region].subscribe(topic, ENDPOINT, "https")

    def remove(self, channel_arn: str) -> None:
        """Forget a channel."""
        with self._lock:
            self._topics.pop(channel_arn, None)

    def known(self) -> set[str]:
        """Return the ARNs of the channels."""
        with self._lock:
            return set(self._topics)

    def deliver(self, topic: str, text: str) -> None:
        """Show a topic's message in its channels, or count it as dropped."""
        with self._lock:
            channels = [name_of(channel) for channel, topics in self._topics.items() if topic in topics]
        for channel in sorted(channels):
            self._show(channel, topic, text)

    def _show(self, channel: str, topic: str, text: str) -> None:
        try:
            content = custom_notification(text)
        except ValueError as error:
            self._inbox.drop(channel, f"Amazon Q shows custom notifications only: {error}")
            return
        written = "\n".join([content["description"], *(f"- {step}" for step in content.get("nextSteps", []))])
        self._inbox.put(Channel.CHAT, channel, text=written, subject=content.get("title"), origin=topic)


def name_of(channel_arn: str) -> str:
    """Return the name of a channel's configuration."""
    return channel_arn.rpartition("/")[2]


def custom_notification(text: str) -> Mapping[str, Any]:
    """Return the content of a custom notification; raise ValueError, with the reason, for any other message."""
    content = _content(text)
    if content.get("textType", "client-markdown") != "client-markdown":
        _refuse("textType is not client-markdown")
    if not isinstance(content.get("description"), str) or not content["description"]:
        _refuse("there is no description")
    for name, longest in _LONGEST.items():
        _check_text(name, content.get(name, ""), longest)
    for name, longest in (("nextSteps", _LONGEST_STEP), ("keywords", _LONGEST_KEYWORD)):
        _check_list(name, content.get(name, []), longest)
    return content


def _content(text: str) -> Mapping[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, Mapping):
        _refuse("it is not a JSON object")
    if (message.get("version"), message.get("source")) != ("1.0", "custom"):
        _refuse("version and source are not 1.0 and custom")
    content = message.get("content")
    if not isinstance(content, Mapping):
        _refuse("there is no content")
    return content


def _check_list(name: str, values: object, longest: int) -> None:
    if not isinstance(values, list):
        _refuse(f"{name} is not a list")
    for value in values:
        _check_text(name, value, longest)


def _check_text(name: str, value: object, longest: int) -> None:
    if not isinstance(value, str) or len(value) > longest:
        _refuse(f"{name} is not a text of at most {longest} characters")


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)
