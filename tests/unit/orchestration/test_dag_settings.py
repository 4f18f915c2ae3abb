"""What DAG files read from the environment when they are parsed."""

import importlib.metadata

import pytest

from contactsync.checks.airflow_health import VERSION_LINE
from contactsync.errors import SettingsError
from contactsync.orchestration.dag_settings import ACCOUNT_TASKS, account_tasks, described, linked, owner_links


@pytest.mark.parametrize(("text", "expected"), [("", ACCOUNT_TASKS), ("  ", ACCOUNT_TASKS), ("1", 1), (" 200 ", 200)])
def test_account_tasks(monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    """How many accounts are worked on at a time has a default, and is a whole number."""
    monkeypatch.setenv("CONTACTSYNC_ACCOUNT_TASKS", text)
    assert account_tasks() == expected


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "1001", "١٢", "1 2"])
def test_account_tasks_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Anything else is an error that names the variable, which Airflow shows on its pages."""
    monkeypatch.setenv("CONTACTSYNC_ACCOUNT_TASKS", text)
    with pytest.raises(SettingsError, match="CONTACTSYNC_ACCOUNT_TASKS"):
        account_tasks()


def test_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the address of the documentation its pages are links, and without it they are names."""
    monkeypatch.delenv("CONTACTSYNC_DOCS_URL", raising=False)
    assert linked("see docs/operations.md") == "see docs/operations.md"
    assert owner_links() == {}
    monkeypatch.setenv("CONTACTSYNC_DOCS_URL", "https://git.example/contactsync/docs/")
    assert (
        linked("see docs/operations.md")
        == "see [docs/operations.md](https://git.example/contactsync/docs/operations.md)"
    )
    assert owner_links() == {"contactsync": "https://git.example/contactsync/docs/operations.md"}


def test_version() -> None:
    """A DAG's documentation ends with the version that a validation looks for."""
    found = VERSION_LINE.search(described("### DAG\n\nsee docs/operations.md\n"))
    assert found is not None
    assert found["version"] == importlib.metadata.version("contactsync")


@pytest.mark.parametrize("text", ["git.example", "javascript:alert(1)", "https://a b", "https://a)[x](http://b"])
def test_address_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What is no address becomes no link."""
    monkeypatch.setenv("CONTACTSYNC_DOCS_URL", text)
    with pytest.raises(SettingsError, match="CONTACTSYNC_DOCS_URL"):
        linked("docs/operations.md")
