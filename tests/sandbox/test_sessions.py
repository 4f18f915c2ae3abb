"""What is started in a session ends with it, whatever process group its processes chose."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from contactsync.local_airflow import sessions

# A leader with a child in a process group of its own, as Airflow's tasks are; both ignore SIGTERM.
_LEADER = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
print("ready", flush=True)
time.sleep(300)
"""

_PARENT = f"""
import subprocess, sys, time
from contactsync.local_airflow.sessions import SessionWatcher
watcher = SessionWatcher()
leader = subprocess.Popen([sys.executable, "-c", {_LEADER!r}], start_new_session=True, stdout=subprocess.PIPE)
watcher.watch(leader.pid)
leader.stdout.readline(), leader.stdout.readline()
print(leader.pid, flush=True)
time.sleep(300)
"""


def _start(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)


def _line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def test_end_sessions_reaches_other_groups() -> None:
    """Ending a session kills members that ignore SIGTERM and have left the leader's process group."""
    leader = _start(_LEADER)
    # Both write to one pipe, and their words and line ends may come in any order.
    assert _line(leader) + _line(leader) == "readyready"
    assert len(sessions.session_members([leader.pid])) == 2
    sessions.end_sessions([leader.pid], grace=0.1)
    assert leader.wait() == -signal.SIGKILL
    assert sessions.session_members([leader.pid]) == []


def test_watcher_ends_sessions_of_a_killed_parent() -> None:
    """When the parent is killed without a chance to clean up, its sessions end within moments."""
    parent = _start(_PARENT)
    session = int(_line(parent))
    assert len(sessions.session_members([session])) == 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert sessions.wait_until_gone([session, parent.pid], 60)


def test_forgotten_session_is_left_alone() -> None:
    """A stopped watcher does not touch a session that it was told to forget."""
    leader = _start(_LEADER)
    _line(leader)
    with sessions.SessionWatcher() as watcher:
        watcher.watch(leader.pid)
        watcher.forget(leader.pid)
    assert leader.pid in sessions.session_members([leader.pid])
    sessions.end_sessions([leader.pid], grace=0.0)
    leader.wait()


def test_member_with_a_strange_name(tmp_path: Path) -> None:
    """A process name with a parenthesis and spaces does not hide a process."""
    program = tmp_path / "a) S 1 1"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "60"], start_new_session=True)
    deadline = time.monotonic() + 60
    while sessions.session_members([process.pid]) != [process.pid]:
        assert time.monotonic() < deadline
    sessions.end_sessions([process.pid], grace=5)
    assert process.wait() == -signal.SIGTERM


_ASKED = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(0.3)
    pathlib.Path(sys.argv[1]).write_text("all is stored")
    sys.exit()
signal.signal(signal.SIGINT, end)
print("ready", flush=True)
while True:
    time.sleep(300)
"""

_PARENT_OF_ASKED = f"""
import pathlib, signal, subprocess, sys, time
from contactsync.local_airflow.sessions import SessionWatcher
watcher = SessionWatcher()
command = [sys.executable, "-c", {_ASKED!r}, sys.argv[1]]
leader = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
watcher.watch(leader.pid, ask=signal.SIGINT)
watcher.remove_at_end(pathlib.Path(sys.argv[2]))
leader.stdout.readline()
print(leader.pid, flush=True)
time.sleep(300)
"""


def test_watcher_asks_first_and_removes_last(tmp_path: Path) -> None:
    """A server that has to put away what it holds is asked and has time for it; a folder is removed when all ended."""
    folder, word = tmp_path / "a folder", tmp_path / "word"
    (folder / "below").mkdir(parents=True)
    command = [sys.executable, "-c", _PARENT_OF_ASKED, str(word), str(folder)]
    parent = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
    session = int(_line(parent))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert sessions.wait_until_gone([session], 60)
    assert word.read_text() == "all is stored"
    deadline = time.monotonic() + 60
    while folder.exists():
        assert time.monotonic() < deadline
