"""Earlier releases deployed again, and deployments that are deleted."""

from dataclasses import replace

import pytest

from contactsync.deployment.records import Record, Records
from contactsync.deployment.rollback import choose
from contactsync.errors import DataTooNewError, ReleaseUnknownError, StacksProtectedError
from tests.support.releases import packages
from tests.unit.deployment.conftest import Deployment

FIRST = Record("20260114T090000Z-0.1.0-1", "0.1.0", "1", "one", "alice", {}, "ops@example.com", "1", 1, {}, True)  # noqa: FBT003 -- as its fields
SECOND = replace(FIRST, release_id="20260115T090000Z-0.1.0-2", digest="two")


def test_before() -> None:
    """Without a name, the newest release that differs from the present one is chosen."""
    again = replace(SECOND, release_id="20260116T090000Z-0.1.0-2")
    assert choose([again, SECOND, FIRST], None) == FIRST
    assert choose([replace(SECOND, given={"LogLevel": "INFO"}), SECOND], None) == SECOND


def test_named() -> None:
    """A release that is named is chosen, also the present one."""
    assert choose([SECOND, FIRST], SECOND.release_id) == SECOND


def test_cut_off() -> None:
    """A deployment that did not come to its end is no release to go back to."""
    cut_off = replace(SECOND, is_complete=False)
    with pytest.raises(ReleaseUnknownError, match="no earlier release"):
        choose([cut_off, FIRST], None)


def test_unknown() -> None:
    """An unknown release is refused with those that there are, and the nearest."""
    with pytest.raises(ReleaseUnknownError) as error:
        choose([SECOND, FIRST], "20260114T090000Z-0.1.0-9")
    assert f"Do you mean {FIRST.release_id}? Name one with --to" in str(error.value)
    with pytest.raises(ReleaseUnknownError, match="no release was deployed to the end"):
        choose([], "x")


def test_newer_data() -> None:
    """A release that cannot read what any newer one may have written is refused."""
    cut_off = replace(SECOND, is_complete=False, data_format=2)
    with pytest.raises(DataTooNewError):
        choose([cut_off, SECOND, FIRST], FIRST.release_id)


def test_deployed_again(deployed: Deployment) -> None:
    """The packages of an earlier release are whole in the bucket, and deploying them takes everything back."""
    deployed.clock.sleep(60)
    packages(deployed.folder, plugins="new", dags={"contact_sync.py": "# new"})
    deployed.deploy(ReservedConcurrency="5")
    bucket = deployed.buckets.buckets["code-artifacts-eu-west-1"]
    assert [one.is_complete for one in Records(bucket).all()] == [True, True]
    record = choose(Records(bucket).all(), None)
    deployed.folder = deployed.folder.with_name("fetched")
    Records(bucket).fetch(record, deployed.folder)
    deployed.done.clear()
    live = deployed.deploy(**record.given)
    assert bucket.objects["plugins.zip"][0] == b"plugins"
    assert live["airflow"].parameters["PluginsVersion"] == bucket.objects["plugins.zip"][1].version
    assert {one.key for one in bucket.listed("dags/")} == {"dags/contact_sync.py", "dags/contact_housekeeping.py"}


def test_deleted(deployed: Deployment) -> None:
    """All stacks are deleted, the last one first, and what has data stays with a command to remove it."""
    deployer = deployed.deployer()
    removal = deployer.removal()
    stacks = removal.live()
    kept = removal.kept(stacks)
    rows = list(removal.rows(stacks))
    assert {(row.resource, row.action) for row in rows} >= {("StateTable", "keep"), ("Airflow", "remove")}
    deployer.delete()
    deleted = [name for verb, name in deployed.done if verb == "delete"]
    assert deleted[0] == "access"
    assert "artifacts" in deleted
    table = next(one for one in kept if one.name.endswith("StateTable"))
    assert table.command == "aws dynamodb delete-table --region eu-west-1 --table-name contactsync-dev-state-StateTable"
    assert all(one.command for one in kept)
    assert deployed.preview().rows[0].action == "add"


def test_protected(deployed: Deployment) -> None:
    """Nothing is deleted while the termination protection of one stack is on."""
    deployed.stacks["eu-west-1"].protect("contactsync-dev-state", on=True)
    assert deployed.done
    with pytest.raises(StacksProtectedError, match="termination protection is on for contactsync-dev-state"):
        deployed.deployer().delete()
    assert not deployed.done
