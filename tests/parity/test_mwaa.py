"""The release on what MWAA has: the image's packages, its rule for requirements.txt, the template's options, FAB."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from contactsync.cli.local.local_system import DAG_ID
from contactsync.configuration.schema import Configuration
from contactsync.operations.operation import OperationStatus, OutcomeDetail, sync_id_of
from contactsync.sandbox.contacts.account_rules import ContactType
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.scenario.scenario import Scenario
from tests.support.mwaa.image import PythonEnvironment, image_copy, normalized, pinned
from tests.support.mwaa.release import PRODUCT, Release, RequirementsError, install
from tests.support.mwaa.system import FAB, MwaaSystem, mwaa_system
from tests.support.wheels import make_wheel

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ACCOUNTS, EXCLUDED = 25, 7
CONTACT = {
    "Name": "Avery Quill",
    "Title": "On call",
    "EmailAddress": "avery.quill@example.com",
    "PhoneNumber": "+1-206-555-0142",
}


def test_image(image: PythonEnvironment) -> None:
    """The environment has the packages of the image in its versions, all of them, and nothing else."""
    wanted = dict(line.split("==") for line in pinned())
    assert image.packages() == {normalized(name): version for name, version in wanted.items()}


def test_line_that_conflicts(image: PythonEnvironment, release: Release, scratch: Path) -> None:
    """A line that asks for another version than the image's is refused with pip's words, and nothing is installed."""
    before = image.packages()
    requirements = release.requirements.read_text(encoding="utf-8") + "celery==5.5.0\n"
    with pytest.raises(RequirementsError, match=r"celery"):
        install(image, requirements, release.plugins, scratch)
    assert image.packages() == before


@pytest.mark.parametrize("line", ["", "# -c nothing\n"], ids=["constraints of the image", "essential constraints only"])
def test_dependency_that_conflicts(scratch: Path, line: str) -> None:
    """A wheel that needs another version than the image's is refused, also where pip would replace the image's."""
    make_wheel(scratch, "pydantic", {"pydantic/__init__.py": ""}, version="3.0")
    make_wheel(scratch, PRODUCT, {f"{PRODUCT}.py": ""}, version="9.9", requires=["pydantic>=3"])
    requirements = f"{line}--no-index\n--find-links {scratch}\n{PRODUCT}==9.9\n"
    with image_copy() as spare, pytest.raises(RequirementsError, match=r"pydantic"):
        install(spare, requirements, scratch, scratch)


@pytest.fixture(scope="module")
def system(
    image: PythonEnvironment, release: Release, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MwaaSystem]:
    """Install the release, and run it with a database and an executor of this machine."""
    place = tmp_path_factory.mktemp("mwaa")
    install(image, release.requirements.read_text(encoding="utf-8"), release.plugins, place)
    scenario = Scenario.model_validate({"organization": {"accounts": ACCOUNTS}})
    configuration = Configuration.model_validate({"excluded_accounts": [member_account_id(EXCLUDED)]})
    with mwaa_system(place / "home", image, release, scenario, configuration=configuration, further={}) as running:
        yield running


def test_product_is_the_wheel(system: MwaaSystem, image: PythonEnvironment) -> None:
    """What runs is the installed wheel with the image's Airflow; the image's packages are what they were."""
    wanted = dict(line.split("==") for line in pinned())
    assert len(image.packages()) == len(wanted) + 1
    answer = image.run("-c", "import contactsync, airflow; print(contactsync.__file__)")
    assert answer.stdout.startswith(str(image.folder))
    assert system.airflow.plugins.is_dir()


def test_options(system: MwaaSystem) -> None:
    """Airflow has the template's options, and FAB decides who may do what."""
    found = {
        f"{section['name']}.{option['key']}": option["value"]
        for section in system.airflow.api.call("GET", "/config")["sections"]
        for option in section["options"]
    }
    for name in ("core.max_map_length", "core.lazy_load_plugins", "core.parallelism", "workers.min_heartbeat_interval"):
        assert str(found[name]) == system.options[name]
    assert found["core.auth_manager"] == FAB
    assert [plugin["name"] for plugin in system.airflow.api.call("GET", "/plugins")["plugins"]] == ["contactsync"]
    assert system.airflow.api.import_errors() == []


def test_change_reaches_every_account(system: MwaaSystem) -> None:
    """A contact change starts a run through FAB as the trigger's user, and the run brings it to every account."""
    boto3.client("account").put_alternate_contact(AlternateContactType="SECURITY", **CONTACT)
    api = system.airflow.api
    run = api.wait_until(lambda: next(iter(api.runs(DAG_ID)), None), "the change has become a run", seconds=120)
    ended = api.wait_for_run(DAG_ID, run["dag_run_id"], seconds=400)
    assert ended["state"] == "success"
    operation = system.services.operations.get(sync_id_of(run["dag_run_id"]))
    assert operation is not None
    assert operation.status is OperationStatus.COMPLETED
    assert operation.triggered_by == f"airflow:{system.airflow.trigger_credentials[0]}"
    assert operation.event_id == run["dag_run_id"]
    outcomes = list(system.services.operations.outcomes(sync_id_of(run["dag_run_id"])))
    details = Counter(outcome.detail for outcome in outcomes)
    assert details == {OutcomeDetail.UPDATED: ACCOUNTS - 1, OutcomeDetail.EXCLUDED: 1}
    contacts = system.sandbox.organization.contacts
    members = [member_account_id(number) for number in range(1, ACCOUNTS + 1)]
    holding = {member for member in members if contacts.latest(member, ContactType.SECURITY) == CONTACT}
    assert holding == set(members) - {member_account_id(EXCLUDED)}


def test_role(system: MwaaSystem) -> None:
    """Tasks read the fingerprint key and everything else with the execution role, and nothing is denied."""
    calls = system.sandbox.call_log.query(caller="assumed-role/contactsync-local-airflow/")
    assert {"dynamodb", "secretsmanager", "account", "organizations"} <= {call.service for call in calls}
    assert [call.error_message for call in calls if call.error_code in {"AccessDenied", "AccessDeniedException"}] == []
