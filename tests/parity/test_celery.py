"""Two Celery workers, as on MWAA: one is killed in the middle of a run; what they share, and what the warm-up saves.

One run tells it all, because each start of an Airflow costs a minute: `story` plays it, and the tests look at it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import boto3
import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.cli.local.local_system import DAG_ID
from contactsync.configuration.schema import Configuration
from contactsync.operations.operation import AccountOutcome, OperationStatus, OutcomeDetail, sync_id_of
from contactsync.pacing.breaker import Phase
from contactsync.sandbox.contacts.account_rules import ContactType
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.requests.call_log import ApiCall
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.scenario.scenario import Scenario
from tests.support.mwaa.image import PythonEnvironment
from tests.support.mwaa.redis import redis_server
from tests.support.mwaa.release import Release, install
from tests.support.mwaa.system import MwaaSystem, mwaa_system
from tests.support.mwaa.workers import Worker, cpu_seconds

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

ACCOUNTS: Final = 200
MEASURED: Final = 90
"""Account tasks that have ended when the processor time is taken: every later fault adds tries."""
KILLED_AFTER: Final = 120
UNTIL_KILLED: Final = 4.0
"""For how many seconds the answer of a write is kept back, so that the worker can be killed meanwhile."""
CONTACT: Final = {
    "Name": "Avery Quill",
    "Title": "On call",
    "EmailAddress": "avery.quill@example.com",
    "PhoneNumber": "+1-206-555-0142",
}
# Half of AWS's: two workers of five tasks on this machine would not reach AWS's own, and their bursts exceed these.
QUOTAS: Final = {"GetAlternateContact": {"rate": 5, "burst": 8}, "PutAlternateContact": {"rate": 2.5, "burst": 4}}
THRESHOLD: Final = 20
# With a shorter window its parts are shorter, so that answers from before the failure do not delay the opening.
BREAKER: Final = {"threshold": THRESHOLD, "window": 36, "open_for": 5}
WARM_SHARE: Final = 0.6

VARIABLES: Final = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CELERY__WORKER_ENABLE_REMOTE_CONTROL": "False",  # as on the image
    # A task whose message the killed worker had taken is queued again after this many seconds.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
    # What a killed task leaves is waited out; on one machine calls answer sooner than across a network.
    "CONTACTSYNC_CONNECT_TIMEOUT": "2",
    "CONTACTSYNC_READ_TIMEOUT": "8",
    "CONTACTSYNC_MARK_WAIT": "12",
}


@dataclass(frozen=True)
class Story:
    """What happened in the run."""

    system: MwaaSystem
    run_id: str
    accounts: list[str]
    """In the order of their mapped tasks."""
    state: str
    cpu_per_task: Mapping[str, float]
    """Processor seconds of each worker for each of its tasks."""
    tasks: Mapping[str, float]
    """How many tasks each worker had run when this was measured; one that is running counts as half."""
    running_when_killed: frozenset[str]
    """The accounts whose tasks the killed worker was running."""
    interrupted: frozenset[str]
    """Those of them that had been written, and whose task had not yet got AWS's answer."""
    left: list[int]
    """Processes of the killed worker that were still there."""

    @property
    def outcomes(self) -> dict[str, AccountOutcome]:
        """The stored outcomes by account."""
        found = {one.account_id: one for one in self.system.services.operations.outcomes(sync_id_of(self.run_id))}
        assert len(found) == ACCOUNTS
        return found

    def calls(self, operation: str, **wanted: Any) -> list[ApiCall]:
        """Return the calls about members."""
        calls = self.system.sandbox.call_log.query(service="account", operation=operation, **wanted)
        return [call for call in calls if call.target_account]


