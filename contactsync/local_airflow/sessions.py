"""Processes in sessions of their own, which are ended with everything that they started.

Airflow puts each task into a process group of its own, so only a session holds a whole component together.
Run as a script, this module is the watcher: it ends the sessions when the process that started them is gone (SIGKILL).
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

_POLL = 0.05  # seconds
_WATCHER_POLL = 0.5  # seconds
_KILL_SECONDS = 30.0
_ASKED_SECONDS = 20.0
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)
_STAT_STATE, _STAT_SESSION, _STAT_START = 0, 3, 19  # fields 3, 6 and 22 of proc_pid_stat(5), counted after the name


def session_members(sessions: Iterable[int]) -> list[int]:
    """List the process ids of the running members of these sessions (a session's id is its leader's process id)."""
    wanted = set(sessions)
    return [pid for pid, stat in _processes() if stat[_STAT_STATE] != "Z" and int(stat[_STAT_SESSION]) in wanted]


def process_start(pid: int) -> str | None:
    """Return the start time of a process as the kernel writes it; it differs for a later process with the same id."""
    stat = _stat(pid)
    return stat[_STAT_START] if stat else None


def end_sessions(sessions: Iterable[int], *, grace: float) -> None:
    """Ask the leaders to end (SIGTERM), wait up to `grace` seconds, and kill every process that is left."""
    wanted = set(sessions)
    send(wanted, signal.SIGTERM)
    if not wait_until_gone(wanted, grace):
        kill_sessions(wanted)


def kill_sessions(sessions: Iterable[int]) -> None:
    """Kill every process of the sessions, and repeat this for up to 30 seconds while they start new ones."""
    wanted, deadline = set(sessions), time.monotonic() + _KILL_SECONDS
    while (members := session_members(wanted)) and time.monotonic() < deadline:
        send(members, signal.SIGKILL)
        time.sleep(_POLL)


def wait_until_gone(sessions: Iterable[int], seconds: float) -> bool:
    """Wait up to `seconds` until no member of the sessions is running, and return whether that is so."""
    wanted, deadline = set(sessions), time.monotonic() + seconds
    while session_members(wanted):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the block is done, so that a process started in it is always recorded.

    Only the main thread handles signals; in other threads there is nothing to delay.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {number: signal.signal(number, lambda n, _: arrived.append(n)) for number in _INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])


class SessionWatcher:
    """A small process that ends the watched sessions as soon as this process is gone, however it ended.

    PR_SET_PDEATHSIG is no use: it is sent when the starting *thread* ends, reaches only children, and is lost on fork.
    """

    def __init__(self) -> None:
        """Start the watcher, in a session of its own so that Ctrl-C does not reach it."""
        # -I and the file's path: it must start in any directory, without Airflow and without this package.
        command = [sys.executable, "-I", __file__, str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603 our own file
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, session: int, *, ask: signal.Signals | None = None) -> None:
        """Watch a session, from right after its leader was started.

        At the end its processes are killed. With `ask`, all other sessions end first; then the leader gets this signal,
        and time to end.
        """
        self._line(f"{'?' if ask else '+'}{session} {process_start(session) or ''} {int(ask or 0)}")

    def forget(self, session: int) -> None:
        """Stop watching a session that has ended, so that a later process with the same id is not killed."""
        self._line(f"-{session} ")

    def remove_at_end(self, folder: Path) -> None:
        """Let the watcher remove a folder after all sessions have ended."""
        self._line(f"/{folder}")

    def stop(self) -> None:
        """End the watcher, which ends the sessions that are still watched."""
        self._pipe.close()
        self._process.wait()

    def __enter__(self) -> Self:
        """Return the running watcher."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    @property
    def _pipe(self) -> IO[bytes]:
        if self._process.stdin is None:
            raise AssertionError
        return self._process.stdin

    def _line(self, text: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._pipe.write(os.fsencode(f"{text}\n"))
            self._pipe.flush()


def _processes() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))):
            yield int(entry.name), stat


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()  # the name, in parentheses, may hold spaces and parentheses itself


@dataclass
class _Watched:
    """The sessions to end, and the folders to remove."""

    sessions: dict[int, tuple[str, int]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Handle one line from the process that is watched."""
        if line.startswith("/"):
            self.folders.append(line[1:])
            return
        session, start, ask = [*line[1:].split(" "), "", "0"][:3]
        if line.startswith("-"):
            self.sessions.pop(int(session), None)
        else:
            self.sessions[int(session)] = (start, int(ask))

    def end(self) -> None:
        """End the sessions whose ids are not used again, those with a signal last, and remove the folders."""
        alive = {one: ask for one, (start, ask) in self.sessions.items() if process_start(one) in {start, None}}
        kill_sessions(one for one, ask in alive.items() if not ask)
        for one, ask in alive.items():
            if ask:
                send([one], signal.Signals(ask))
        asked = [one for one, ask in alive.items() if ask]
        wait_until_gone(asked, _ASKED_SECONDS)
        kill_sessions(asked)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)


def _watch(parent: int) -> None:
    watched = _Watched()
    rest = b""
    # What the parent wrote before it ended is still read.
    while (ready := select.select([0], [], [], _WATCHER_POLL)[0]) or os.getppid() == parent:
        if not ready:
            continue
        chunk = os.read(0, 4096)
        if not chunk:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            watched.note(os.fsdecode(line))
    watched.end()


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
