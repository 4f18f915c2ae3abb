"""A deployment in memory, of small packages with the project's own templates."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contactsync.deployment.airflow import Health
from contactsync.deployment.blueprint import Blueprint
from contactsync.deployment.deploy import Deployer, Permissions, Preview, Surroundings
from contactsync.deployment.live import LiveStack
from contactsync.deployment.lock import Holder
from contactsync.deployment.release import read_release
from contactsync.deployment.target import Target, check_given
from contactsync.stacks.parameter_file import read_environment
from contactsync.stacks.stack_file import StackList, read_stacks
from tests.support.fakes.deployment import (
    ACCOUNT,
    FakeBuckets,
    FakeDeployedAirflow,
    FakeEnvironments,
    FakeScreen,
    FakeStacks,
)
from tests.support.fakes.surroundings import FakeClock
from tests.support.releases import ROOT, packages

ALICE = Holder("arn:aws:iam::111122223333:user/alice", "laptop", "1", 7, "2026-01-14T09:00:00+00:00")
REGIONS = ("eu-west-1", "us-east-1")


@cache
def _listed() -> StackList:
    return read_stacks(ROOT / "infra")


class Deployment:
    """An account in memory, and commands that deploy to it."""

    def __init__(self, folder: Path) -> None:
        """Begin with packages, and nothing deployed."""
        self.folder = folder
        self.clock = FakeClock()
        self.stacks = {region: FakeStacks(region, self.clock) for region in REGIONS}
        self.buckets = FakeBuckets(self.clock)
        self.environments = FakeEnvironments()
        self.airflow = FakeDeployedAirflow()
        self.screen = FakeScreen()
        packages(folder)

    def deployer(
        self, *, region: str = "eu-west-1", environment: str = "dev", holder: Holder = ALICE, **given: str
    ) -> Deployer:
        """Return a command that deploys the packages."""
        target = Target(environment, region, ACCOUNT, "o-abcdefghij", "ops@example.com", given)
        surroundings = Surroundings(
            self.stacks,
            self.buckets,
            self.environments,
            Health(lambda _: self.airflow, self.screen, self.clock),
            self.screen,
            self.clock,
            holder,
        )
        return Deployer(self.blueprint(target), read_release(self.folder), surroundings)

    def blueprint(self, target: Target) -> Blueprint:
        """Return what the packages' templates say; those of the project are read once, which takes a second."""
        folder = self.folder / "infra"
        check_given(target.given, _listed(), target)
        return Blueprint(folder, target, _listed(), read_environment(folder, target.environment, _listed()))

    def preview(self, **options: Any) -> Preview:
        """Return what a command would change."""
        deployer = self.deployer(**options)
        preview = deployer.preview(waits=False)
        deployer.discard(preview)
        return preview

    def deploy(self, *, allow: tuple[str, ...] = (), interrupt: bool = False, **options: Any) -> dict[str, LiveStack]:
        """Deploy; return the stacks by the ends of their names."""
        deployer = self.deployer(**options)
        preview = deployer.preview(waits=True)
        try:
            live = deployer.carry_out(preview, Permissions(allow, interrupt_runs=interrupt))
        finally:
            deployer.discard(preview)
        return {
            name.removeprefix(f"contactsync-{options.get('environment', 'dev')}-"): one for name, one in live.items()
        }

    @property
    def done(self) -> list[tuple[str, str]]:
        """What was done with stacks in all regions, by the ends of their names; it is forgotten then."""
        found = [(verb, name.split("-", 2)[2]) for region in self.stacks.values() for verb, name in region.done]
        for region in self.stacks.values():
            region.done.clear()
        return found


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """Return an account without a deployment."""
    return Deployment(tmp_path / "packages")


@pytest.fixture
def deployed(deployment: Deployment) -> Deployment:
    """Return an account with a deployment."""
    deployment.deploy()
    assert deployment.done
    deployment.screen.lines.clear()
    return deployment
