"""The local Airflow's database: a PostgreSQL server of its own, from its first start to its end.

MWAA's Airflow has PostgreSQL, too. docs/adr/0015-an-embedded-postgresql.md says why, and how it was chosen.
"""

import contextlib
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from contactsync.local_airflow.ports import probe
from contactsync.local_airflow.postgres_program import (
    PostgresError,
    ServerUser,
    Shelter,
    installed_program,
    usable_program,
)
from contactsync.local_airflow.sessions import SessionWatcher, kill_sessions, send, uninterrupted

_USER, _DATABASE = "airflow", "postgres"  # every new server has the second one

_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # no socket: its path may have 107 bytes at most, and homes are deep
    "max_connections": "400",  # four components, each with a pool for threads and one for coroutines
    # Shared memory is in files of the data directory; in /dev/shm, that of a killed server would stay.
    "dynamic_shared_memory_type": "mmap",
    "max_parallel_workers_per_gather": "0",
    "shared_buffers": "64MB",
    "io_method": "sync",
    # A crash of this machine may destroy the data, a killed process does not. Nothing here is worth a wait.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Not the caller's variables: PGDATA, PGPORT, PGOPTIONS or a locale that is missing here change the server.
_ENVIRONMENT: Final[Mapping[str, str]] = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

_ENDINGS: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
"""The signals that end a server, in this order: after all is written, at once, killed."""
_END_SECONDS: Final = 15.0  # after each signal
_PORT_TRIES: Final = 5
_POLL: Final = 0.05  # seconds
_LONGEST_NAME: Final = 60  # characters
_READY_LINES: Final = 8  # of postmaster.pid: process id, folder, start, port, socket, address, shared memory, state
_MARKS: Final = ("PANIC: ", "FATAL: ", "ERROR: ", "error: ")


