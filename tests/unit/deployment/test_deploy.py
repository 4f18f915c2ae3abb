"""Deployments of the project's templates to an account in memory."""

import pytest

from contactsync.deployment.lock import KEY, Holder
from contactsync.deployment.records import Records
from contactsync.errors import DeployRunningError, ReplacementRefusedError
from tests.support.releases import packages
from tests.unit.deployment.conftest import Deployment

FIRST = [
    *("artifacts", "alarms", "state", "network", "bus", "airflow", "monitoring", "access"),
    *("artifacts-trigger", "alarms-trigger", "trigger"),
]


def test_first(deployment: Deployment) -> None:
    """A first deployment creates every stack, and updates the bus when the environment's address is known."""
    live = deployment.deploy()
    done = deployment.done
    assert [name for verb, name in done if verb == "create"] == FIRST
    assert [name for verb, name in done if verb == "update"] == ["bus"]
    assert live["bus"].parameters["AirflowUrl"] == "https://airflow.example.com"
    assert live["trigger"].parameters["MwaaRegion"] == "eu-west-1"
    assert live["trigger"].parameters["CodeBucket"].endswith("us-east-1")
    assert live["airflow"].parameters["PluginsVersion"].startswith("version-")


def test_first_preview(deployment: Deployment) -> None:
    """A first preview lists the resources of every template, and makes nothing."""
    preview = deployment.preview()
    assert {row.action for row in preview.rows} == {"add"}
    assert {row.stack for row in preview.rows} == {f"contactsync-dev-{name}" for name in FIRST}
    assert preview.environment == "environment: created, usually 20 to 40 minutes"
    assert not deployment.done
    assert not deployment.buckets.buckets


def test_again(deployed: Deployment) -> None:
    """The same packages once more change nothing and upload nothing."""
    before = {name: len(bucket.puts) for name, bucket in deployed.buckets.buckets.items()}
    assert not deployed.preview().has_changes
    deployed.deploy()
    assert not deployed.done
    puts = {name: bucket.puts[before[name] :] for name, bucket in deployed.buckets.buckets.items()}
    assert all(key == KEY or key.endswith("release.json") for keys in puts.values() for key in keys)


def test_parameter(deployed: Deployment) -> None:
    """A value that is given changes the resources that use it, and only these."""
    preview = deployed.preview(LogRetentionDays="14")
    assert {row.action for row in preview.rows} == {"change"}
    assert ("7", "14") in {(row.old, row.new) for row in preview.rows if row.name == "RetentionInDays"}
    assert not preview.environment
    deployed.deploy(LogRetentionDays="14")
    assert deployed.done == [("update", "bus"), ("update", "airflow"), ("update", "trigger")]


def test_no_value(deployed: Deployment) -> None:
    """What nothing else gives a value keeps the one that the stack has."""
    deployed.deploy(ReservedConcurrency="5")
    assert deployed.done == [("update", "trigger")]
    assert not deployed.preview().has_changes


def test_dags(deployed: Deployment) -> None:
    """Changed DAG files are uploaded and removed, and no stack is touched."""
    packages(deployed.folder, dags={"contact_sync.py": "# new"})
    preview = deployed.preview()
    assert [put.key for put in preview.uploads.puts] == ["dags/contact_sync.py"]
    assert preview.uploads.removed == ("dags/contact_housekeeping.py",)
    assert not preview.environment
    deployed.deploy()
    assert not deployed.done
    bucket = deployed.buckets.buckets["code-artifacts-eu-west-1"]
    assert [one.key for one in bucket.listed("dags/")] == ["dags/contact_sync.py"]


def test_plugins(deployed: Deployment) -> None:
    """Other plugins are an update of the environment, with the version that the upload has given."""
    packages(deployed.folder, plugins="new")
    preview = deployed.preview()
    assert preview.environment == "environment: updated, usually 10 to 30 minutes"
    (row,) = preview.rows
    assert (row.resource, row.name) == ("Airflow", "PluginsS3ObjectVersion")
    live = deployed.deploy()
    assert deployed.done == [("update", "airflow")]
    bucket = deployed.buckets.buckets["code-artifacts-eu-west-1"]
    assert live["airflow"].parameters["PluginsVersion"] == bucket.objects["plugins.zip"][1].version


def test_function(deployed: Deployment) -> None:
    """Other code of a function has another key, in the bucket of the function's region."""
    packages(deployed.folder, lambda_trigger="new")
    live = deployed.deploy()
    assert deployed.done == [("update", "trigger")]
    key = live["trigger"].parameters["CodeKey"]
    assert deployed.buckets.buckets["code-trigger-us-east-1"].objects[key][0] == b"new"


