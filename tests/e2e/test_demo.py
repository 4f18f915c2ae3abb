"""`make run`, as a newcomer runs it: it works, says what it does, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

COMMAND = (str(Path(sys.executable).parent / "contactsync"), "demo")


@contextmanager
def demo(place: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the demo in its own place; its output goes to a file there."""
    with (place / "output").open("w") as output:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=place,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def output_of(place: Path) -> str:
    """Return what the demo has printed so far."""
    return (place / "output").read_text()


def wait_for(place: Path, text: str, process: "subprocess.Popen[str]", seconds: float = 120) -> None:
    """Wait until the demo has printed a text."""
    deadline = time.monotonic() + seconds
    while text not in output_of(place):
        assert process.poll() is None, output_of(place)
        assert time.monotonic() < deadline, output_of(place)
        time.sleep(0.1)


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def left_behind(place: Path) -> list[str]:
    """Return the command lines of processes that work in this place, or for it."""
    return list(processes_of(place).values())


def processes_of(place: Path) -> dict[int, str]:
    """Return the command lines of these processes, by id: the database has the place in its name."""
    name = "/".join([*place.parts[-2:], ".run"])
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_text().replace("\0", " ")
            if name in command or str(place).encode() in (directory / "environ").read_bytes():
                found[int(directory.name)] = command
        except OSError:
            continue
    return found


@pytest.mark.long
def test_once(tmp_path: Path) -> None:
    """It changes the contact, prints every account and ends with exit code 0, although its port is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ("--once", "--accounts", "4", "--contact", "primary", "--airflow-port", str(port))
        with demo(tmp_path, *arguments) as process:
            assert process.wait(timeout=240) == 0, output_of(tmp_path)
    text = output_of(tmp_path)
    assert f"http://127.0.0.1:{port} " not in text
    assert "4 success, 0 failed, 0 skipped" in text
    assert "password" in text
    assert "=== email to operators@example.com ===\n[LOW] contactsync local: " in text
    assert "=== chat to contactsync-local ===\n[LOW] contactsync local: " in text
    assert left_behind(tmp_path) == []
    assert list((tmp_path / ".run").iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_start(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, or a request to end, while Airflow starts ends everything within seconds."""
    with demo(tmp_path) as process:
        wait_for(tmp_path, "Starting Airflow", process)
        until(lambda: any("postgres" in command for command in left_behind(tmp_path)))
        os.kill(process.pid, number)
        assert process.wait(timeout=120) == 130, output_of(tmp_path)
    assert "Traceback" not in output_of(tmp_path)
    assert left_behind(tmp_path) == []


@pytest.mark.long
def test_killed(tmp_path: Path) -> None:
    """Killed without a chance to clean up, it leaves no process, no shared memory and no folder of its database."""
    with demo(tmp_path, "--accounts", "2") as process:
        wait_for(tmp_path, "Changed the security contact", process)
        [postgres] = [pid for pid, line in processes_of(tmp_path).items() if "/bin/postgres -D" in line]
        data = Path(f"/proc/{postgres}/cwd").readlink()
        process.kill()
        process.wait()
    until(lambda: left_behind(tmp_path) == [])
    assert str(postgres) not in [line.split()[4] for line in Path("/proc/sysvipc/shm").read_text().splitlines()]
    until(lambda: tmp_path in data.parents or not data.exists())


@pytest.mark.long
def test_sqlite(tmp_path: Path) -> None:
    """SQLite is taken only where it is asked for, and works without any server."""
    with demo(tmp_path, "--accounts", "2", "--database", "sqlite") as process:
        wait_for(tmp_path, "Airflow keeps running at", process, seconds=240)
        assert list((tmp_path / ".run").glob("*/airflow.db")) != []
        assert [line for line in left_behind(tmp_path) if "postgres" in line] == []
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=120) in {0, 130}, output_of(tmp_path)
    assert left_behind(tmp_path) == []


@pytest.mark.long
def test_failed_run(tmp_path: Path) -> None:
    """When the run fails the exit code is 1, and the output says why."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("organization: {accounts: 2, trusted_access: false}\n")
    with demo(tmp_path, "--once", "--scenario", str(scenario)) as process:
        assert process.wait(timeout=240) == 1, output_of(tmp_path)
    assert "aws organizations enable-aws-service-access" in output_of(tmp_path)
    assert left_behind(tmp_path) == []


def test_bad_scenario(tmp_path: Path) -> None:
    """A scenario that cannot be used is told in one sentence, and leaves nothing behind."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("organisation: {accounts: 2}\n")
    with demo(tmp_path, "--once", "--scenario", str(scenario)) as process:
        assert process.wait(timeout=120) == 1
    assert "organisation is not a known key; the nearest is organization." in output_of(tmp_path)
    assert "Traceback" not in output_of(tmp_path)
    assert "logs of this run" not in output_of(tmp_path)
    assert not (tmp_path / ".run").exists()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_hundred_accounts(tmp_path: Path) -> None:
    """AWS's quotas slow a run over 200 accounts down, and fail none of them."""
    with demo(tmp_path, "--once", "--accounts", "200") as process:
        assert process.wait(timeout=840) == 0, output_of(tmp_path)
    assert "198 success, 0 failed, 2 skipped" in output_of(tmp_path)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_quotas_of_china(tmp_path: Path) -> None:
    """One write per second is enough for every account, without a failure."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("organization: {accounts: 30}\nquotas: {preset: china}\n")
    with demo(tmp_path, "--once", "--contact", "primary", "--scenario", str(scenario)) as process:
        assert process.wait(timeout=840) == 0, output_of(tmp_path)
    assert "29 success, 0 failed, 1 skipped" in output_of(tmp_path)
