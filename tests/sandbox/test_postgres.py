"""The local Airflow's PostgreSQL starts anywhere, keeps its data, says why it cannot start, and leaves nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from contactsync.local_airflow import postgres
from contactsync.local_airflow.postgres import PostgresServer
from contactsync.local_airflow.postgres_program import PostgresError, ServerUser, installed_program
from contactsync.local_airflow.sessions import SessionWatcher, process_start
from tests.support.leaks import LeakSearch

SECONDS = 120

CONTACT = {"Name": "Zyxquill Marquetrous", "PhoneNumber": "+1 (555) 731-9026"}

PARENT = """
import sys, time
from pathlib import Path
from contactsync.sandbox import postgres
from contactsync.local_airflow.postgres import PostgresServer
from contactsync.local_airflow.sessions import SessionWatcher
home = Path(sys.argv[1])
server = PostgresServer(home, home / "log")
server.start(SessionWatcher(), seconds=120)
print(*server.processes(), flush=True)
time.sleep(300)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home of an Airflow."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def watcher() -> Iterator[SessionWatcher]:
    """Return a watcher of sessions."""
    with SessionWatcher() as running:
        yield running


@contextmanager
def running(home: Path, watcher: SessionWatcher, **arguments: Any) -> Iterator[PostgresServer]:
    """Run a server in a home."""
    server = PostgresServer(home, home / "log", **arguments)
    try:
        server.start(watcher, seconds=SECONDS)
        yield server
    finally:
        server.stop()


def address_of(server: PostgresServer) -> str:
    """Return where Airflow's driver finds the database."""
    return server.airflow_options["sql_alchemy_conn"].replace("+psycopg2", "")


def asked(server: PostgresServer, *statements: str) -> list[Any]:
    """Execute statements as Airflow's driver does, and return the rows of the last."""
    with closing(psycopg2.connect(address_of(server))) as connection, connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, generously."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def shared_memory_of(pids: list[int]) -> list[str]:
    """Return the kernel's shared memory segments that these processes made."""
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return [row[1] for row in rows if int(row[4]) in pids]


def program_of(folder: Path, **scripts: str) -> Path:
    """Return the folder of a program whose parts are shell scripts; the others succeed at nothing."""
    (folder / "bin").mkdir(parents=True)
    for name in ("initdb", "postgres"):
        part = folder / "bin" / name
        part.write_text(f"#!/bin/sh\n{scripts.get(name, 'exit 0')}\n")
        part.chmod(0o755)
    return folder


def test_data_stays(home: Path, watcher: SessionWatcher) -> None:
    """What was stored is there after the next start, with the same password."""
    with running(home, watcher) as server:
        assert asked(server, "CREATE TABLE kept (number int)", "INSERT INTO kept VALUES (7) RETURNING number") == [(7,)]
        password = server.airflow_options["sql_alchemy_conn"].split(":")[2].split("@")[0]
    with running(home, watcher) as server:
        assert asked(server, "SELECT number FROM kept") == [(7,)]
        assert password in server.airflow_options["sql_alchemy_conn"]
        assert password in server.airflow_options["sql_alchemy_conn_async"]


def test_password_is_wanted(home: Path, watcher: SessionWatcher) -> None:
    """Another user of this machine cannot connect without the password, which only we can read."""
    with (
        running(home, watcher) as server,
        pytest.raises(psycopg2.OperationalError, match="password authentication failed"),
    ):
        psycopg2.connect(address_of(server).replace("airflow:", "airflow:x"))
    assert (home / "postgres" / "password").stat().st_mode & 0o077 == 0
    assert (home / "postgres" / "password").stat().st_uid == home.stat().st_uid


def test_contact_values_are_found(home: Path, watcher: SessionWatcher) -> None:
    """The search for leaked contact values sees every column of every table, whether it holds text, bytes or JSON."""
    search = LeakSearch(CONTACT)
    packed = zlib.compress(CONTACT["PhoneNumber"].encode())
    values = f"7, 'by {CONTACT['Name']}', '\\x{packed.hex()}', '{json.dumps(CONTACT)}'"
    with running(home, watcher) as server:
        asked(
            server,
            'CREATE TABLE "Kept" (number int, "some text" text, packed bytea, found json)',
            f'INSERT INTO "Kept" VALUES ({values}) RETURNING number',  # noqa: S608 -- values of this test
        )
        assert search.in_database(address_of(server)) == {
            "Kept.some text": {CONTACT["Name"]},
            "Kept.packed": {CONTACT["PhoneNumber"]},
            "Kept.found": set(CONTACT.values()),
        }


