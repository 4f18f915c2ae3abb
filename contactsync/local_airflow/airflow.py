"""A local Airflow that replaces an Amazon MWAA environment: its processes, from their start to their end."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from contactsync.local_airflow.airflow_api import AirflowApi, AirflowApiError
from contactsync.local_airflow.airflow_settings import (
    TRIGGER_USERNAME,
    USERNAME,
    AirflowPlace,
    Database,
    airflow_environment,
    sqlite_options,
    user_password,
)
from contactsync.local_airflow.ports import probe
from contactsync.local_airflow.postgres import PostgresServer
from contactsync.local_airflow.postgres_program import PostgresError
from contactsync.local_airflow.sessions import SessionWatcher, end_sessions, send, session_members, uninterrupted

COMPONENTS: Mapping[str, Sequence[str]] = {
    "api-server": ("api-server",),
    # Task logs are read from the directory itself; serving them would take a second port.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}

_HEALTH = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
_TAIL_LINES = 40
_POLL = 0.1  # seconds


class LocalAirflowError(Exception):
    """The local Airflow could not be started, or one of its processes ended by itself."""


@dataclass
class _Component:
    """A running process of Airflow, the leader of its session."""

    name: str
    process: subprocess.Popen[bytes]
    started: datetime
    log: Path

    @property
    def session(self) -> int:
        return self.process.pid


class LocalAirflow:
    """An Airflow with the LocalExecutor and a database of its own, in one home directory.

    The home keeps database, keys, passwords and logs, so that a later start continues where this one stopped.
    Use it as a context manager, or call `start` and `stop`; `stop` also works after a failed or interrupted start.
    """

    def __init__(  # noqa: PLR0913 one keyword per setting of the machine
        self,
        home: Path,
        dags: Path,
        plugins: Path,
        *,
        environment: Mapping[str, str] | None = None,
        database: Database = Database.POSTGRESQL,
        port: int = 0,
        parallelism: int = 8,
        triggerer: bool = False,
        start_seconds: float = 120.0,
        python: Path = Path(sys.executable),
    ) -> None:
        """Keep the settings; `environment` is for all processes and tasks (AWS_*, CONTACTSYNC_*, further AIRFLOW__*).

        Port 0 is any free one. `parallelism` is the number of tasks at a time, `start_seconds` the longest wait for one
        step of the start. Only deferred tasks and deadlines with asynchronous callbacks need the triggerer. `python` is
        the interpreter whose Airflow runs; it can be that of another Python environment.
        """
        self.home, self.dags, self.plugins = home.resolve(), dags.resolve(), plugins.resolve()
        self._python = python
        self._extra, self._database = dict(environment or {}), database
        self._wanted_port, self._parallelism, self._start_seconds = port, parallelism, start_seconds
        self._names = [name for name in COMPONENTS if triggerer or name != "triggerer"]
        self._place: AirflowPlace | None = None
        self._environment: dict[str, str] = {}
        self._components: dict[str, _Component] = {}
        self._watcher: SessionWatcher | None = None
        self._postgres: PostgresServer | None = None
        self._api: AirflowApi | None = None

    @property
    def base_url(self) -> str:
        """The address of the UI; the REST API is below it, at /api/v2."""
        return self._running_place.base_url

    @property
    def username(self) -> str:
        """The user name of the administrator."""
        return USERNAME

    @property
    def password(self) -> str:
        """The administrator's password, made for this home and kept in it."""
        return user_password(self._running_place)

    @property
    def trigger_credentials(self) -> tuple[str, str]:
        """The user and password with which the sandbox's MWAA starts runs for the trigger function."""
        return TRIGGER_USERNAME, user_password(self._running_place, TRIGGER_USERNAME)

    @property
    def api(self) -> AirflowApi:
        """A client of this Airflow's REST API."""
        if self._api is None:
            self._api = AirflowApi(self.base_url, self.username, self.password)
        return self._api

    def environment(self) -> dict[str, str]:
        """Return the environment of Airflow's processes, for other `airflow` commands."""
        return dict(self._environment)

    def start(self) -> None:
        """Start all components and wait until they are healthy; a start that fails leaves nothing running."""
        try:
            self._prepare()
            self._watcher = SessionWatcher()
            self._start_database()
            self._migrate()
            for name in self._names:
                self._launch(name)
            self.wait_until_healthy()
        except BaseException:  # also Ctrl-C: nothing that was started may be left
            self.stop()
            raise

    def stop(self, *, grace: float = 5.0) -> None:
        """End all components and everything that they started; kill what is left after `grace` seconds."""
        end_sessions([component.session for component in self._components.values()], grace=grace)
        for name in list(self._components):
            self._drop(name)
        if self._postgres is not None:
            self._postgres.stop()
            self._postgres = None
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None
        if self._api is not None:
            self._api.close()
            self._api = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def wait_until_healthy(self) -> None:
        """Wait until each component has sent a heartbeat since it was started."""
        self._wait(self._healthy, "Airflow is healthy", self._start_seconds)

    def wait_for_dag(self, dag_id: str, *, seconds: float = 60.0) -> None:
        """Wait until the DAG is parsed and not paused; raise LocalAirflowError if files cannot be imported."""
        self._wait(lambda: self._has_dag(dag_id), f"the DAG {dag_id} is parsed and not paused", seconds)

    def check(self) -> None:
        """Raise LocalAirflowError when a component or the database has ended by itself."""
        for component in self._components.values():
            if (code := component.process.poll()) is not None:
                what = f"Airflow's {component.name} ended by itself with exit code {code}"
                raise LocalAirflowError(f"{what}. The end of {component.log}:\n{_tail(component.log)}")
        if self._postgres is not None:
            with _database_errors():
                self._postgres.check()

    def processes(self) -> list[int]:
        """List the ids of all running processes of this Airflow, including those of its tasks and its database."""
        database = self._postgres.processes() if self._postgres else []
        return session_members([component.session for component in self._components.values()]) + database

    def start_component(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a further component, such as a Celery worker, with variables of its own; it ends with the others."""
        self._popen(name, arguments, environment)

    def component_processes(self, name: str) -> list[int]:
        """List the ids of the running processes of one component, including those of its tasks."""
        return session_members([self._components[name].session])

    def component_log(self, name: str) -> str:
        """Return what a component has written to its output."""
        return self._components[name].log.read_text(encoding="utf-8", errors="replace")

    def kill_component(self, name: str, *, only_leader: bool = False) -> None:
        """Kill a component (SIGKILL) with everything that it started, or only its first process."""
        component = self._components[name]
        send([component.session] if only_leader else session_members([component.session]), signal.SIGKILL)
        component.process.wait()

    def restart_component(self, name: str, *, grace: float = 5.0) -> None:
        """End a component with everything that it started, start it again and wait until it is healthy."""
        if name in self._components:
            end_sessions([self._components[name].session], grace=grace)
            self._drop(name)
        self._launch(name)
        self.wait_until_healthy()

    @property
    def _running_place(self) -> AirflowPlace:
        if self._place is None:
            raise LocalAirflowError("The local Airflow has not been started.")
        return self._place

    @property
    def _running_watcher(self) -> SessionWatcher:
        if self._watcher is None:
            raise LocalAirflowError("The local Airflow has not been started.")
        return self._watcher

    def _prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        port = _usable_port(self._wanted_port)
        self._place = AirflowPlace(self.home, self.dags, self.plugins, port, self._parallelism)
        self._place.component_logs.mkdir(exist_ok=True)
        # Without this file, Airflow would write one of 130 KB with keys in it, and read it in every process.
        (self.home / "airflow.cfg").write_text("# All settings are in the environment.\n", encoding="utf-8")
        user_password(self._place)

    def _start_database(self) -> None:
        place, options = self._running_place, sqlite_options(self.home)
        if self._database is Database.POSTGRESQL:
            with _database_errors():
                self._postgres = PostgresServer(self.home, place.component_logs / "postgresql.log")
                self._postgres.start(self._running_watcher, seconds=self._start_seconds)
                options = self._postgres.airflow_options
        self._environment = airflow_environment(place, options, self._extra)

    def _migrate(self) -> None:
        migration = self._popen("migration", ("db", "migrate"))
        try:
            code = migration.process.wait(timeout=self._start_seconds)
        except subprocess.TimeoutExpired:
            code = None
        if code != 0:
            raise LocalAirflowError(f"Airflow's database could not be created:\n{_tail(migration.log)}")
        self._drop("migration")

    def _launch(self, name: str) -> None:
        self._popen(name, COMPONENTS[name])

    def _popen(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})
    ) -> _Component:
        log = self._running_place.component_logs / f"{name}.log"
        started = datetime.now(UTC)
        with log.open("ab") as output, uninterrupted():
            process = subprocess.Popen(  # noqa: S603 an interpreter of ours and fixed arguments
                [self._python, "-m", "airflow", *arguments],
                env={**self._environment, **environment},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            if self._watcher is not None:
                self._watcher.watch(process.pid)
            self._components[name] = component = _Component(name, process, started, log)
        return component

    def _drop(self, name: str) -> None:
        component = self._components.pop(name)
        component.process.wait()
        if self._watcher is not None:
            self._watcher.forget(component.session)

    def _wait(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            self.check()
            if time.monotonic() > deadline:
                raise LocalAirflowError(f"Gave up after waiting {seconds:.0f} s until {what}.\n{self._tails()}")
            time.sleep(_POLL)

    def _healthy(self) -> bool:
        try:
            health = self.api.health()
        except AirflowApiError:
            return False
        beats = [_heartbeat(health, key) for name, key in _HEALTH.items() if name in self._names]
        starts = [self._components[name].started for name in _HEALTH if name in self._names]
        # A heartbeat from before the start belongs to a process that is gone, and looks healthy for a while.
        return all(beat is not None and beat >= start for beat, start in zip(beats, starts, strict=True))

    def _has_dag(self, dag_id: str) -> bool:
        try:
            dag = self.api.dag(dag_id)
            errors = [] if dag and not dag["has_import_errors"] else self.api.import_errors()
        except AirflowApiError:
            return False
        if current := [error for error in errors if self._is_current(error)]:
            texts = "\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in current)
            raise LocalAirflowError(f"Airflow cannot import {len(current)} of the DAG files.\n{texts}")
        return dag is not None and not dag["is_paused"] and not dag["is_stale"]

    def _is_current(self, error: Mapping[str, Any]) -> bool:
        """Return whether an import error is about the file's present content, and not about an earlier one."""
        file = self.dags / str(error["filename"])
        seen: datetime = datetime.fromisoformat(error["timestamp"])
        return file.exists() and file.stat().st_mtime <= seen.timestamp()

    def _tails(self) -> str:
        components = self._components.values()
        return "\n".join(f"The end of {component.log}:\n{_tail(component.log, 10)}" for component in components)


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except PostgresError as error:
        advice = "With `--database sqlite` Airflow needs no server, and answers more slowly."
        raise LocalAirflowError(f"{error} {advice}") from error


def _heartbeat(health: Mapping[str, Any], key: str) -> datetime | None:
    part = health.get(key) or {}
    beat = part.get(f"latest_{key}_heartbeat")
    return datetime.fromisoformat(beat) if beat and part.get("status") == "healthy" else None


def _usable_port(wanted: int) -> int:
    try:
        return probe(wanted)
    except OSError as error:
        text = f"Port {wanted} of this machine cannot be used for Airflow ({error.strerror}): name another, or 0."
        raise LocalAirflowError(text) from error


def _tail(log: Path, lines: int = _TAIL_LINES) -> str:
    if not log.exists():
        return "(nothing was written)"
    text = log.read_text(encoding="utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:]) or "(nothing was written)"
