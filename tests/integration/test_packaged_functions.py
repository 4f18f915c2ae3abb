"""The functions from the zips of a build, on the sandbox: each does its work once and sees nothing beside its zip.

The zips have the compiled modules for this machine; those of a deployment have them for Lambda (test_packages.py).
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from contactsync.cli.local.local_system import product_environment
from contactsync.configuration.schema import Configuration
from contactsync.notices.scenarios import Scenario as NoticeScenario
from contactsync.packaging.clone import Clone
from contactsync.packaging.lambda_wheels import Platform
from contactsync.packaging.packages import Build
from contactsync.packaging.reproducible_zip import read_zip, write_zip
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import FunctionCodeError, Sandbox
from contactsync.services.services import Services
from tests.support.clones import clone_of_sources
from tests.support.fakes.airflow import FakeAirflow, served
from tests.support.waiting import until
from tests.support.worlds.people import People

ROOT = Path(__file__).parents[2]
CONTACT = {
    "AlternateContactType": "SECURITY",
    "Name": "Sam Example",
    "Title": "Security",
    "EmailAddress": "security@example.com",
    "PhoneNumber": "+1 555 0100",
}
TICKET = {"system": "tickets", "kind": "ticket.opened", "title": "Opened", "correlation_id": "ticket-1"}
REQUEST = {
    "httpMethod": "POST",
    "path": "/events",
    "body": json.dumps(TICKET),
    "requestContext": {"identity": {"userArn": "arn:aws:iam::111122223333:role/tickets"}},
}


class Walk:
    """A deployment whose functions run from zips, and the work that each function gets."""

    def __init__(self, sandbox: Sandbox, airflow: FakeAirflow) -> None:
        self.sandbox = sandbox
        self.airflow = airflow
        self.services = Services.from_environment()
        self.services.configurations.store(Configuration(), after_version=0, changed_by="tests")
        self.people = People(sandbox, self.services)

    def change_contact(self) -> None:
        """Change a contact of the management account, which is the trigger's work."""
        boto3.client("account").put_alternate_contact(**CONTACT)  # type: ignore[arg-type]
        self.check("trigger")
        until(lambda: self.airflow.runs)

    def notify(self) -> None:
        """Publish an event, which the functions of the audit trail and of the notices handle."""
        self.people.notified(NoticeScenario.OVERDUE, "run-of-zips")
        self.check("audit")
        self.check("notices")
        until(lambda: self.people.inbox("run-of-zips"))
        until(lambda: list(self.services.audit_trail.correlated("run-of-zips")))

    def publish(self) -> None:
        """Send an event of another system, which is the publisher's work."""
        boto3.client("lambda").invoke(FunctionName="contactsync-local-publisher", Payload=json.dumps(REQUEST))
        self.check("publisher")
        until(lambda: list(self.services.audit_trail.correlated("ticket-1")))

    def check(self, function: str) -> None:
        """Wait until a function has run, and fail with its errors."""
        runs = until(lambda: self.sandbox.loop.functions.invocations(f"contactsync-local-{function}"))
        assert [run.error["errorMessage"] for run in runs if run.error is not None] == []


@contextmanager
def walk(functions: Path) -> Iterator[Walk]:
    """Deploy the templates with the zips in a folder, and a small Airflow in MWAA's place."""
    scenario = Scenario.model_validate({"organization": {"accounts": 1}, "events": {"time_scale": 0.01}})
    airflow, parameters = FakeAirflow(), {"Enabled": "true"}
    with (
        served(airflow) as url,
        Sandbox(scenario, templates=ROOT / "infra", parameters=parameters, functions=functions) as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in product_environment(sandbox).items():
            patch.setenv(name, value)
        sandbox.register_airflow(url, "user", "password")
        yield Walk(sandbox, airflow)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build packages whose functions run on this machine."""
    clone = clone_of_sources(tmp_path_factory.mktemp("clone"))
    folder = tmp_path_factory.mktemp("packages") / "built"
    Build(Clone.at(clone), lambda _: None, platform=Platform.here()).into(folder)
    return folder


@pytest.mark.long
def test_all_functions(packages: Path) -> None:
    """Trigger, audit trail, notices and publisher do their work from the zips alone."""
    with walk(packages) as walked:
        walked.change_contact()
        walked.notify()
        walked.publish()
        for function in ("trigger", "audit", "notices", "publisher"):
            walked.check(function)


def without(packages: Path, name: str, package: str, target: Path) -> Path:
    """Copy the zips, and leave a package out of one of them."""
    for zipped in packages.glob("lambda-*.zip"):
        shutil.copyfile(zipped, target / zipped.name)
    kept = {path: content for path, content in read_zip(packages / name).items() if not path.startswith(f"{package}/")}
    write_zip(target / name, kept)
    return target


@pytest.mark.long
@pytest.mark.parametrize("package", ["boto3", "aws_lambda_powertools", "tenacity", "contactsync/intake"])
def test_package_missing_for_the_trigger(packages: Path, tmp_path: Path, package: str) -> None:
    """A package that is missing from the trigger's zip fails the walk, and the error names it."""
    missing = package.replace("/", ".")
    with (
        walk(without(packages, "lambda-trigger.zip", package, tmp_path)) as walked,
        pytest.raises(AssertionError, match=f"No module named '{missing}"),
    ):
        walked.change_contact()


@pytest.mark.long
@pytest.mark.parametrize("package", ["pydantic_core", "wrapt"])
def test_package_missing_for_subscribers(packages: Path, tmp_path: Path, package: str) -> None:
    """A package that is missing from the subscribers' zip fails their part of the walk, and the error names it."""
    with walk(without(packages, "lambda-subscribers.zip", package, tmp_path)) as walked:
        walked.change_contact()
        with pytest.raises(AssertionError, match=f"No module named '{package}"):
            walked.notify()


@pytest.mark.long
def test_zips_missing(tmp_path: Path) -> None:
    """A folder without the zips is refused with a sentence, and nothing of the sandbox is left."""
    for _ in range(2):
        with pytest.raises(FunctionCodeError, match="contactsync package --platform this-machine"), walk(tmp_path):
            pass
