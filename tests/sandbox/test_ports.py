"""Ports that several local systems want at the same moment."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contactsync.local_airflow.ports import probe, reserved_port
from contactsync.sandbox.requests import listening

HOLDER = """
import sys
from contactsync.local_airflow.ports import reserved_port
with reserved_port(int(sys.argv[1])) as port:
    print(port, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(port: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Reserve the port in another process; yield the process and the port that it got."""
    command = [sys.executable, "-c", HOLDER, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the locks of the tests apart from those of this machine, also in other processes."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


class TestReservation:
    """A port is promised before a server listens on it."""

    def test_free(self) -> None:
        """A free port is kept, and can be bound while it is."""
        wanted = probe(0)
        with reserved_port(wanted) as port, socket.create_server(("127.0.0.1", port)):
            assert port == wanted

    def test_any(self) -> None:
        """Port 0 is any port, each time another one."""
        with reserved_port(0) as first, socket.create_server(("127.0.0.1", first)), reserved_port(0) as second:
            assert 0 not in {first, second}
            assert first != second

    def test_used(self) -> None:
        """A port where something listens is replaced by another one."""
        with socket.create_server(("127.0.0.1", 0)) as taken, reserved_port(taken.getsockname()[1]) as port:
            assert port not in {0, taken.getsockname()[1]}

    def test_out_of_range(self) -> None:
        """A number that no port has is replaced, too."""
        with reserved_port(70_000) as port:
            assert 0 < port < 65_536

    def test_reserved_by_another_process(self) -> None:
        """What another process has reserved is not given away although nothing listens yet."""
        wanted = probe(0)
        with holder(wanted) as (_, theirs), reserved_port(wanted) as ours:
            assert theirs == wanted
            assert ours not in {0, wanted}

    def test_killed_process(self) -> None:
        """A process that is killed leaves no reservation."""
        wanted = probe(0)
        with holder(wanted) as (process, _):
            process.kill()
            process.wait()
            with reserved_port(wanted) as ours:
                assert ours == wanted

    def test_no_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where no lock can be made, any port does."""
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
        wanted = probe(0)
        with reserved_port(wanted) as port:
            assert port not in {0, wanted}


class TestSandboxPort:
    """The sandbox listens on its preferred port as soon as it has chosen it."""

    def test_two_sandboxes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second of two takes another port."""
        preferred = probe(0)
        monkeypatch.setattr(listening, "PREFERRED_PORT", preferred)
        with listening.listen_somewhere() as first, listening.listen_somewhere() as second:
            assert first.getsockname()[1] == preferred
            assert second.getsockname()[1] not in {0, preferred}

    def test_named_port(self) -> None:
        """A port that is named is not replaced."""
        with listening.listen(0) as first, pytest.raises(listening.PortTakenError):
            listening.listen(first.getsockname()[1])
