"""Values that people give, and files of a deployment that are wrong."""

from pathlib import Path

import pytest

from contactsync.deployment.blueprint import Blueprint
from contactsync.deployment.live import LiveStack
from contactsync.deployment.preview import rows_of_new
from contactsync.deployment.target import Target, check_given
from contactsync.errors import DeploymentFileError, ParameterRefusedError, ParametersMissingError
from contactsync.stacks.stack_file import StackList, read_stacks
from tests.support.releases import packages
from tests.unit.deployment.conftest import Deployment

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def listed() -> StackList:
    """Read the project's templates."""
    return read_stacks(ROOT / "infra")


def given(listed: StackList, **values: str) -> str:
    """Return why values are refused."""
    target = Target("prod", "eu-west-1", "111122223333", given=values)
    with pytest.raises(ParameterRefusedError) as error:
        check_given(values, listed, target)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LogRetentionDay", "7", "no template has a parameter of this name; do you mean LogRetentionDays?"),
        ("Xyzzy", "7", "docs/stacks.md names the templates."),
        ("LogRetentionDays", "8", "'8' is not one of 7, 14, 30, 60, 90, 180, 365."),
        ("SubnetIds", "subnet", "'subnet' does not match subnet-[0-9a-f]{8,17}."),
        ("Environment", "prod", "nobody sets this parameter: it is the value of --environment."),
        ("CodeBucket", "mine", "nobody sets this parameter: deploy uploads the files, and knows where they are."),
        ("AlarmTopicArn", "arn:aws:sns:eu-north-1:111122223333:x", "a topic in eu-west-1 or us-east-1 is expected"),
    ],
)
def test_given(listed: StackList, name: str, value: str, sentence: str) -> None:
    """A value that cannot be used is refused with the nearest name, the pattern, or who decides."""
    assert sentence in given(listed, **{name: value})


def test_unknown_environment(tmp_path: Path) -> None:
    """An environment without a file of parameters is refused with those that have one."""
    infra = packages(tmp_path) / "infra"
    with pytest.raises(DeploymentFileError) as error:
        Blueprint.read(infra, Target("production", "eu-west-1", "111122223333"))
    assert "parameters/production.yaml is not among the templates; there are dev, prod, staging." in str(error.value)


def test_broken_template(tmp_path: Path) -> None:
    """A template that cannot be read is one sentence."""
    infra = packages(tmp_path) / "infra"
    (infra / "bus.yaml").write_text("{")
    with pytest.raises(DeploymentFileError, match="cannot be used: not YAML"):
        Blueprint.read(infra, Target("prod", "eu-west-1", "111122223333"))


def test_missing(deployment: Deployment) -> None:
    """A parameter that nothing gives a value is named before anything is made."""
    deployment.stacks["eu-west-1"].put(
        LiveStack("contactsync-dev-network", "arn:network", "CREATE_COMPLETE", parameters={})
    )
    from dataclasses import replace

    blueprint = deployment.blueprint(Target("dev", "eu-west-1", "111122223333"))
    airflow = next(stack for stack in blueprint.possible if stack.entry.name == "airflow")
    unfed = replace(airflow, entry=replace(airflow.entry, parameters={}))
    with pytest.raises(ParametersMissingError) as error:
        blueprint.values(unfed, {}, {}, before_others=True)
    assert "--set SubnetIds=VALUE" in str(error.value)


def test_subscriber(deployment: Deployment) -> None:
    """A file among the subscribers is a stack of its own, with its own parameters."""
    folder = deployment.folder / "infra/subscribers"
    (folder / "billing.yaml").write_text("SubscriberName: billing\nHandler: x.y.handler\n")
    blueprint = deployment.blueprint(Target("dev", "eu-west-1", "111122223333"))
    (stack,) = [one for one in blueprint.possible if one.entry.name == "subscriber"]
    assert stack.name == "contactsync-dev-subscriber-billing"
    (folder / "billing.yaml").write_text("Handlers: x\n")
    blueprint = deployment.blueprint(Target("dev", "eu-west-1", "111122223333"))
    with pytest.raises(DeploymentFileError, match=r"Handlers is no parameter of subscriber\.yaml"):
        assert blueprint.possible


def test_conditions(deployment: Deployment) -> None:
    """Resources of a new stack whose condition does not hold are not listed."""
    blueprint = deployment.blueprint(Target("dev", "eu-west-1", "111122223333"))
    trail = next(stack for stack in blueprint.possible if stack.entry.name == "trail")
    assert not list(rows_of_new(trail, {"CreateTrail": "false"}))
    assert "TrailKey" in {row.resource for row in rows_of_new(trail, {"CreateTrail": "true"})}
    network = next(stack for stack in blueprint.possible if stack.entry.name == "network")
    assert len(list(rows_of_new(network, {"NatGateways": "2"}))) > len(list(rows_of_new(network, {})))
