"""Stacks in every state that a deployment can find, and what goes wrong while it looks at them."""

from collections.abc import Callable

import pytest

from contactsync.deployment.live import LiveStack
from contactsync.deployment.stack_runs import PATIENCE
from contactsync.errors import (
    AccessDeniedError,
    ChangeSetFailedError,
    CredentialsExpiredError,
    DeployCutOffError,
    StackFailedError,
    ThrottledError,
)
from tests.unit.deployment.conftest import Deployment

STATE = "contactsync-dev-state"
BUS = "contactsync-dev-bus"
REGION = "eu-west-1"
EXPIRED = CredentialsExpiredError("DescribeStacks", "ExpiredToken")


def throttled() -> ThrottledError:
    """Make the answer to too many calls."""
    return ThrottledError("DescribeStacks", "Throttling")


def found(deployed: Deployment, name: str) -> LiveStack:
    """Return a stack."""
    stack = deployed.stacks[REGION].find(name)
    assert stack
    return stack


def test_attaches(deployed: Deployment) -> None:
    """What somebody has begun with a stack is waited for, and then the stack is as wanted."""
    from dataclasses import replace

    stacks = deployed.stacks[REGION]
    live = found(deployed, STATE)
    body = (deployed.folder / "infra/tables.yaml").read_text(encoding="utf-8")
    stacks.put(replace(live, status="UPDATE_IN_PROGRESS"), then="UPDATE_COMPLETE", body=body)
    preview = deployed.preview()
    assert preview.notes == (f"{STATE} is UPDATE_IN_PROGRESS: deploy waits for that first.",)
    stacks.put(replace(live, status="UPDATE_IN_PROGRESS"), then="UPDATE_COMPLETE", body=body)
    deployed.deploy()
    assert not deployed.done
    assert f"{STATE} is UPDATE_IN_PROGRESS already: waiting for it" in deployed.screen.lines


