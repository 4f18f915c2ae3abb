"""The static check of the bus: what is published goes through one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = {"publish", "publish_batch", "publish_to_target", "Publish", "PublishBatch"}
"""What SNS's calls are named: by boto3, by Airflow's hook, and as API operations."""

ALLOWED = {
    "contactsync/aws/topic.py": {"publish_batch", "PublishBatch", "SNSClient", "PublishBatchRequestEntryTypeDef"},
    "contactsync/aws/notice_channels.py": {"publish", "Publish", "SNSClient"},
    "contactsync/aws/subscriber_queues.py": {"SNSClient"},
    # Lists the subscriptions of a topic, for a validation.
    "contactsync/aws/checks/resources.py": {"sns"},
    "contactsync/services/adapters.py": {"sns"},
    "contactsync/services/functions/notices.py": {"sns"},
    "contactsync/services/functions/publisher.py": {"sns"},
    # The names of botocore's models that are in the functions' zip.
    "contactsync/services/functions/environment.py": {"sns"},
    # Names in sentences about calls that failed.
    "contactsync/errors/aws/services.py": {"sns", "PublishBatch"},
}
"""The adapter of the bus, the one of notices to people, a reader of filter policies, and makers of clients."""

OUR_OWN = {"self.publisher", "_publisher()"}
"""Whose method `publish` is the bus's Publisher's, which is what everybody should call."""


def signs(path: Path) -> Iterator[str]:
    """Yield whatever in a file could reach SNS: attributes and texts named like its calls, clients, imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(attr=name, value=receiver) if name in NAMES and ast.unparse(receiver) not in OUR_OWN:
                yield name
            case ast.Constant(value=str(text)) if text in {*NAMES, "sns"}:
                yield text
            case ast.ImportFrom(module=str(module), names=aliases) if not module.startswith("contactsync."):
                of_sns = "sns" in module.replace("_", ".").split(".")
                yield from (alias.name for alias in aliases if of_sns or alias.name.startswith("Sns"))
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases if "sns" in alias.name.replace("_", ".").split("."))
            case _:
                pass


def sources() -> list[Path]:
    """List the product's modules; the sandbox is SNS itself."""
    folders = [*(ROOT / "contactsync").rglob("*.py"), *(ROOT / "dags").glob("*.py"), *(ROOT / "plugins").glob("*.py")]
    return [path for path in folders if "sandbox" not in path.parts]


def test_one_way() -> None:
    """Only the adapters can reach SNS; everybody else hands over announcements."""
    found = {path.relative_to(ROOT).as_posix(): set(signs(path)) for path in sources()}
    assert {name: seen for name, seen in found.items() if seen - ALLOWED.get(name, set())} == {}
    assert "publish_batch" in found["contactsync/aws/topic.py"]


@pytest.mark.parametrize(
    "line",
    [
        "boto3.client('sns')",
        "client.publish(TopicArn=t)",
        "client.publish_batch(TopicArn=t)",
        "boto3.resource('sns').Topic(t).publish(Message=m)",
        "sns_publisher.publish(Message=m)",
        "send = client.publish",
        "partial(client.publish, TopicArn=t)",
        "getattr(client, 'publish')(TopicArn=t)",
        "client._make_api_call('Publish', {})",
        "SnsHook().publish_to_target(t, m)",
        "from airflow.providers.amazon.aws.hooks.sns import SnsHook",
        "from airflow.providers.amazon.aws.operators.sns import SnsPublishOperator as Operator",
        "import airflow.providers.amazon.aws.notifications.sns",
        "from mypy_boto3_sns import SNSClient",
    ],
)
def test_check_finds(line: str, tmp_path: Path) -> None:
    """The check sees every way to SNS that it knows of."""
    module = tmp_path / "rogue.py"
    module.write_text(f"{line}\n")
    assert list(signs(module))


def test_check_passes(tmp_path: Path) -> None:
    """It lets calls of the Publisher pass."""
    module = tmp_path / "fine.py"
    module.write_text(
        "self.publisher.publish(announcements)\n_publisher().publish([one])\nself.announcer.send([one])\n"
    )
    assert not list(signs(module))
