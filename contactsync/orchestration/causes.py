"""The cause of a failed task as the last lines of its log, after Airflow's traceback, in lines that fit.

Airflow calls a task's failure callbacks after it has logged the traceback; the log view opens at its end.
"""

import logging
import textwrap
from typing import TYPE_CHECKING, Any, Final

from contactsync.doc_links import linked

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

LINE: Final = 100
"""Characters of a line that the log view shows in full."""

END_OF_GROUP: Final = "::endgroup::"
"""Airflow folds what it logs after a task under a heading; this ends that group, so that the cause is visible."""


def log_cause(context: "Mapping[str, Any]") -> None:
    """Log our error's sentence, and how to continue the run."""
    from contactsync.errors import ContactSyncError

    error = context.get("exception")
    if not isinstance(error, ContactSyncError):
        return
    log.info(END_OF_GROUP)
    for line in cause_lines(linked(f"{error} {error.afterwards}")):
        log.error("%s", line)


def cause_lines(text: str) -> list[str]:
    """Return a sentence in lines that fit; a word that is too long stays whole, so that it can be copied."""
    return textwrap.wrap(text, LINE, break_long_words=False, break_on_hyphens=False)
