"""A notice for Slack and Teams: a custom notification of Amazon Q Developer in chat applications.

Form and limits: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html. A message that exceeds a
limit is dropped without an error, so this module keeps all limits.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from contactsync.errors.remedies import RemedyStep
from contactsync.notices.failures import Cause, FailedOutcome
from contactsync.notices.notice import Notice
from contactsync.notices.plain_text import chat_code, chat_sentence, cut, one_line

TITLE_LENGTH: Final = 250
DESCRIPTION_LENGTH: Final = 8000
STEP_LENGTH: Final = 350
KEYWORD_LENGTH: Final = 75
LINE_LENGTH: Final = 2000

STEPS_LISTED: Final = 10
FAILURES_LISTED: Final = 10
"""Fewer than a mail has: a chat message should only be noticed; the mail, the operation and the export have more."""

EVENT_TYPE: Final = "contactsync.notice"


def render_chat(notice: Notice) -> str:
    """Return one line of JSON that Amazon Q shows as a message, in one thread per operation."""
    return json.dumps(chat_message(notice), separators=(",", ":"))


def chat_message(notice: Notice) -> dict[str, Any]:
    """Return the message as plain data; its texts are cut to Amazon Q's limits."""
    title = f"[{notice.severity.upper()}] contactsync {notice.environment}: {notice.headline}"
    return {
        "version": "1.0",
        "source": "custom",
        "id": notice.notice_id,
        "content": {
            "textType": "client-markdown",
            "title": chat_sentence(title, TITLE_LENGTH),
            "description": _description(notice),
            "nextSteps": list(_next_steps(notice)),
            "keywords": [one_line(word, KEYWORD_LENGTH) for word in _keywords(notice)],
        },
        "metadata": {
            "threadId": notice.thread,
            "summary": chat_sentence(notice.headline, TITLE_LENGTH),
            "eventType": f"{EVENT_TYPE}.{notice.scenario}",
            "relatedResources": [one_line(name, KEYWORD_LENGTH) for name in _resources(notice)],
            "additionalContext": {
                "notice_id": notice.notice_id,
                "severity": str(notice.severity),
                "correlation_id": notice.correlation_id,
            },
        },
    }


def _description(notice: Notice) -> str:
    """Return the description: as many whole lines as fit, so that no code span stays open, and a mark for the rest."""
    kept: list[str] = []
    room = DESCRIPTION_LENGTH - len("\n…")
    for line in _lines(notice):
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*kept, "…"])
        kept.append(line)
    return "\n".join(kept)


def _lines(notice: Notice) -> Iterator[str]:
    yield from (chat_sentence(text, LINE_LENGTH) for text in notice.what_happened or (notice.headline,))
    if notice.counts:
        yield notice.counts_line
    yield from map(_cause, notice.causes)
    yield from map(_failure, notice.failures[:FAILURES_LISTED])
    listable = notice.failures_total - notice.missing
    if listable > FAILURES_LISTED:
        yield f"and {listable - FAILURES_LISTED} more failed outcomes"
    if notice.links.run:
        yield f"Run: {notice.links.run}"
    if notice.links.export:
        yield f"Full list of failures: {notice.links.export}"


def _cause(cause: Cause) -> str:
    code = f" ({chat_code(cause.code)})" if cause.code else ""
    accounts = f", {cause.accounts} account{'' if cause.accounts == 1 else 's'}" if cause.accounts else ""
    return f"- {chat_code(cause.name)}{code}{accounts}: {chat_sentence(cause.meaning, LINE_LENGTH)}"


def _failure(failure: FailedOutcome) -> str:
    code = f" {chat_code(failure.error_code)}" if failure.error_code else ""
    account = f"{chat_code(failure.account_id)} {chat_code(failure.account_name)}"
    return f"- {account} {failure.contact_type}: {failure.detail}{code}"


def _next_steps(notice: Notice) -> Iterator[str]:
    steps = dict.fromkeys(step for cause in notice.causes for step in cause.steps)
    # The last step completes the work, so it stays when others are cut off.
    yield from map(_step, [*steps][: STEPS_LISTED - len(notice.afterwards) - 1])
    yield from map(_step, notice.afterwards)
    if notice.links.operation:
        yield f"See every account: {chat_code(cut(notice.links.operation, STEP_LENGTH // 2))}"


def _step(step: RemedyStep) -> str:
    """Return a step with its whole command; if it is too long, its sentence is cut."""
    command = f" {chat_code(cut(step.command, STEP_LENGTH // 2))}" if step.command else ""
    return chat_sentence(step.say, STEP_LENGTH - len(command)) + command


def _keywords(notice: Notice) -> list[str]:
    words = ["contactsync", notice.environment, str(notice.severity), str(notice.scenario), *notice.contact_types]
    return [word for word in words if word]


def _resources(notice: Notice) -> Iterator[str]:
    if notice.sync_id:
        yield f"sync operation {notice.sync_id}"
    if notice.dag_run_id:
        yield f"run {notice.dag_run_id}"