@pytest.mark.parametrize("status", ["REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
def test_created_again(deployment: Deployment, status: str) -> None:
    """A stack that has nothing, or whose creation failed, is deleted and created again."""
    deployment.stacks[REGION].put(LiveStack(STATE, "arn:stack/old", status))
    preview = deployment.preview()
    assert {row.action for row in preview.rows if row.stack == STATE} == {"add"}
    live = deployment.deploy()
    assert [verb for verb, name in deployment.done if name == "state"] == ["delete", "create"]
    assert live["state"].status == "CREATE_COMPLETE"
    assert bool(preview.notes) == (status != "REVIEW_IN_PROGRESS")


def test_rollback_is_continued(deployed: Deployment) -> None:
    """A rollback that failed is continued; then the update is made."""
    from dataclasses import replace

    deployed.stacks[REGION].put(replace(found(deployed, BUS), status="UPDATE_ROLLBACK_FAILED"))
    assert deployed.preview().notes == (f"{BUS} is UPDATE_ROLLBACK_FAILED: its rollback is continued first.",)
    deployed.deploy()
    assert deployed.done == [("continue", "bus"), ("update", "bus")]


def test_rollback_fails_again(deployed: Deployment) -> None:
    """Where the rollback fails once more, the cause is named."""
    from dataclasses import replace

    stacks = deployed.stacks[REGION]
    stacks.put(replace(found(deployed, BUS), status="UPDATE_ROLLBACK_FAILED"))
    stacks.failures[BUS] = [("EventsTopic", "it is gone")]
    with pytest.raises(StackFailedError) as failed:
        deployed.deploy()
    assert "UPDATE_ROLLBACK_FAILED: EventsTopic (AWS::Any::Thing) UPDATE_FAILED: it is gone" in str(failed.value)


def test_failed_update(deployed: Deployment) -> None:
    """A failed update names its causes; resources that were only cancelled are none; and the same command goes on."""
    failures = [("AuditQueue", "Resource creation cancelled"), ("AuditRole", "the quota of roles is used up")]
    deployed.stacks[REGION].failures[BUS] = failures
    with pytest.raises(StackFailedError) as failed:
        deployed.deploy(LogRetentionDays="14")
    assert failed.value.causes == ("AuditRole (AWS::Any::Thing) UPDATE_FAILED: the quota of roles is used up",)
    assert "AuditRole UPDATE_FAILED the quota of roles is used up" in deployed.screen.lines
    assert deployed.done == [("update", "bus")]
    deployed.deploy(LogRetentionDays="14")
    assert deployed.done == [("update", "bus"), ("update", "airflow"), ("update", "trigger")]


def test_failed_creation(deployment: Deployment) -> None:
    """After a failed creation the same command creates the stack again, and what is done stays."""
    deployment.stacks[REGION].failures[BUS] = [("AuditRole", "no")]
    with pytest.raises(StackFailedError):
        deployment.deploy()
    before = deployment.done
    created = {"artifacts", "artifacts-trigger", "alarms", "alarms-trigger", "state", "network"}
    deployment.deploy()
    assert {name for _, name in before} == {*created, "bus"}
    assert not [one for one in deployment.done if one[1] in created]


def test_failed_environment(deployed: Deployment) -> None:
    """For the environment MWAA's own words are added."""
    from contactsync.deployment.live import AirflowEnvironment

    deployed.environments.environment = AirflowEnvironment("UPDATE_FAILED", "INCORRECT_CONFIGURATION: see the role")
    deployed.stacks[REGION].failures["contactsync-dev-airflow"] = [("Airflow", "NotStabilized")]
    with pytest.raises(StackFailedError) as failed:
        deployed.deploy(MaxWorkers="4")
    assert "could not be updated, and is as it was before (INCORRECT_CONFIGURATION: see the role)" in str(failed.value)


def test_refused_change(deployed: Deployment) -> None:
    """What CloudFormation refuses is one sentence, and nothing is left behind."""
    deployed.stacks[REGION].refused[BUS] = "Parameter X is wrong."
    with pytest.raises(ChangeSetFailedError) as failed:
        deployed.deploy(LogRetentionDays="14")
    assert "CloudFormation refuses the change of contactsync-dev-bus" in str(failed.value)
    assert not deployed.done


def during(deployed: Deployment, errors: Callable[[], list[Exception]]) -> None:
    """Let looks fail as soon as the bus is updated."""
    stacks = deployed.stacks[REGION]
    execute = stacks.execute

    def then_fail(change_set: object) -> None:
        execute(change_set)  # type: ignore[arg-type]
        stacks.errors.extend(errors())  # type: ignore[arg-type]

    stacks.execute = then_fail  # type: ignore[method-assign, assignment]


def test_throttled(deployed: Deployment) -> None:
    """Looks that fail for a cause that passes are repeated."""
    during(deployed, lambda: [throttled()] * (PATIENCE - 1))
    deployed.deploy(ReservedConcurrency="5", LogRetentionDays="14")
    assert ("update", "bus") in deployed.done


@pytest.mark.parametrize("errors", [[EXPIRED], [throttled() for _ in range(PATIENCE)]])
def test_cut_off(deployed: Deployment, errors: list[Exception]) -> None:
    """Where AWS cannot be asked any more, one sentence says what goes on, and the same command finishes it."""
    during(deployed, lambda: errors)
    with pytest.raises(DeployCutOffError) as failed:
        deployed.deploy(OldVersionDays="60", LogRetentionDays="14")
    assert "CloudFormation goes on with contactsync-dev-artifacts in eu-west-1" in str(failed.value)
    del deployed.stacks[REGION].execute
    deployed.done.clear()
    deployed.deploy(OldVersionDays="60", LogRetentionDays="14")
    assert not deployed.preview(OldVersionDays="60", LogRetentionDays="14").has_changes


def test_denied(deployed: Deployment) -> None:
    """A permission that is missing before anything began is its own sentence."""
    deployed.stacks[REGION].errors.append(AccessDeniedError("DescribeStacks", "AccessDenied"))
    with pytest.raises(AccessDeniedError):
        deployed.deploy()


def test_stopped(deployed: Deployment) -> None:
    """After Ctrl-C the lock is free, and it is known what goes on."""

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt(seconds)

    deployer = deployed.deployer(LogRetentionDays="14")
    preview = deployer.preview(waits=True)
    deployed.clock.sleep = stop  # type: ignore[method-assign]
    from contactsync.deployment.deploy import Permissions
    from contactsync.deployment.lock import KEY

    with pytest.raises(KeyboardInterrupt):
        deployer.carry_out(preview, Permissions())
    assert deployer.running == "CloudFormation goes on with contactsync-dev-bus in eu-west-1 without this command."
    assert deployed.buckets.buckets["code-artifacts-eu-west-1"].look(KEY) is None
