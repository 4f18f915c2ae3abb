"""The local Airflow starts, runs and repeats tasks, and ends with all its processes."""

import os
import signal
import socket
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from contactsync.local_airflow.airflow import LocalAirflow, LocalAirflowError
from contactsync.local_airflow.airflow_api import AirflowApi, AirflowApiError, Json

pytestmark = pytest.mark.long  # has an Airflow of its own; every other end-to-end test starts one as well

_DAG = """
    import os, time
    from datetime import timedelta
    from pathlib import Path
    from airflow.sdk import dag, get_current_context, task

    @dag(schedule=None)
    def tiny():
        @task
        def numbers(params=None, dag_run=None):
            return list(range(dag_run.conf["numbers"]))

        @task(map_index_template="{{ label }}")
        def square(number):
            get_current_context()["label"] = f"number {number}"
            print("the environment says", os.environ["CONTACTSYNC_WORD"])
            return number * number

        square.expand(number=numbers())

    @dag(schedule=None)
    def patient():
        @task(retries=2, retry_delay=timedelta(seconds=1))
        def wait(ti=None, dag_run=None):
            if ti.try_number == 1:
                Path(dag_run.conf["file"]).write_text(f"{os.getpid()} {os.getppid()}\\n")
                time.sleep(300)

        wait()

    tiny(), patient()
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """Run one Airflow with two small DAGs for this module."""
    root = tmp_path_factory.mktemp("airflow")
    for name in ("dags", "plugins"):
        (root / name).mkdir()
    (root / "dags" / "small.py").write_text(textwrap.dedent(_DAG))
    environment = {"CONTACTSYNC_WORD": "hello"}
    with LocalAirflow(root / "home", root / "dags", root / "plugins", environment=environment) as running:
        running.wait_for_dag("tiny")
        running.wait_for_dag("patient")
        yield running


def _run(airflow: LocalAirflow, dag_id: str, conf: Json, seconds: float = 120) -> Json:
    run_id = airflow.api.trigger(dag_id, conf)["dag_run_id"]
    return airflow.api.wait_for_run(dag_id, run_id, seconds=seconds)


def test_mapped_tasks(airflow: LocalAirflow) -> None:
    """Mapped tasks run with the environment given, and the client reads their states, values and logs."""
    run = _run(airflow, "tiny", {"numbers": 3})
    assert run["state"] == "success"
    squares = airflow.api.task_instances("tiny", run["dag_run_id"], task_id="square")
    assert sorted(square["rendered_map_index"] for square in squares) == ["number 0", "number 1", "number 2"]
    assert airflow.api.xcom("tiny", run["dag_run_id"], "square", map_index=2) == 4
    assert airflow.api.xcom("tiny", run["dag_run_id"], "square", key="other", map_index=2) is None
    assert "the environment says hello" in airflow.api.log("tiny", run["dag_run_id"], "square", map_index=1)
    assert len(airflow.api.xcoms("tiny", run["dag_run_id"])) == 4


def test_same_run_id_is_a_conflict(airflow: LocalAirflow) -> None:
    """A run id is taken once; the second attempt says 409."""
    airflow.api.trigger("tiny", {"numbers": 1}, run_id="once")
    with pytest.raises(AirflowApiError) as caught:
        airflow.api.trigger("tiny", {"numbers": 1}, run_id="once")
    assert caught.value.status == 409
    assert airflow.api.wait_for_run("tiny", "once")["state"] == "success"


def test_clear_repeats_a_task(airflow: LocalAirflow) -> None:
    """A cleared mapped task runs again, alone, and the run ends again."""
    run_id = _run(airflow, "tiny", {"numbers": 2})["dag_run_id"]
    cleared = airflow.api.clear("tiny", run_id, [("square", 1)])
    assert [(task["task_id"], task["map_index"]) for task in cleared] == [("square", 1)]
    assert airflow.api.wait_for_run("tiny", run_id)["state"] == "success"
    squares = airflow.api.task_instances("tiny", run_id, task_id="square")
    assert {square["map_index"]: square["try_number"] for square in squares} == {0: 1, 1: 2}


def test_thirty_runs_at_once(airflow: LocalAirflow) -> None:
    """Thirty runs that are posted at the same moment are all taken, the API answers meanwhile, and all end well."""
    run_ids = [f"together-{number}" for number in range(30)]
    begin = Barrier(len(run_ids))

    def post(run_id: str) -> Json:
        # A client of its own, as thirty people have; it raises when half a minute passes without an answer.
        with AirflowApi(airflow.base_url, airflow.username, airflow.password) as api:
            api.run("tiny", run_id)
            begin.wait()
            return api.trigger("tiny", {"numbers": 1}, run_id=run_id)

    with ThreadPoolExecutor(len(run_ids)) as people:
        taken = list(people.map(post, run_ids))
    assert [run["dag_run_id"] for run in taken] == run_ids
    assert {run["dag_run_id"] for run in airflow.api.runs("tiny")} >= set(run_ids)
    assert {airflow.api.wait_for_run("tiny", run_id, seconds=240)["state"] for run_id in run_ids} == {"success"}


@pytest.mark.parametrize("with_supervisor", [False, True])
def test_killed_task_is_retried(airflow: LocalAirflow, tmp_path: Path, *, with_supervisor: bool) -> None:
    """A task whose process is killed, also together with its supervisor, is noticed in time and tried again."""
    file = tmp_path / "processes"
    run_id = airflow.api.trigger("patient", {"file": str(file)})["dag_run_id"]
    airflow.api.wait_until(lambda: {} if file.exists() and "\n" in file.read_text() else None, "it runs", seconds=60)
    task, supervisor = map(int, file.read_text().split())
    for process in [supervisor, task] if with_supervisor else [task]:
        assert process in airflow.processes()
        os.kill(process, signal.SIGKILL)
    run = airflow.api.wait_for_run("patient", run_id, seconds=60)
    assert run["state"] == "success"
    assert [one["state"] for one in airflow.api.tries("patient", run_id, "wait")] == ["failed", "success"]


def test_broken_dag_file_is_reported(airflow: LocalAirflow) -> None:
    """Waiting for a DAG whose new file cannot be imported ends at once, with the reason."""
    broken = airflow.dags / "broken.py"
    broken.write_text("from airflow.sdk import dag\nraise RuntimeError('no such luck')\n")
    with pytest.raises(LocalAirflowError, match="no such luck"):
        airflow.wait_for_dag("broken", seconds=30)
    broken.unlink()


def test_changed_dag_file_is_seen(airflow: LocalAirflow) -> None:
    """A DAG added to a file that Airflow knows appears within seconds."""
    file = airflow.dags / "small.py"
    file.write_text(file.read_text() + "\n@dag(schedule=None)\ndef later():\n    pass\n\nlater()\n")
    airflow.wait_for_dag("later", seconds=20)


def test_wrong_password_is_refused(airflow: LocalAirflow) -> None:
    """The REST API wants the password of this home."""
    with AirflowApi(airflow.base_url, airflow.username, "wrong") as stranger, pytest.raises(AirflowApiError) as caught:
        stranger.runs("tiny")
    assert caught.value.status == 401


def test_killed_scheduler_can_be_restarted(airflow: LocalAirflow) -> None:
    """A killed component is reported with its log, and runs again after a restart."""
    airflow.kill_component("scheduler")
    with pytest.raises(LocalAirflowError, match="scheduler ended by itself"):
        airflow.check()
    airflow.restart_component("scheduler")
    assert _run(airflow, "tiny", {"numbers": 1})["state"] == "success"


def test_stop_leaves_nothing(airflow: LocalAirflow) -> None:
    """After stop no process of any component or task is alive, though a task was running."""
    file = airflow.home / "processes"
    airflow.api.trigger("patient", {"file": str(file)})
    airflow.api.wait_until(lambda: {} if file.exists() else None, "it runs", seconds=60)
    processes = airflow.processes()
    assert len(processes) > 8, "components, tasks and the database"
    airflow.stop()
    assert airflow.processes() == []
    assert not any(map(_alive, processes))


def _alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_killed_database(tmp_path: Path) -> None:
    """A database that is killed is named in one sentence, and the next start of the same home has what it held."""
    (tmp_path / "dags").mkdir()
    with LocalAirflow(tmp_path / "home", tmp_path / "dags", tmp_path) as airflow:
        airflow.api.call("POST", "/pools", {"name": "kept", "slots": 7})
        processes, password = airflow.processes(), airflow.password
        [server] = [pid for pid in processes if b"/bin/postgres\0-D" in _command(pid)]
        os.kill(server, signal.SIGKILL)
        with pytest.raises(LocalAirflowError, match="PostgreSQL ended by itself"):
            airflow.wait_for_dag("none", seconds=60)
    assert not any(map(_alive, processes))
    with LocalAirflow(tmp_path / "home", tmp_path / "dags", tmp_path) as airflow:
        assert airflow.password == password
        assert airflow.api.call("GET", "/pools/kept")["slots"] == 7


def _command(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def test_taken_port_is_reported(tmp_path: Path) -> None:
    """A port that another program has is named in one sentence, and nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        airflow = LocalAirflow(tmp_path / "home", tmp_path, tmp_path, port=port)
        with pytest.raises(LocalAirflowError, match=f"Port {port} of this machine"):
            airflow.start()
    assert airflow.processes() == []


def test_failed_start_leaves_nothing(tmp_path: Path) -> None:
    """A start that cannot succeed says why, from the log of what failed, and ends what it had started."""
    environment = {"AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor"}
    airflow = LocalAirflow(tmp_path / "home", tmp_path, tmp_path, environment=environment)
    with pytest.raises(LocalAirflowError, match="NoSuchExecutor"):
        airflow.start()
    assert airflow.processes() == []
