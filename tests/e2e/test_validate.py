"""`contactsync validate --deep` on a real Airflow: a dry run, its event through the bus, and nothing left behind."""

import json
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from contactsync.checks import deep
from contactsync.cli.app import main

if TYPE_CHECKING:
    from tests.e2e.conftest import World

REGION = "us-east-1"


@pytest.fixture
def _trail(world: "World") -> Any:
    """Let a trail record the changes, as people do before a deployment."""
    boto3.client("s3").create_bucket(Bucket="trails")
    cloudtrail = boto3.client("cloudtrail")
    cloudtrail.create_trail(Name="all", S3BucketName="trails", IsMultiRegionTrail=True)
    cloudtrail.start_logging(Name="all")
    yield
    cloudtrail.delete_trail(Name="all")
    assert world


@pytest.mark.long
@pytest.mark.usefixtures("_trail")
@pytest.mark.timeout(400)
def test_deep(world: "World", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything works: the dry run is reported, its event is in the audit trail, and no account is written."""
    monkeypatch.setattr(deep, "POLL", 0.5)
    monkeypatch.setattr(sys, "argv", ["contactsync", "validate", "--deep", "--limit", "240", "--output", "json"])
    runs, mark = world.run_ids(), world.mark()
    with pytest.raises(SystemExit) as ended:
        main()
    findings = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert ended.value.code in (None, 0, 1)  # other tests leave dead letters, and pause DAGs, in this shared system
    tried = ("imports", "dags", "version", "dry-run", "event", "notices")
    assert {name: findings[name]["sentence"] for name in tried if findings[name]["state"] != "ok"} == {}
    assert findings["version"]["sentence"].startswith("Version 0.1.0 runs")
    assert world.writes_since(mark) == []
    (run_id,) = world.run_ids() - runs
    assert run_id.startswith("validate__")
    assert run_id in findings["dry-run"]["sentence"]
