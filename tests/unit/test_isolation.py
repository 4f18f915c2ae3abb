"""The tests' own guards: no network, no one's AWS environment, and `long` tests only when asked for."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_no_connection(address: str) -> None:
    """A connection that leaves this machine fails at once, by name."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as plain, pytest.raises(Exception, match=address):
        plain.connect((address, 443))


def test_no_look_up() -> None:
    """So does a look-up of a name that is not this machine's."""
    with pytest.raises(Exception, match=r"account\.us-east-1"):
        socket.create_connection(("account.us-east-1.amazonaws.com", 443), timeout=1)


def test_loopback() -> None:
    """Connections to this machine work."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_no_credentials() -> None:
    """No credentials are found, wherever the caller keeps them."""
    assert boto3.Session().get_credentials() is None
    assert boto3.Session().region_name is None
    assert not [name for name in os.environ if name.startswith("CONTACTSYNC_")]


def test_long(tmp_path: Path) -> None:
    """Tests marked `long` are deselected, and run with --long."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = long: long\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.long\ndef test_late(): pass\ndef test_soon(): pass\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
        "test_it.py",
    ]
    for option, expected in (([], "1 passed, 1 deselected"), (["--long"], "2 passed")):
        answer = subprocess.run(
            [*command, *option], check=False, capture_output=True, text=True, cwd=tmp_path, timeout=60
        )
        assert expected in answer.stdout
