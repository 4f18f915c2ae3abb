"""Moto is as it was when a sandbox has stopped, because every correction of it goes in and comes out in one way."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from contactsync.sandbox.handover import Attribute, Emptied, Entry, Handover

HERE = Path(__file__).parent
CORRECTED = {
    "moto.account.urls.url_paths",
    "moto.awslambda.models.LambdaFunction.create_from_cloudformation_json",
    "moto.dynamodb.models.DynamoDBBackend.transact_write_items",
    "moto.dynamodb.models.table.RESULT_SIZE_LIMIT",
    "moto.events.models.Rule.send_to_targets",
    "moto.organizations.models.FakeDelegatedAdministrator.SUPPORTED_SERVICES",
    "moto.organizations.organizations_backends",
    "moto.sqs.models.SQSBackend.receive_message",
    "moto.ssm.responses.SimpleSystemManagerResponse.create_ops_item",
    "get_model_map",
    "get_name_type_map",
}
"""One of each kind, so that a look that sees nothing is not taken for a moto that is as before."""


class Owner:
    """Something of moto's."""

    name = "moto"

    @classmethod
    def known(cls) -> str:
        """Say whose it is."""
        return cls.name


def test_nothing_left() -> None:
    """After a sandbox has stopped, or could not start, every module, class and table of moto is as before."""
    script = [sys.executable, str(HERE / "moto_content.py")]
    ended = subprocess.run(script, capture_output=True, text=True, check=False, timeout=600, cwd=HERE.parents[1])
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert (seen["left"], seen["left by a failure"]) == ([], [])
    assert set(seen["corrected"]) >= CORRECTED


def test_in_and_out() -> None:
    """Attributes, entries and what moto made before are replaced for as long as the block lasts."""
    table, made = {"known": "moto"}, ["moto"]
    before = dict(vars(Owner))
    handover: Handover[str] = Handover(
        Emptied(made.clear),
        Attribute(Owner, "name", "ours"),
        Attribute(Owner, "known", classmethod(lambda cls: f"known as {cls.name}")),
        Attribute(Owner, "added", "ours"),
        Entry(lambda: table, "known", "ours"),
        Entry(lambda: table, "added", "ours"),
    )
    assert handover.part is None
    with handover.to("sandbox"):
        assert (handover.part, Owner.known(), made) == ("sandbox", "known as ours", [])
        assert vars(Owner)["added"] == "ours"
        assert table == {"known": "ours", "added": "ours"}
        made.append("ours")
    assert (handover.part, table, made) == (None, {"known": "moto"}, [])
    assert dict(vars(Owner)) == before
    assert Owner.known() == "moto"


def test_half_installed() -> None:
    """A correction that cannot be installed takes the earlier ones out again."""
    missing: dict[str, object] = {}
    handover: Handover[str] = Handover(Attribute(Owner, "name", "ours"), Attribute(missing, "name", "ours"))
    with pytest.raises(TypeError), handover.to("sandbox"):
        pass
    assert (Owner.name, handover.part) == ("moto", None)


def test_two_without_parts() -> None:
    """Two that need no part are two: the first to go leaves the corrections to the other."""
    handover: Handover[None] = Handover(Attribute(Owner, "name", "ours"))
    with handover.to(None):
        with handover.to(None):
            pass
        assert Owner.name == "ours"
    assert Owner.name == "moto"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_at_once(order: tuple[int, int]) -> None:
    """Where two overlap the later one is called, and moto is as before when both have gone, in whatever order."""
    handover: Handover[str] = Handover(Attribute(Owner, "name", "ours"))
    parts = ["first", "second"]
    blocks = [ExitStack(), ExitStack()]
    for block, part in zip(blocks, parts, strict=True):
        block.enter_context(handover.to(part))
    assert (handover.part, Owner.name) == ("second", "ours")
    blocks[order[0]].close()
    assert (handover.part, Owner.name) == (parts[order[1]], "ours")
    blocks[order[1]].close()
    assert (handover.part, Owner.name) == (None, "moto")