def test_stop_leaves_nothing(home: Path, watcher: SessionWatcher) -> None:
    """After stop there is no process, no shared memory and no folder outside of the home; stop again does no harm."""
    with running(home, watcher) as server:
        processes, place = server.processes(), server._place
        assert len(processes) > 1
        assert shared_memory_of(processes) != []
        assert asked(server, "SHOW dynamic_shared_memory_type") == [("mmap",)], "nothing is in /dev/shm"
    server.stop()
    assert not any(map(process_start, processes))
    assert shared_memory_of(processes) == []
    assert place == home or not place.exists()


def test_killed_parent(home: Path, watcher: SessionWatcher) -> None:
    """A server whose parent is killed ends with all its processes and shared memory, and can be started again."""
    command = [sys.executable, "-c", PARENT, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        processes = [int(word) for word in parent.stdout.readline().split()]
        assert all(map(process_start, processes))
        parent.kill()
    wait_until(lambda: not any(map(process_start, processes)))
    assert shared_memory_of(processes) == []
    with running(home, watcher) as server:
        assert asked(server, "SELECT 1") == [(1,)]


def test_killed_server(home: Path, watcher: SessionWatcher) -> None:
    """A server that is killed is reported, leaves no shared memory, and can be started again."""
    with running(home, watcher) as server:
        asked(server, "CREATE TABLE kept (number int)", "INSERT INTO kept VALUES (7) RETURNING number")
        processes = server.processes()
        server.check()
        os.kill(processes[0], signal.SIGKILL)
        wait_until(lambda: not any(map(process_start, processes[1:])))
        wait_until(lambda: reported(server))
    assert shared_memory_of(processes) == []
    with running(home, watcher) as server:
        assert asked(server, "SELECT number FROM kept") == [(7,)]


def reported(server: PostgresServer) -> bool:
    """Tell whether the server's end is noticed."""
    try:
        server.check()
    except PostgresError as error:
        return "ended by itself with exit code -9" in str(error)
    return False


def test_stale_process_id(home: Path, watcher: SessionWatcher) -> None:
    """The file of a killed server does not block a start when another process has its number now, and harms none."""
    with running(home, watcher):
        pass
    data = home / "postgres" / "data"
    owner = ServerUser.current()
    with subprocess.Popen(["/bin/sleep", "300"], **owner.process_arguments()) as other:
        (data / "postmaster.pid").write_text(f"{other.pid}\n{data}\n1790000000\n5432\n\n127.0.0.1\n  1  2\nready\n")
        with running(home, watcher) as server:
            assert asked(server, "SELECT 1") == [(1,)]
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("content", [b"", b"garbage\xff", b"-1\n", b"99999999999999\n"])
def test_unreadable_process_id(home: Path, watcher: SessionWatcher, content: bytes) -> None:
    """A file that was not written to its end does not block a start."""
    with running(home, watcher):
        pass
    (home / "postgres" / "data" / "postmaster.pid").write_bytes(content)
    with running(home, watcher) as server:
        assert asked(server, "SELECT 1") == [(1,)]


def test_server_that_outlived_everybody(tmp_path: Path) -> None:
    """What still works in the data directory is ended by the next start."""
    # A shell that started the tests in the background has SIGINT ignored, also in what they start.
    with subprocess.Popen(["/usr/bin/env", "--default-signal=INT", "/bin/sleep", "300"], cwd=tmp_path) as old:
        while Path(f"/proc/{old.pid}/comm").read_text() != "sleep\n":
            time.sleep(0.01)
        (tmp_path / "postmaster.pid").write_text(f"{old.pid}\n{tmp_path}\n")
        reaper = threading.Thread(target=old.wait)
        reaper.start()
        postgres._end_earlier(tmp_path)
        reaper.join(timeout=SECONDS)
        assert old.returncode == -signal.SIGINT
    assert list(tmp_path.iterdir()) == []


def test_half_made_data(home: Path, watcher: SessionWatcher) -> None:
    """What a killed first start left does not count as a data directory."""
    (home / "postgres.new" / "data").mkdir(parents=True)
    (home / "postgres.new" / "data" / "PG_VERSION").write_text("18\n")
    with running(home, watcher) as server:
        assert asked(server, "SELECT 1") == [(1,)]


def test_callers_settings(home: Path, watcher: SessionWatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's own PostgreSQL and locale change nothing."""
    for name, value in {"PGDATA": "/nowhere", "PGPORT": "1", "LC_ALL": "xx_YY.UTF-8", "TZ": "Mars/Olympus"}.items():
        monkeypatch.setenv(name, value)
    with running(home, watcher) as server:
        assert asked(server, "SHOW timezone") == [("UTC",)]


def test_deep_home(tmp_path: Path, watcher: SessionWatcher) -> None:
    """A home whose path is longer than that of a Unix socket may be, with other letters in it, works."""
    home = tmp_path / ("ö" * 60) / ("with spaces " * 8)
    home.mkdir(parents=True)
    with running(home, watcher) as server:
        assert asked(server, "SELECT 1") == [(1,)]


def test_program_behind_closed_doors(home: Path, watcher: SessionWatcher, tmp_path: Path) -> None:
    """Where only we may read the installed program, the server's user runs it all the same, and no door is opened."""
    room = tmp_path / "room"
    room.mkdir()
    package = installed_program().parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, room / folder.name, ignore=shutil.ignore_patterns("include", "*.a"), symlinks=True)
    room.chmod(0o700)
    with running(home, watcher, program=room / package.name / "pginstall") as server:
        assert asked(server, "SELECT 1") == [(1,)]
    assert room.stat().st_mode & 0o777 == 0o700


def test_second_airflow_in_a_home(home: Path, watcher: SessionWatcher) -> None:
    """Two servers in one home would destroy its data: the second is refused in one sentence, the first goes on."""
    with running(home, watcher) as server:
        with pytest.raises(PostgresError, match="Another local Airflow is running in"), running(home, watcher):
            pass
        assert asked(server, "SELECT 1") == [(1,)]


FULL = """
echo 'performing post-bootstrap initialization ... '
echo '2026-11-28 [7] FATAL:  could not write to file "pg_wal/xlogtemp.7": No space left on device' >&2
echo 'child process exited with exit code 1' >&2; exit 1"""


@pytest.mark.parametrize(
    ("scripts", "sentence"),
    [
        ({"initdb": FULL}, "could not create its data directory: could not write .*: No space left on device$"),
        ({"initdb": "echo 'initdb: error: no' >&2; exit 1"}, "could not create its data directory: no$"),
        ({"initdb": "exit 3"}, "could not create its data directory: it wrote nothing$"),
        ({"postgres": "echo 'LOG: a'; echo 'FATAL:  too much'; exit 1"}, "could not start: too much$"),
        ({"postgres": "echo 'Address already in use'; exit 1"}, "found no free port of this machine in 5 tries"),
        ({"postgres": "kill -9 $$"}, "could not start: it wrote nothing$"),
    ],
)
def test_cannot_start(
    home: Path, watcher: SessionWatcher, tmp_path: Path, scripts: dict[str, str], sentence: str
) -> None:
    """A start that fails says why in one sentence and leaves no process."""
    program = program_of(tmp_path / "program", **scripts)
    server = PostgresServer(home, home / "log", program=program)
    with pytest.raises(PostgresError, match=sentence):
        server.start(watcher, seconds=SECONDS)
    server.stop()
    assert server.processes() == []


def test_wrong_machine(home: Path, watcher: SessionWatcher, tmp_path: Path) -> None:
    """A program of another kind of machine is named in one sentence."""
    program = program_of(tmp_path / "program")
    (program / "bin" / "initdb").write_bytes(b"\x7fELF of another machine")
    with (
        pytest.raises(PostgresError, match=r"cannot run here .*Exec format error"),
        running(home, watcher, program=program),
    ):
        pass


def test_no_place(home: Path, watcher: SessionWatcher) -> None:
    """A home in which nothing can be made is named in one sentence."""
    (home / "postgres.lock").mkdir()
    with (
        pytest.raises(PostgresError, match=r"cannot run here: Is a directory \(.*postgres.lock\)\.$"),
        running(home, watcher),
    ):
        pass


def test_not_installed() -> None:
    """Where the package is missing, the sentence says how it is installed."""
    with pytest.raises(PostgresError, match="The package no-such-package is not installed: `make setup`"):
        installed_program("no_such_package")