def test_runs(deployed: Deployment) -> None:
    """Before an update of the environment, active runs are named, and it waits until they have ended."""
    from contactsync.deployment.live import AirflowEnvironment

    deployed.environments.environment = AirflowEnvironment("AVAILABLE")
    deployed.airflow.runs = [["run-1", "run-2"], ["run-2"]]
    packages(deployed.folder, plugins="new")
    deployed.deploy()
    waits = [line for line in deployed.screen.lines if line.startswith("Waiting for active runs")]
    assert len(waits) == 2
    assert "run-1, run-2" in waits[0]
    assert deployed.done == [("update", "airflow")]


def test_interrupted_runs(deployed: Deployment) -> None:
    """With the permission to interrupt runs nothing is asked of Airflow."""
    from contactsync.deployment.live import AirflowEnvironment

    deployed.environments.environment = AirflowEnvironment("AVAILABLE")
    deployed.airflow.runs = [["run-1"]]
    packages(deployed.folder, plugins="new")
    deployed.deploy(interrupt=True)
    assert deployed.airflow.runs == [["run-1"]]


def test_replacement(deployed: Deployment) -> None:
    """An environment is replaced only if somebody names it; what is refused leaves no change set."""
    subnets = {"SubnetIds": "subnet-33333333,subnet-44444444"}
    with pytest.raises(ReplacementRefusedError) as refused:
        deployed.deploy(**subnets)
    assert "--allow-replacement Airflow" in str(refused.value)
    assert not deployed.done
    assert not deployed.stacks["eu-west-1"].change_sets
    deployed.deploy(allow=("Airflow",), **subnets)
    assert deployed.done == [("update", "airflow")]


def test_protection(deployed: Deployment) -> None:
    """Termination protection of the stacks is as the environment's file says."""
    file = deployed.folder / "infra/parameters/dev.yaml"
    text = file.read_text(encoding="utf-8")
    packages(deployed.folder)
    file.write_text(text.replace("termination_protection: false", "termination_protection: true"), encoding="utf-8")
    from tests.support.releases import describe

    describe(deployed.folder)
    preview = deployed.preview()
    assert {(row.name, row.new) for row in preview.rows} == {("termination protection", "on")}
    live = deployed.deploy()
    assert all(stack.is_protected for stack in live.values())
    assert not deployed.preview().has_changes


def test_one_region(deployment: Deployment) -> None:
    """In the trigger's own region one bucket and one topic serve everything."""
    deployment.deploy(region="us-east-1")
    assert {name for _, name in deployment.done} == {name for name in FIRST if not name.endswith("-trigger")}


def test_own_network(deployment: Deployment) -> None:
    """With subnets that are given no network is made, and later commands need not name them."""
    deployment.deploy(SubnetIds="subnet-33333333,subnet-44444444", SecurityGroupIds="sg-33333333")
    assert ("create", "network") not in deployment.done
    assert not deployment.preview().has_changes


def test_alarm_topic(deployment: Deployment) -> None:
    """A topic that is given is used only where the alarms are in its region."""
    topic = "arn:aws:sns:us-east-1:111122223333:pager"
    live = deployment.deploy(AlarmTopicArn=topic)
    assert live["trigger"].parameters["AlarmTopicArn"] == topic
    assert live["bus"].parameters["AlarmTopicArn"] == live["alarms"].outputs["AlarmTopicArn"]


def test_lock(deployed: Deployment) -> None:
    """Of two commands at once the second says who runs the first, until that one is silent for five minutes."""
    bob = Holder("arn:aws:iam::111122223333:user/bob", "desk", "2", 8, "2026-01-14T08:50:00+00:00")
    bucket = deployed.buckets.buckets["code-artifacts-eu-west-1"]
    from contactsync.deployment.lock import DeployLock

    DeployLock(bucket, bob, deployed.clock)._take()
    with pytest.raises(DeployRunningError) as refused:
        deployed.deploy(ReservedConcurrency="5")
    assert "user/bob deploys this environment since 2026-01-14 08:50 UTC, from desk" in str(refused.value)
    assert not deployed.done
    deployed.clock.sleep(301)
    deployed.deploy(ReservedConcurrency="5")
    assert deployed.done == [("update", "trigger")]
    assert bucket.look(KEY) is None


def test_record(deployed: Deployment) -> None:
    """Every deployment that came to its end is kept with all its files, and values that were given."""
    deployed.clock.sleep(60)
    deployed.deploy(ReservedConcurrency="5")
    bucket = deployed.buckets.buckets["code-artifacts-eu-west-1"]
    newest, first = Records(bucket).all()
    assert newest.is_complete
    assert dict(newest.given) == {"ReservedConcurrency": "5"}
    assert dict(first.given) == {}
    release = Records(bucket).fetch(newest, deployed.folder.with_name("again"))
    assert release.digest == newest.digest
