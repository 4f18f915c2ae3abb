"""The wheels that the Lambda functions need: downloaded as locked, and kept between two builds."""

import contextlib
import re
import secrets
import shutil
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from contactsync.errors import WheelsMissingError
from contactsync.packaging.pip import run_pip
from contactsync.packaging.programs import last_words

UNREACHABLE: Final = re.compile(
    rb"Retrying \(|ConnectionError|ConnectTimeout|ReadTimeout|NewConnectionError|Name or service not known|SSLError"
)
"""What pip prints about an index that does not answer."""

NO_ANSWER: Final = "the package index does not answer"
FAILED: Final = ("ERROR:",)
PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Platform:
    """What wheels must run on."""

    tag: str
    python: str
    pip_options: Sequence[str]

    def __str__(self) -> str:
        """Return a name for a folder, and for the manifest."""
        return f"{self.tag}-{self.python}"

    @classmethod
    def foreign(cls, tag: str, python: str) -> Self:
        """Return a platform whatever this machine is."""
        return cls(tag, python, ("--platform", tag, "--python-version", python, "--implementation", "cp"))

    @classmethod
    def here(cls) -> Self:
        """Return this interpreter's platform, for which pip itself knows the tags."""
        return cls(sysconfig.get_platform(), sysconfig.get_python_version(), ())


LAMBDA: Final = Platform.foreign("manylinux2014_aarch64", "3.12")
"""The functions' Runtime and Architectures in infra/."""


def pinned(lock: bytes) -> dict[str, str]:
    """Return the versions in a lock file, by package."""
    return dict(PIN.findall(lock.decode(errors="replace")))


@dataclass(frozen=True)
class LambdaWheels:
    """Where wheels come from: the index that pip is configured for, and a folder that keeps them."""

    kept: Path
    platform: Platform
    scratch: Path
    """An empty folder for this build."""
    say: Callable[[str], None]

    def of(self, lock: Path) -> Sequence[Path]:
        """Return the wheels of a lock file, each compared with its hash, also those that were kept.

        Raises WheelsMissingError when the index does not have one of them, or does not answer.
        """
        kept, fresh = self.kept / str(self.platform), self.scratch / f"{lock.stem}-wheels"
        if kept.is_dir() and not self._download(lock, fresh, "--no-index", "--find-links", str(kept)):
            return sorted(fresh.glob("*.whl"))
        shutil.rmtree(fresh, ignore_errors=True)
        self.say(f"Downloading the wheels of requirements/{lock.name}")
        if problem := self._download(lock, fresh, "--retries", "2"):
            reason = NO_ANSWER if UNREACHABLE.search(problem) else _without_label(last_words(problem, FAILED))
            raise WheelsMissingError(lock=f"requirements/{lock.name}", reason=reason)
        wheels = sorted(fresh.glob("*.whl"))
        _keep(wheels, kept)
        return wheels

    def _download(self, lock: Path, target: Path, *where: str) -> bytes:
        """Put the wheels of a lock file into a folder; return what pip printed if it failed, else nothing."""
        what = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--requirement", str(lock)]
        answer = run_pip("download", [*what, *self.platform.pip_options, "--dest", str(target), *where], self.scratch)
        return (answer.stderr or b"no message") if answer.returncode else b""


def _keep(wheels: Sequence[Path], kept: Path) -> None:
    """Copy wheels for the next build; a full disk or a folder that cannot be written only makes that one slower."""
    with contextlib.suppress(OSError):
        kept.mkdir(parents=True, exist_ok=True)
        for wheel in wheels:
            partial = kept / f".{wheel.name}.{secrets.token_hex(4)}.partial"
            try:
                shutil.copyfile(wheel, partial)
                partial.replace(kept / wheel.name)
            finally:
                partial.unlink(missing_ok=True)


def _without_label(line: str) -> str:
    return line.removeprefix(FAILED[0]).strip()