@pytest.fixture(scope="module")
def story(image: PythonEnvironment, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Run 200 accounts on a worker with and one without warm-up; the second is killed after the service has failed."""
    place = tmp_path_factory.mktemp("celery")
    install(image, release.requirements.read_text(encoding="utf-8"), release.plugins, place)
    scenario = Scenario.model_validate({"organization": {"accounts": ACCOUNTS}, "quotas": {"operations": QUOTAS}})
    configuration = Configuration.model_validate({"rates": {"operations": QUOTAS}, "breaker": BREAKER})
    nothing = place / "no-plugins"
    nothing.mkdir()
    with redis_server(place) as broker:
        further = {**VARIABLES, "AIRFLOW__CELERY__BROKER_URL": broker}
        with mwaa_system(
            place / "home", image, release, scenario, configuration=configuration, further=further
        ) as system:
            warm = Worker.started(system.airflow, "warm", {})
            cold = Worker.started(system.airflow, "cold", {"AIRFLOW__CORE__PLUGINS_FOLDER": str(nothing)})
            for worker in (warm, cold):
                worker.wait_until_ready()
            yield _played(system, warm, cold)


def _played(system: MwaaSystem, warm: Worker, cold: Worker) -> Story:
    api = system.airflow.api
    boto3.client("account").put_alternate_contact(AlternateContactType="SECURITY", **CONTACT)
    run = api.wait_until(lambda: next(iter(api.runs(DAG_ID)), None), "the change has become a run", seconds=120)
    run_id = str(run["dag_run_id"])
    planned = api.wait_until(lambda: _planned(system, run_id), "the run is planned", seconds=180)
    components = ("scheduler", "api-server")
    before = {worker.name: worker.cpu_seconds() for worker in (warm, cold)}
    others = {name: cpu_seconds(system.airflow.component_processes(name)) for name in components}

    _wait_for_accounts(system, run_id, MEASURED)
    used = {worker.name: worker.cpu_seconds() - before[worker.name] for worker in (warm, cold)}
    tasks = _tasks(system, run_id)
    for name in components:
        share = (cpu_seconds(system.airflow.component_processes(name)) - others[name]) / sum(tasks.values())
        print(f"{name}: {share:.2f} CPU seconds per task")  # noqa: T201 -- figures for docs/performance.md

    _break_service(system)
    _wait_for_accounts(system, run_id, KILLED_AFTER)
    faults, accounts = system.sandbox.conditions.faults, planned["accounts"]
    faults.add(FaultSettings(operation="PutAlternateContact", stage="after", delay=UNTIL_KILLED))

    def in_call() -> dict[str, Any] | None:
        return {"accounts": found} if (found := _in_call(system, accounts, _running(system, run_id, cold))) else None

    api.wait_until(in_call, "a write of the worker waits for its answer", seconds=120, every=0.1)
    processes = cold.processes()
    cold.kill()
    running = _running(system, run_id, cold)
    interrupted = _in_call(system, accounts, running)
    faults.clear()
    print(f"killed: {len(processes)} processes, {len(running)} tasks, {len(interrupted)} of them in a write")  # noqa: T201 -- figures
    ended = api.wait_for_run(DAG_ID, run_id, seconds=600)
    return Story(
        system,
        run_id,
        accounts=accounts,
        state=str(ended["state"]),
        cpu_per_task={name: seconds / tasks[name] for name, seconds in used.items()},
        tasks=tasks,
        running_when_killed=frozenset(accounts[index] for index in running),
        interrupted=frozenset(interrupted),
        left=cold.processes(),
    )


def _planned(system: MwaaSystem, run_id: str) -> dict[str, list[str]] | None:
    accounts: Any = system.airflow.api.xcom(DAG_ID, run_id, "plan")
    return {"accounts": [str(account) for account in accounts]} if accounts else None


def _account_tasks(system: MwaaSystem, run_id: str) -> list[dict[str, Any]]:
    found = system.airflow.api.task_instances(DAG_ID, run_id, task_id="sync_account")
    return [task for task in found if task["map_index"] >= 0]


def _wait_for_accounts(system: MwaaSystem, run_id: str, wanted: int) -> None:
    def ended() -> dict[str, Any] | None:
        count = sum(task["state"] == "success" for task in _account_tasks(system, run_id))
        return {} if count >= wanted else None

    system.airflow.api.wait_until(ended, f"{wanted} accounts are done", seconds=400, every=1)


def _tasks(system: MwaaSystem, run_id: str) -> dict[str, float]:
    counted: dict[str, float] = defaultdict(float)
    for task in _account_tasks(system, run_id):
        counted[task["hostname"] or ""] += {"success": 1.0, "running": 0.5}.get(task["state"], 0.0)
    return counted


def _running(system: MwaaSystem, run_id: str, worker: Worker) -> dict[int, Any]:
    """Return the tasks that Airflow takes to be running on a worker, by their map indexes."""
    tasks = _account_tasks(system, run_id)
    return {t["map_index"]: t for t in tasks if t["state"] == "running" and t["hostname"] == worker.name}


def _in_call(system: MwaaSystem, accounts: list[str], tasks: Iterable[int]) -> list[str]:
    """Return the accounts of tasks that AWS has written, and whose record still announces this write."""
    contacts, records = system.sandbox.organization.contacts, system.services.records
    written = [one for one in (accounts[i] for i in tasks) if contacts.latest(one, ContactType.SECURITY) == CONTACT]
    return [account for account in written if records.get(account, ContactType.SECURITY).mark]


def _break_service(system: MwaaSystem) -> None:
    """Let every read of a member fail until the breaker is open, and wait until it is closed again."""
    faults, breakers = system.sandbox.conditions.faults, system.services.breakers

    def in_phase(phase: Phase) -> Callable[[], dict[str, Any] | None]:
        return lambda: {} if breakers.get(ApiOperation.GET_ALTERNATE_CONTACT).phase is phase else None

    wait = system.airflow.api.wait_until
    faults.add(FaultSettings(operation="GetAlternateContact", containing="AccountId", error="InternalServerException"))
    wait(in_phase(Phase.OPEN), "the breaker opens", seconds=120, every=0.1)
    faults.clear()
    wait(in_phase(Phase.CLOSED), "the breaker closes", seconds=180, every=0.5)


def test_everything_ends_right(story: Story) -> None:
    """With one worker left the run ends green, every account has the contact, and the report counts them all."""
    assert story.state == "success"
    assert {one.detail for one in story.outcomes.values()} == {OutcomeDetail.UPDATED}
    operation = story.system.services.operations.get(sync_id_of(story.run_id))
    assert operation is not None
    assert operation.status is OperationStatus.COMPLETED
    assert operation.counts == {"success": ACCOUNTS}
    contacts = story.system.sandbox.organization.contacts
    members = {member_account_id(number) for number in range(1, ACCOUNTS + 1)}
    assert set(story.accounts) == members
    assert {one for one in members if contacts.latest(one, ContactType.SECURITY) == CONTACT} == members


def test_whole_worker_was_killed(story: Story) -> None:
    """The killed worker was running tasks, nothing of it is left, and Airflow tried each of these tasks again."""
    assert story.left == []
    assert story.running_when_killed
    for account in story.running_when_killed:
        index = story.accounts.index(account)
        first, *_, last = story.system.airflow.api.tries(DAG_ID, story.run_id, "sync_account", map_index=index)
        assert (last["state"], last["hostname"]) == ("success", "warm")
        assert last["try_number"] > first["try_number"]


def test_written_once(story: Story) -> None:
    """Each account is written once; a second time only where a task was killed, and the record says by which try."""
    writes = Counter(call.target_account for call in story.calls("PutAlternateContact") if call.applied)
    assert set(writes) == set(story.accounts)
    twice = {account for account, times in writes.items() if times > 1}
    print(f"written twice: {len(twice)} of {len(story.running_when_killed)} whose task was killed")  # noqa: T201 -- figures
    assert story.interrupted
    assert story.interrupted <= twice <= story.running_when_killed
    for account in twice:
        record = story.system.services.records.get(account, ContactType.SECURITY)
        assert writes[account] == 2
        assert record.mark is None
        assert record.writer_try is not None
        assert record.writer_try > 1


def test_limiter_is_shared(story: Story) -> None:
    """Both workers read and write, and together they stay within the quotas: no call is throttled."""
    for operation in ("GetAlternateContact", "PutAlternateContact"):
        calls = story.calls(operation)
        assert {name for name in ("warm", "cold") if any(f"app/{name}" in call.user_agent for call in calls)} == {
            "warm",
            "cold",
        }
    assert story.system.sandbox.call_log.query(service="account", error="TooManyRequestsException") == []


def test_breaker_is_shared(story: Story) -> None:
    """Failures of both workers open one breaker: with one for each worker there would be twice as many."""
    failed = story.calls("GetAlternateContact", error="InternalServerException")
    print(f"service down: {len(failed)} failed calls, threshold {THRESHOLD}")  # noqa: T201 -- figures
    assert THRESHOLD <= len(failed) < 2 * THRESHOLD
    assert all(any(f"app/{name}" in call.user_agent for call in failed) for name in ("warm", "cold"))


def test_warm_up_reaches_tasks(story: Story) -> None:
    """A worker with the warm-up needs at most 0.6 of the processor time for a task; both ran many tasks."""
    print(f"CPU seconds per task: {dict(story.cpu_per_task)}; tasks: {dict(story.tasks)}")  # noqa: T201 -- figures
    assert min(story.tasks["warm"], story.tasks["cold"]) >= MEASURED / 5
    assert story.cpu_per_task["warm"] <= WARM_SHARE * story.cpu_per_task["cold"]
