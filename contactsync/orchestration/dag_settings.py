"""What the environment can set for the DAG files; it is read at every parse, so only the standard library is used.

The settings of contactsync itself are read when a task runs, not here.
"""

import importlib.metadata
from typing import Final

from contactsync.doc_links import VARIABLE, docs_address, pages_as
from contactsync.errors import SettingsError
from contactsync.own_variables import value_of

OWNER: Final = "contactsync"

ACCOUNT_TASKS: Final = 12
"""Below Airflow's defaults of 16 active tasks per run and 32 per environment, so that other DAGs can run too."""

MOST_ACCOUNT_TASKS: Final = 1000
"""Upper bound of the setting, in tasks."""


def account_tasks() -> int:
    """Return how many tasks of accounts run at the same time, over all runs of the DAG."""
    text = value_of("CONTACTSYNC_ACCOUNT_TASKS")
    if not text:
        return ACCOUNT_TASKS
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_ACCOUNT_TASKS):
        problem = f"must be a whole number from 1 to {MOST_ACCOUNT_TASKS}"
        raise SettingsError(variable="CONTACTSYNC_ACCOUNT_TASKS", problem=problem)
    return int(text)


def owner_links() -> dict[str, str]:
    """Return the link of the owner's name in Airflow's lists: the documentation, if its address is set."""
    address = _docs_address()
    return {OWNER: f"{address}/operations.md"} if address else {}


def described(text: str) -> str:
    """Return a DAG's documentation with docs/PAGE.md as links, if the address of the pages is set, and our version.

    `contactsync validate` reads the version there: it is that of the package which Airflow imports.
    """
    try:
        version = importlib.metadata.version("contactsync")
    except importlib.metadata.PackageNotFoundError:  # the folder itself is on the path, without an installation
        return linked(text)
    return f"{linked(text)}\nVersion of contactsync: {version}\n"


def linked(text: str) -> str:
    """Return a text with docs/PAGE.md as links, if the address of the pages is set."""
    address = _docs_address()
    if not address:
        return text
    return pages_as(text, lambda page: f"[docs/{page}]({address}/{page})")


def _docs_address() -> str | None:
    try:
        return docs_address()
    except ValueError as error:
        raise SettingsError(variable=VARIABLE, problem=str(error)) from None
