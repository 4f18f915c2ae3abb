"""The cause of a failed task as the last lines of its log, after Airflow's traceback and in lines that fit.

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
"""Characters of a line that the log view shows whole."""

END_OF_GROUP: Final = "::endgroup::"
"""Airflow folds what it logs after a task behind a heading; this ends that group, so that the cause is seen."""


def log_cause(context: "Mapping[str, Any]") -> None:
    """Log our error's sentence, and how the run goes on."""
    from contactsync.errors import ContactSyncError

    error = context.get("exception")
    if not isinstance(error, ContactSyncError):
        return
    log.info(END_OF_GROUP)
    for line in cause_lines(linked(f"{error} {error.afterwards}")):
        log.error("%s", line)


def cause_lines(text: str) -> list[str]:
    """Return a sentence in lines that fit; what has no blank to break at stays whole, to be copied."""
    return textwrap.wrap(text, LINE, break_long_words=False, break_on_hyphens=False)
