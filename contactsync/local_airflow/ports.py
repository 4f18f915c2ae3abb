"""Ports of this machine."""

import contextlib
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from errno import EINVAL
from pathlib import Path

HOST = "127.0.0.1"


@contextlib.contextmanager
def reserved_port(wanted: int) -> Iterator[int]:
    """Reserve a port for this process: the wanted one, or any when something listens there or another has reserved it.

    A server binds its port seconds after its address has been given to others. The reservation is a lock on a file in
    the directory of temporary files, which ends with the process. It holds against other reservations only.
    """
    with contextlib.ExitStack() as stack:
        usable = wanted != 0 and stack.enter_context(_locked(wanted)) and _is_free(wanted)
        yield probe(wanted if usable else 0)


def probe(port: int) -> int:
    """Return the port, or for 0 one that the system chooses; raise OSError when no server can listen there now."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port of a stopped server counts as free
        try:
            listening.bind((HOST, port))
        except OverflowError as error:
            raise OSError(EINVAL, str(error)) from error
        listening.listen()
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def _locked(port: int) -> Iterator[bool]:
    path = Path(tempfile.gettempdir(), f"contactsync-port-{port}.lock")
    try:
        file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    except OSError:  # another user's
        yield False
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked = True
    except OSError:
        locked = False
    try:
        yield locked
    finally:
        os.close(file)


def _is_free(port: int) -> bool:
    try:
        probe(port)
    except OSError:
        return False
    return True
