"""What the DAG files themselves can be told by the environment; read at every parse, so the standard library does.

The product's own settings are read when a task runs, and not here.
"""

import os
from typing import Final

from contactsync.doc_links import VARIABLE, docs_address, pages_as
from contactsync.errors import SettingsError

OWNER: Final = "contactsync"

ACCOUNT_TASKS: Final = 12
"""Below Airflow's defaults of 16 active tasks per run and 32 per environment, so that other DAGs go on."""

MOST_ACCOUNT_TASKS: Final = 1000


def account_tasks() -> int:
    """Return how many accounts are worked on at a time, over all runs of the DAG."""
    text = os.environ.get("CONTACTSYNC_ACCOUNT_TASKS", "").strip()
    if not text:
        return ACCOUNT_TASKS
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_ACCOUNT_TASKS):
        problem = f"must be a whole number from 1 to {MOST_ACCOUNT_TASKS}"
        raise SettingsError(variable="CONTACTSYNC_ACCOUNT_TASKS", problem=problem)
    return int(text)


def owner_links() -> dict[str, str]:
    """Return where the owner's name leads to in Airflow's lists: the documentation, where its address is known."""
    address = _docs_address()
    return {OWNER: f"{address}/operations.md"} if address else {}


def linked(text: str) -> str:
    """Return a DAG's documentation with its mentions of docs/PAGE.md as links, where their address is known."""
    address = _docs_address()
    if not address:
        return text
    return pages_as(text, lambda page: f"[docs/{page}]({address}/{page})")


def _docs_address() -> str | None:
    try:
        return docs_address()
    except ValueError as error:
        raise SettingsError(variable=VARIABLE, problem=str(error)) from None
