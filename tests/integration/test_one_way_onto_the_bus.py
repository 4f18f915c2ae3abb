"""The static check of the bus: what is published goes through one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PUBLISHING = {"publish_batch", "publish"}
ALLOWED = {
    ("contactsync/aws/topic.py", "publish_batch"),
    ("contactsync/aws/notice_channels.py", "publish"),
}
"""The adapter of the bus, and the one that delivers notices to people; everybody else hands over announcements."""

OF_OUR_OWN = ("publisher", "publisher()")
"""Calls of the bus's Publisher are what everybody should do."""


def calls(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the method calls in a file that look like SNS's Publish or PublishBatch."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PUBLISHING:
            receiver = ast.unparse(node.func.value)
            if not receiver.endswith(OF_OUR_OWN):
                yield str(path.relative_to(ROOT)), node.func.attr


def sources() -> list[Path]:
    """List the product's modules; the sandbox is SNS itself."""
    folders = [*(ROOT / "contactsync").rglob("*.py"), *(ROOT / "dags").glob("*.py"), *(ROOT / "plugins").glob("*.py")]
    return [path for path in folders if "sandbox" not in path.parts]


def test_one_way() -> None:
    """Only the adapters call SNS."""
    found = {call for path in sources() for call in calls(path)}
    assert found <= ALLOWED
    assert ("contactsync/aws/topic.py", "publish_batch") in found


def test_check_finds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The check sees a direct call of SNS, and lets a call of the Publisher pass."""
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    module = tmp_path / "rogue.py"
    module.write_text("boto3.client('sns').publish(TopicArn=t)\nself.publisher.publish(announcements)\n")
    assert list(calls(module)) == [("rogue.py", "publish")]
