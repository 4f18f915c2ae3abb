"""The file to source: who may read it, what it sets and takes away, whose it is, and what an ended sandbox leaves."""

import os
import socket
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contactsync.cli.app import app
from contactsync.cli.env_file import MARKER, SandboxGoneError, env_file, sandbox_gone
from contactsync.errors import FileNotWrittenError, SettingsError

URL = "http://127.0.0.1:4599"
ODD = 'it\'s "odd" $HOME `id` \\ ü'
SHELLS = [
    shell for shell in ("bash", "dash", "sh", "zsh") if any(Path(d, shell).exists() for d in ("/bin", "/usr/bin"))
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a place of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sourced(shell: str, program: str, place: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of a shell that has these variables."""
    return subprocess.run(
        [shell, "-c", program],
        cwd=place,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **variables},
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_private(here: Path) -> None:
    """Only its owner may read it, and it is gone with its sandbox."""
    with env_file({"AWS_ENDPOINT_URL": URL}, URL) as file:
        assert file == Path(".run/env")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [path.name for path in (here / ".run").iterdir()] == ["env"]
    assert list((here / ".run").iterdir()) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_sourced(here: Path, shell: str) -> None:
    """Values arrive as they are, and what a shell had that leads elsewhere is gone."""
    with env_file({"AWS_ENDPOINT_URL": URL, "CONTACTSYNC_STATE_TABLE": ODD}, URL):
        told = sourced(
            shell,
            ". .run/env && . .run/env && env | grep -v ^CONTACTSYNC_STATE | sort; "
            'printf "%s" "$CONTACTSYNC_STATE_TABLE"',
            here,
            AWS_PROFILE="prod",
            AWS_SESSION_TOKEN="t",
            AWS_ENDPOINT_URL_DYNAMODB="https://dynamodb.eu-west-1.amazonaws.com",
            CONTACTSYNC_MANAGEMENT_ROLE_ARN="arn:aws:iam::111122223333:role/x",
            HTTPS_PROXY="http://proxy",
            http_proxy="http://proxy",
            REQUESTS_CA_BUNDLE="ca.pem",
            OTHER="kept",
        )
    assert told.stderr == ""
    assert told.stdout.endswith(ODD)
    names = {line.partition("=")[0] for line in told.stdout.splitlines()}
    assert {name for name in names if name.startswith(("AWS_", "CONTACTSYNC_"))} == {"AWS_ENDPOINT_URL", MARKER}
    assert not {name for name in names if name.lower().endswith("_proxy") or "BUNDLE" in name}
    assert "OTHER=kept" in told.stdout
    assert f"PATH={Path(sys.executable).parent}:" in told.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_aws_command(here: Path, shell: str) -> None:
    """The AWS command line is led to the sandbox whatever its version, also where it is an alias, unless it is told."""
    (here / "bin").mkdir()
    (here / "bin" / "aws").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (here / "bin" / "aws").chmod(0o755)
    program = (
        "alias aws='aws --region eu-west-1'\n. .run/env\n. .run/env\nPATH=bin:$PATH\naws sts 'a b' --endpoint-url x"
    )
    with env_file({"AWS_ENDPOINT_URL": URL}, URL):
        told = sourced(shell, program, here)
    assert (told.stdout, told.stderr) == (f"--endpoint-url|{URL}|sts|a b|--endpoint-url|x|", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_left_behind(here: Path, shell: str) -> None:
    """The file of a process that was killed says so, and what comes after && is not carried out."""
    program = (
        "import os; from contactsync.cli.env_file import env_file; "
        f"manager = env_file({{'X': 'y'}}, {URL!r}); manager.__enter__(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=here, check=False, timeout=60).returncode == -9
    assert (here / ".run" / "env").exists()
    told = sourced(shell, ". .run/env && echo carried out", here)
    assert told.stdout == ""
    assert f"No sandbox answers at {URL}" in told.stderr
    assert "contactsync sandbox start" in told.stderr
    with env_file({}, URL) as file:
        assert file == Path(".run/env")


@pytest.mark.usefixtures("here")
def test_several() -> None:
    """The first has the plain name as long as it runs; each removes its own."""
    with ExitStack() as first, env_file({}, "http://127.0.0.1:1") as other:
        assert first.enter_context(env_file({}, "http://127.0.0.1:2")) == Path(".run/env-2")
        assert other.read_text().splitlines()[0].endswith("Source it:  . .run/env")
        assert Path(".run/env-2").read_text().splitlines()[0].endswith("Source it:  . .run/env-2")
    assert list(Path(".run").iterdir()) == []


@pytest.mark.usefixtures("here")
def test_many_at_once() -> None:
    """However many begin together, each has a file of its own."""
    begun = threading.Barrier(8)
    found: list[Path] = []

    def one(port: int) -> None:
        begun.wait(10)
        with env_file({}, f"http://127.0.0.1:{port}") as file:
            found.append(file)
            begun.wait(10)

    threads = [threading.Thread(target=one, args=(port,)) for port in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(set(found)) == 8
    assert list(Path(".run").iterdir()) == []


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("content", [b"export MINE=1\n", b"\xff\xfe", b""])
def test_not_ours(content: bytes) -> None:
    """A file that somebody made is left alone."""
    Path(".run").mkdir()
    Path(".run/env").write_bytes(content)
    with env_file({}, URL) as file:
        assert file == Path(".run/env-4599")
    assert Path(".run/env").read_bytes() == content


@pytest.mark.usefixtures("here")
def test_not_written() -> None:
    """A place that cannot be written to is one sentence."""
    Path(".run").write_text("a file")
    with pytest.raises(FileNotWrittenError, match=r"\.run/env"), env_file({}, URL):
        pytest.fail("there is no such file")


@pytest.fixture
def silent() -> str:
    """Give an address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def test_gone(silent: str) -> None:
    """Only a shell that has chosen a sandbox is told that it is gone."""
    chosen = {MARKER: silent, "AWS_ENDPOINT_URL": silent}
    assert isinstance(sandbox_gone(chosen), SandboxGoneError)
    assert sandbox_gone({"AWS_ENDPOINT_URL": silent}) is None
    assert sandbox_gone(chosen | {"AWS_ENDPOINT_URL": "https://elsewhere"}) is None
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert sandbox_gone({MARKER: url, "AWS_ENDPOINT_URL": url}) is None


@pytest.mark.parametrize("listens", [True, False])
def test_commands_say_it(monkeypatch: pytest.MonkeyPatch, silent: str, *, listens: bool) -> None:
    """A command that fails names the sandbox that is gone; its own error otherwise."""
    for name in [name for name in os.environ if name.startswith("CONTACTSYNC_")]:
        monkeypatch.delenv(name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}" if listens else silent
        monkeypatch.setenv(MARKER, url)
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        error = CliRunner().invoke(app, ["operations", "list"]).exception
    assert isinstance(error, SettingsError if listens else SandboxGoneError)
    assert listens or f"No sandbox answers at {silent}; start one with " in str(error)
