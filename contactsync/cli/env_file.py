"""The file that a shell sources to use a running sandbox; it unsets variables that would lead elsewhere."""

import fcntl
import os
import re
import shlex
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from contactsync.errors import ContactSyncError, FileNotWrittenError

DIRECTORY: Final = Path(".run")

MARKER: Final = "CONTACTSYNC_SANDBOX"
"""The variable that says which sandbox a shell has chosen; an error names it when the sandbox does not answer."""

HEAD: Final = re.compile(r"# Written by contactsync, process ([0-9]+), ")

FOREIGN: Final = (
    r"\(AWS_[A-Za-z0-9_]*\)",
    r"\(BOTO[A-Za-z0-9_]*\)",
    r"\(CONTACTSYNC_[A-Za-z0-9_]*\)",
    r"\(AIRFLOW__CONTACTSYNC__[A-Za-z0-9_]*\)",
    r"\([A-Za-z]*_[Pp][Rr][Oo][Xx][Yy]\)",
    r"\(REQUESTS_CA_BUNDLE\)",
    r"\(CURL_CA_BUNDLE\)",
    r"\(SSL_CERT_[A-Z]*\)",
)
"""Patterns of `sed` for the names of variables that would lead commands elsewhere."""

AWS_COMMAND: Final = (
    "unalias aws 2>/dev/null || :",
    """aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }""",
)
"""The AWS command line before version 2.13 (Debian 12 has 2.9) takes no endpoint from the environment."""

CONNECT: Final = 2.0
"""Seconds to wait for a connection."""


@dataclass(eq=False)
class SandboxGoneError(ContactSyncError):
    """The sandbox that a shell has chosen does not answer any more."""

    url: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"No sandbox answers at {self.url}; start one with `contactsync sandbox start` or `make run`, and source "
            "the file that it names."
        )


@contextmanager
def env_file(variables: Mapping[str, str], url: str, directory: Path = DIRECTORY) -> Iterator[Path]:
    """Write a file to source, and remove it at the end; raise FileNotWrittenError when it cannot be written.

    It is `env`, or has another name when `env` belongs to a sandbox that still runs.
    """
    try:
        path = _written(_text(variables, url), url, directory)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FileNotWrittenError(path=str(directory / "env"), reason=reason) from None
    try:
        yield path
    finally:
        if _owner(path) == os.getpid():  # another sandbox may have taken the name of a file that somebody removed
            path.unlink(missing_ok=True)


def sandbox_gone(environ: Mapping[str, str]) -> SandboxGoneError | None:
    """Return an error when this shell has chosen a sandbox, and nothing listens there."""
    url = environ.get(MARKER)
    if not url or environ.get("AWS_ENDPOINT_URL") != url:
        return None
    place = urlsplit(url)
    try:
        socket.create_connection((place.hostname or "", place.port or 80), CONNECT).close()
    except OSError:
        return SandboxGoneError(url)
    return None


def _written(text: str, url: str, directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    with _alone(directory):
        path = next(name for name in _names(directory, url) if not _taken(name))
        partial = directory / f".env-{os.getpid()}.partial"
        with suppress(FileNotFoundError):
            partial.unlink()
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text.replace("@FILE@", shlex.quote(str(path))))
        partial.replace(path)
    return path


def _names(directory: Path, url: str) -> Iterator[Path]:
    yield directory / "env"
    yield directory / f"env-{urlsplit(url).port}"
    yield directory / f"env-{os.getpid()}"


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Lock the directory, so that no other process chooses a name at the same time."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _taken(path: Path) -> bool:
    """Return whether a file must not be overwritten: we did not write it, or its process still runs."""
    if not path.exists():
        return False
    owner = _owner(path)
    return owner is None or _runs(owner)


def _owner(path: Path) -> int | None:
    """Return the process that wrote a file; None when no process of ours did."""
    try:
        match = HEAD.match(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return int(match[1]) if match else None


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it runs, but under another user
        return True
    return True


def _text(variables: Mapping[str, str], url: str) -> str:
    process = os.getpid()
    patterns = " ".join(f"-e 's/^{name}=.*/\\1/p'" for name in FOREIGN)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in {**variables, MARKER: url}.items()]
    gone = f"No sandbox answers at {url}: it has ended. Start one with: contactsync sandbox start"
    return "\n".join(
        [
            f"# Written by contactsync, process {process}, for the sandbox at {url}. Source it:  . @FILE@",
            f"if ! kill -0 {process} 2>/dev/null && ! ps -p {process} >/dev/null 2>&1; then",
            f"  echo {shlex.quote(gone)} >&2",
            "  return 1",
            "fi",
            f"for contactsync_name in $(env | sed -n {patterns}); do",
            '  unset "$contactsync_name"',
            "done",
            "unset contactsync_name",
            *exports,
            *_path(),
            *AWS_COMMAND,
            "",
        ]
    )


def _path() -> Iterator[str]:
    """Yield the line that puts this installation's command first in PATH."""
    place = Path(sys.executable).parent
    if (place / "contactsync").exists():
        yield f'export PATH={shlex.quote(str(place))}:"$PATH"'
