"""The address of the documentation reaches everything that a local deployment runs."""

from pathlib import Path

import pytest

from contactsync.cli.local.local_system import product_environment
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox

ROOT = Path(__file__).parents[2]
ADDRESS = "https://git.example/contactsync/docs"


@pytest.mark.parametrize(("given", "taken"), [(f"{ADDRESS}/", ADDRESS), ("", None), ("git.example", None)])
def test_docs_address(monkeypatch: pytest.MonkeyPatch, given: str, taken: str | None) -> None:
    """A shell's address is that of Airflow and the commands; one that is none is left out."""
    monkeypatch.setenv("CONTACTSYNC_DOCS_URL", given)
    with Sandbox(Scenario.model_validate({"organization": {"accounts": 1}}), templates=ROOT / "infra") as sandbox:
        assert product_environment(sandbox).get("CONTACTSYNC_DOCS_URL") == taken
