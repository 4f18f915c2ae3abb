"""A notice as one SMS: what happened, and where to look."""

from typing import Final

from contactsync.notices.notice import Notice
from contactsync.notices.plain_text import gsm_text

LENGTH: Final = 140
"""Characters of GSM 03.38 that fit into one SMS of Amazon SNS (140 bytes)."""

HEAD_LENGTH: Final = 44
UUID_LENGTH: Final = 36


def render_sms(notice: Notice) -> str:
    """Return one line of at most 140 GSM characters: severity, deployment, headline, and the operation's id."""
    head = gsm_text(f"{notice.severity.upper()} contactsync {notice.environment}: ", HEAD_LENGTH)
    where = f" {gsm_text(notice.thread, UUID_LENGTH)}" if notice.links.operation else ""
    return f"{head} {gsm_text(notice.headline, LENGTH - len(head) - len(where) - 1)}{where}"