class PostgresServer:
    """One server on a free port of 127.0.0.1, with a password of its own; the home directory keeps its data.

    When we are root, it runs as the user `nobody`, with its data below /tmp; if this process is killed, that is lost.
    """

    def __init__(self, home: Path, log: Path, *, program: Path | None = None, user: ServerUser | None = None) -> None:
        """Keep the settings; `program` is the folder with bin, lib and share, by default the installed package's."""
        self._home, self._log, self._installed = home, log, program
        self._user = user or ServerUser.current()
        self._shelter = Shelter(self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: SessionWatcher | None = None
        self._lock: IO[bytes] | None = None
        self._port = 0

    @property
    def airflow_options(self) -> Mapping[str, str]:
        """Airflow's options of section `database` that make it use this server."""
        password = (self._cluster / "password").read_text(encoding="ascii")
        place = f"{_USER}:{password}@127.0.0.1:{self._port}/{_DATABASE}"
        return {
            "sql_alchemy_conn": f"postgresql+psycopg2://{place}?sslmode=disable&gssencmode=disable",
            "sql_alchemy_conn_async": f"postgresql+asyncpg://{place}?ssl=disable",
        }

    def processes(self) -> list[int]:
        """List the ids of the server's running processes; each connection has one, in a session of its own."""
        if self._process is None:
            return []
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _works_in(self._data, int(entry.name))]

    def start(self, watcher: SessionWatcher, *, seconds: float) -> None:
        """Start the server and wait up to `seconds` until it accepts connections; after an error, call `stop`.

        The watcher ends the server when this process is gone.
        """
        self._watcher = watcher
        try:
            self._start(watcher, seconds)
        except OSError as error:  # for example no space, or a folder of another user
            raise PostgresError(f"PostgreSQL cannot run here: {error.strerror or error} ({error.filename}).") from error

    def stop(self) -> None:
        """End the server and keep its data; also works after a failed or interrupted start."""
        if self._process is not None:
            _end(self._process)
            self._ended()
        if self._lock is not None:
            self._keep_data()
            self._shelter.remove()
            self._lock.close()
            self._lock = None

    def check(self) -> None:
        """Raise PostgresError when the server has ended by itself."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise PostgresError(f"PostgreSQL ended by itself with exit code {code}. Its log is {self._log}.")

    def _start(self, watcher: SessionWatcher, seconds: float) -> None:
        self._take_lock()
        if self._user.differs:
            watcher.remove_at_end(self._shelter.folder)
        program = usable_program(self._installed or installed_program(), self._shelter)
        self._take_kept_data()
        if not self._cluster.exists():
            self._make(program, seconds)
        _end_earlier(self._data)
        for _ in range(_PORT_TRIES):
            if self._launch(program, seconds):
                return
        raise PostgresError(f"PostgreSQL found no free port of this machine in {_PORT_TRIES} tries.")

    @property
    def _place(self) -> Path:
        return self._shelter.folder if self._user.differs else self._home

    @property
    def _cluster(self) -> Path:
        return self._place / "postgres"

    @property
    def _data(self) -> Path:
        return self._cluster / "data"

    def _take_lock(self) -> None:
        lock = (self._home / "postgres.lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise PostgresError(f"Another local Airflow is running in {self._home}.") from None
        self._lock = lock

    def _take_kept_data(self) -> None:
        kept = self._home / "postgres"
        if self._user.differs and kept.exists():
            shutil.move(kept, self._cluster)
            self._user.give(self._cluster)

    def _keep_data(self) -> None:
        if not self._user.differs or not self._cluster.exists():
            return
        # Under another name until it is complete, because the disk can be full.
        unfinished, owner = self._home / "postgres.new", self._home.stat()
        with contextlib.suppress(OSError):
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.move(self._cluster, unfinished)
            ServerUser(owner.st_uid, owner.st_gid).give(unfinished)
            unfinished.rename(self._home / "postgres")

    def _make(self, program: Path, seconds: float) -> None:
        """Make the data directory under another name until it is complete: an earlier try may have been killed."""
        unfinished = self._place / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password = unfinished / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24), encoding="ascii")
        self._user.give(unfinished)
        arguments = [
            *("-D", str(unfinished / "data"), "-U", _USER, f"--pwfile={password}", "--auth=scram-sha-256"),
            *("--no-locale", "--encoding=UTF8", "--no-sync", "--no-instructions"),
            *(part for name, value in _SETTINGS.items() for part in ("--set", f"{name}={value}")),
        ]
        begun = self._log_size()
        process = self._spawn(program / "bin" / "initdb", arguments)
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise PostgresError(f"PostgreSQL created no data directory within {seconds:.0f} s: {self._log}.") from None
        if code != 0:
            raise PostgresError(f"PostgreSQL could not create its data directory: {self._cause(begun)}")
        self._ended()
        unfinished.rename(self._cluster)

    def _launch(self, program: Path, seconds: float) -> bool:
        """Start the server on a port that was free a moment ago; return False when another process has taken it."""
        self._port = probe(0)
        name = str(self._home).encode("ascii", "replace").decode()[-_LONGEST_NAME:]
        arguments = ["-D", str(self._data), "-p", str(self._port), "-c", f"cluster_name={name}"]
        begun, deadline = self._log_size(), time.monotonic() + seconds
        process = self._spawn(program / "bin" / "postgres", arguments)
        while process.poll() is None:
            if _ready(self._data, process.pid):
                return True
            if time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL was not ready after {seconds:.0f} s: {self._cause(begun)}")
            time.sleep(_POLL)
        self._ended()
        if "Address already in use" in self._written(begun):
            return False
        raise PostgresError(f"PostgreSQL could not start: {self._cause(begun)}")

    def _spawn(self, program: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output, uninterrupted():
            try:
                process = subprocess.Popen(  # noqa: S603 the package's program and fixed arguments
                    [program, *arguments],
                    env=dict(_ENVIRONMENT),
                    cwd=self._place,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    **self._user.process_arguments(),
                )
            except OSError as error:
                raise PostgresError(f"PostgreSQL cannot run here ({program}: {error.strerror}).") from error
            self._process = process
            if self._watcher is not None:
                self._watcher.watch(process.pid, ask=_ENDINGS[0])
        return process

    def _ended(self) -> None:
        if self._process is not None and self._watcher is not None:
            self._watcher.forget(self._process.pid)
        if self._process is not None and self._cluster.exists():
            _release_shared_memory(self._data, self._process.pid)
        self._process = None

    def _log_size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def _written(self, begun: int) -> str:
        return self._log.read_bytes()[begun:].decode("utf-8", "replace")

    def _cause(self, begun: int) -> str:
        lines = [line.strip() for line in self._written(begun).splitlines() if line.strip()]
        causes = [line.partition(mark)[2].strip() for line in lines for mark in _MARKS if mark in line]
        return "; ".join(dict.fromkeys(causes or lines[-1:])) or "it wrote nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in _ENDINGS:
        send([process.pid], number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_END_SECONDS)
            break
    kill_sessions([process.pid])  # what initdb started; the processes of a server end with it


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _ready(data: Path, pid: int) -> bool:
    lines = _pid_file(data)
    return len(lines) >= _READY_LINES and lines[0] == str(pid) and lines[_READY_LINES - 1].strip() == "ready"


def _end_earlier(data: Path) -> None:
    """End a server that is left from an earlier process, and remove its pid file.

    PostgreSQL believes this file also when another process has the same id now, which happens in containers.
    """
    lines = _pid_file(data)
    if lines and lines[0].isdecimal():
        pid = int(lines[0])
        for number in _ENDINGS:
            deadline = time.monotonic() + _END_SECONDS
            if _works_in(data, pid):
                send([pid], number)
            while _works_in(data, pid) and time.monotonic() < deadline:
                time.sleep(_POLL)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _works_in(data: Path, pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == data.resolve()
    except OSError:
        return False


def _release_shared_memory(data: Path, pid: int) -> None:
    """Free the small shared memory of a killed server; a server that ended by itself has removed its pid file."""
    lines = _pid_file(data)
    if len(lines) >= _READY_LINES - 1 and lines[0] == str(pid):
        segment = int(lines[_READY_LINES - 2].split()[1])
        ctypes.CDLL(None).shmctl(segment, 0, None)  # 0: IPC_RMID
