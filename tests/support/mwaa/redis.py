"""A Redis server of a test's own, from Debian's package, with its data in a folder of the test."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contactsync.local_airflow.ports import HOST, probe
from contactsync.local_airflow.sessions import SessionWatcher, end_sessions

READY_SECONDS = 30.0


class RedisMissingError(Exception):
    """There is no Redis on this machine, or it does not start."""


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run a server on a free port of this machine that stores nothing, and give its URL."""
    program = shutil.which("redis-server")
    if program is None:
        raise RedisMissingError("The CeleryExecutor needs redis-server: `apt-get install redis-server`.")
    port = probe(0)
    settings = {"port": port, "bind": HOST, "dir": folder, "save": "", "appendonly": "no", "daemonize": "no"}
    arguments = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    with SessionWatcher() as watcher, (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        watcher.watch(process.pid)
        try:
            _wait(process, port, folder / "redis.log")
            yield f"redis://{HOST}:{port}/0"
        finally:
            end_sessions([process.pid], grace=5)
            process.wait()
            watcher.forget(process.pid)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RedisMissingError(f"Redis does not start: {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
