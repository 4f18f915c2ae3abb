"""What `contactsync sandbox start` prints is carried out to the letter in a new shell, and works."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).parent / "contactsync")
SHELL = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "AWS_PROFILE": "production", "HTTPS_PROXY": "http://192.0.2.1:9"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a place that is no clone."""
    return tmp_path_factory.mktemp("walk")


@pytest.fixture(scope="module")
def printed(place: Path) -> Iterator[str]:
    """Start a sandbox as a newcomer does, and give what it prints; in the end Ctrl-C ends it and removes its file."""
    output = place / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [COMMAND, "sandbox", "start", "--accounts", "2"],
            cwd=place,
            env={**SHELL, "HOME": str(place)},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 120
        while "Press Ctrl-C to stop" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        yield output.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert list((place / ".run").iterdir()) == []
    finally:
        process.kill()
        process.wait()


def typed(place: Path, line: str) -> "subprocess.CompletedProcess[str]":
    """Type a line in a new shell."""
    return subprocess.run(
        ["/bin/bash", "-c", line],
        cwd=place,
        env={**SHELL, "HOME": str(place)},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def first_line(printed: str) -> str:
    """Return what makes the commands of a new shell work."""
    (line,) = re.findall(r"^In another terminal:  (.*)$", printed, flags=re.MULTILINE)
    assert line == ". .run/env && contactsync sandbox status"
    return ". .run/env"


def named(printed: str) -> list[str]:
    """Return the commands that stand on lines of their own, those over several lines as a whole."""
    return [
        text.strip() for text in re.findall(r"^  (?:contactsync [^\n]*|python -c '[^']*')", printed, flags=re.MULTILINE)
    ]


def test_every_command(place: Path, printed: str) -> None:
    """Each command that is named ends with 0, from the line to begin with to the first configuration."""
    begin = first_line(printed)
    assert max(map(len, printed.splitlines())) <= 80
    commands = ["contactsync sandbox status", *named(printed)]
    assert len(commands) == 5
    for command in commands:
        answer = typed(place, f"{begin} && {command}")
        assert (answer.returncode, "Traceback" in answer.stderr) == (0, False), f"{command}: {answer.stderr}"
    assert "PutAlternateContact" in typed(place, f"{begin} && contactsync sandbox calls").stdout


def test_tables_are_there(place: Path, printed: str) -> None:
    """The commands of the product work on it as on a deployment that has not run yet."""
    begin = first_line(printed)
    for command in ("operations list", "operations desired", "audit --since 1d", "dead-letters list", "export"):
        answer = typed(place, f"{begin} && contactsync {command}")
        assert answer.returncode == 0, f"{command}: {answer.stderr}"
    report = typed(place, f"{begin} && contactsync report")
    assert (report.returncode, report.stdout) == (1, "")
    assert "There is no sync operation yet" in report.stderr


def test_first_configuration(place: Path, printed: str) -> None:
    """The defaults can be stored once, read back, changed and put again from the standard input."""
    begin = f"{first_line(printed)} && export CONTACTSYNC_CONFIG_KEY=walk"
    missing = typed(place, f"{begin} && contactsync config show")
    assert "contactsync config init" in missing.stderr
    assert typed(place, f"{begin} && contactsync config init").stdout == "Stored as version 1.\n"
    again = typed(place, f"{begin} && contactsync config init")
    assert (again.returncode, again.stdout) == (1, "")
    assert "in version 1" in again.stderr
    shown = typed(place, f"{begin} && contactsync config show")
    assert shown.stdout == typed(place, f"{begin} && contactsync config show --defaults").stdout
    piped = typed(place, f"{begin} && contactsync config show | sed s/3600/3600/ | contactsync config put - --reason x")
    assert piped.stdout.startswith("Stored as version 2"), piped.stderr


def test_second_sandbox(place: Path, printed: str) -> None:
    """Another one beside it takes another port, and a file of its own name."""
    assert first_line(printed)
    with subprocess.Popen(
        [COMMAND, "sandbox", "start", "--accounts", "1"],
        cwd=place,
        env={**SHELL, "HOME": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(4)]
            port = re.findall(r"http://127\.0\.0\.1:([0-9]+):", lines[0])[0]
            assert lines[3].startswith(f"In another terminal:  . .run/env-{port} && ")
            with socket.create_connection(("127.0.0.1", int(port)), 5):
                pass
        finally:
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(60) == 0
            finally:
                process.kill()
    assert (place / ".run" / "env").exists()
    assert not (place / ".run" / f"env-{port}").exists()
