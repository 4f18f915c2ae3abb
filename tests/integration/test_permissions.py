"""The permissions that docs/events.md asks for are those that the adapters need; moto would let everything pass."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
METHODS = {
    "get_item": "GetItem",
    "put_item": "PutItem",
    "update_item": "UpdateItem",
    "delete_item": "DeleteItem",
    "batch_get_item": "BatchGetItem",
    "batch_write_item": "BatchWriteItem",
    "get_paginator": "Query",
    "scan": "Scan",
}
WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
"""The parts of TransactWriteItems, which has no action of its own (Amazon DynamoDB developer guide)."""

OF_CONFIGURATIONS = "config_table.py"
OF_BACKUPS = "whole_tables.py"
OF_STATE = (
    "batches.py",
    "breaker_table.py",
    "items.py",
    "limiter_table.py",
    "lookups_table.py",
    "notice_store.py",
    "operation_queries.py",
    "outbox_table.py",
    "outbox_transactions.py",
    "plan_transactions.py",
    "records_table.py",
    "set_aside_table.py",
    "state_table.py",
    "stored_operations.py",
)


def needed(*names: str) -> set[str]:
    """Return the actions of what these adapters call."""
    found: set[str] = set()
    for name in names:
        (path,) = (ROOT / "contactsync" / "aws").rglob(name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                found.add(METHODS[node.func.attr])
            if isinstance(node, ast.Dict):
                keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
                found |= {action for part, action in WRITES.items() if part in keys}
    return found


def stated(table: str) -> set[str]:
    """Return the actions that the page names for a table."""
    rows = (ROOT / "docs" / "events.md").read_text(encoding="utf-8").splitlines()
    cells = [row.split("|")[2] for row in rows if row.rstrip(" |").endswith(table)]
    return {name.removeprefix("dynamodb:") for cell in cells for name in re.findall(r"`([A-Za-z:]+)`", cell)}


def test_state_table() -> None:
    """Whoever announces may do all that is done to the state table."""
    assert {"BatchWriteItem", "BatchGetItem", "Query", "UpdateItem"} <= needed(*OF_STATE)
    assert needed(*OF_STATE) <= stated("the state table and its indexes")


def test_outbox_only() -> None:
    """Who stores a configuration is told to let nothing but the outbox be written."""
    assert stated("and there `outbox#*` only") == {"PutItem", "BatchWriteItem"}


def test_configuration_table() -> None:
    """Whoever stores a configuration may check the version before it."""
    assert "ConditionCheckItem" in needed(OF_CONFIGURATIONS)
    assert needed(OF_CONFIGURATIONS) <= stated("the configuration table")


def test_backups() -> None:
    """The page about backups names what saving and restoring tables needs."""
    page = (ROOT / "docs" / "backups.md").read_text(encoding="utf-8").partition("## Permissions")[2]
    rows = [row for row in page.splitlines() if row.startswith(("| backup |", "| restore |"))]
    named = {
        name.removeprefix("dynamodb:") for row in rows for name in re.findall(r"`([A-Za-z:]+)`", row.split("|")[2])
    }
    assert needed(OF_BACKUPS) == named


def test_every_adapter_is_known() -> None:
    """No adapter of a table is left out, except those whose tables have permissions of their own."""
    apart = {"audit_table.py", "desired_contacts_table.py", "failures_table.py", OF_BACKUPS, OF_CONFIGURATIONS}
    found = {
        path.name
        for path in (ROOT / "contactsync" / "aws").rglob("*.py")
        if "DynamoDBClient" in path.read_text(encoding="utf-8")
    }
    assert found == {*OF_STATE, *apart}
