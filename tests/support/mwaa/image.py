"""The packages of the MWAA image in a Python environment of their own: `python -m tests.support.mwaa.image` makes it.

It takes a minute, once: the environment is kept in .run, under a name with the hash of the pins. A test takes a copy
of it, whose files are links, so that what it installs does not stay.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
PINS: Final = ROOT / "requirements" / "mwaa-3.3.1.txt"
KEPT: Final = ROOT / ".run"
WANTED: Final = (3, 12)
NEEDS_COMPILER: Final = "psycopg2"
"""Has no wheel; psycopg2-binary, which is on the image too, has the same modules."""


def normalized(name: str) -> str:
    """Return the name of a package as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


class ImageError(Exception):
    """The image's packages cannot be installed here."""


class PythonEnvironment:
    """A Python environment, by its folder."""

    def __init__(self, folder: Path) -> None:
        """Take an environment that is there already."""
        self.folder = folder
        self.python = folder / "bin" / "python"

    def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None, given: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Run its interpreter with nothing of the caller's settings for pip; the exit code is the caller's to judge."""
        return subprocess.run(
            [self.python, *arguments],
            check=False,
            capture_output=True,
            text=True,
            input=given,
            cwd=self.folder,  # not the clone, which has modules of the same names
            env={**_without_pip(os.environ), "PIP_CONFIG_FILE": os.devnull, **(environment or {})},
            timeout=540,
        )

    def packages(self) -> dict[str, str]:
        """Return the versions of all installed packages but pip, by their normalized names."""
        (site,) = self.folder.glob("lib/python*/site-packages")
        found = {one.metadata["Name"]: one.version for one in distributions(path=[str(site)])}
        return {normalized(name): version for name, version in found.items() if name != "pip"}

    def complaints(self) -> set[str]:
        """Return what `pip check` finds wrong."""
        answer = self.run("-m", "pip", "check")
        return set(answer.stdout.splitlines()) if answer.returncode else set()


def image() -> PythonEnvironment:
    """Return the environment with the image's packages and nothing else, which is made when it is not there."""
    KEPT.mkdir(exist_ok=True)
    python, version = interpreter()
    pins = pinned()
    digest = hashlib.sha256("\n".join([version, *pins]).encode()).hexdigest()[:12]
    folder = KEPT / f"mwaa-image-{digest}"
    with (KEPT / "mwaa-image.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            for earlier in KEPT.glob("mwaa-image-*/"):
                shutil.rmtree(earlier)
            _make(folder, python, pins)
            (folder / "complete").touch()
    return PythonEnvironment(folder)


@contextmanager
def image_copy() -> Iterator[PythonEnvironment]:
    """Give a copy of the environment, and remove it afterwards; it is on the same disk, because its files are links."""
    kept = image().folder
    with tempfile.TemporaryDirectory(dir=KEPT, prefix="mwaa-copy-") as place:
        folder = Path(place) / "environment"
        shutil.copytree(kept, folder, symlinks=True, copy_function=os.link)
        yield PythonEnvironment(folder)


def interpreter() -> tuple[Path, str]:
    """Return the Python to use with its version: 3.12, as on the image, where there is one, else the running one."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which("python3.12")
    for path in [*([Path(on_path)] if on_path else []), *sorted(versions.glob("3.12*/bin/python3.12"))]:
        answer = subprocess.run(
            [path, "-c", "import ensurepip, venv, platform; print(platform.python_version())"],
            check=False,
            capture_output=True,
            text=True,
        )
        if answer.returncode == 0:
            return path, answer.stdout.strip()
    return Path(sys.executable), ".".join(map(str, sys.version_info[:3]))


def pinned() -> list[str]:
    """Return the image's packages as lines `name==version`; without pg_config, psycopg2 is left out."""
    lines = [line for line in PINS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [line for line in lines if shutil.which("pg_config") or line.partition("==")[0] != NEEDS_COMPILER]


def sentence() -> str:
    """Say which Python the tests run under."""
    version = interpreter()[1]
    if version.startswith("3.12."):
        return f"The packages of the MWAA image run under Python {version}; the image has Python 3.12 too."
    return (
        f"There is no Python 3.12 on this machine: the packages of the MWAA image run under Python {version} instead."
    )


def _make(folder: Path, python: Path, pins: Sequence[str]) -> None:
    _checked([str(python), "-m", "venv", str(folder)])
    listed = folder / "packages.txt"
    listed.write_text("\n".join(pins) + "\n", encoding="utf-8")
    inside = str(folder / "bin" / "python")
    wheels = ["--only-binary", ":all:", "--no-binary", NEEDS_COMPILER, "--no-deps", "-r", str(listed)]
    # uv takes seconds, but knows nothing of pip's configuration: where that is needed, pip does it in minutes.
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--python", inside]
    if subprocess.run([*uv, *wheels], check=False, capture_output=True).returncode:
        _checked([inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wheels])
    # Now, and not in every copy: the first start of Airflow would compile thousands of files.
    _checked([inside, "-m", "compileall", "-q", "-j", "0", str(folder / "lib")], allowed={0, 1})


def _checked(command: Sequence[str], *, allowed: frozenset[int] | set[int] = frozenset({0})) -> None:
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    if answer.returncode not in allowed:
        words = (answer.stderr.strip() or answer.stdout.strip()).splitlines()[-3:]
        raise ImageError(f"The packages of the MWAA image could not be installed: {' '.join(words)}")


def _without_pip(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environment.items() if not name.startswith(("PIP_", "PYTHON"))}


if __name__ == "__main__":
    print(sentence(), flush=True)  # noqa: T201 -- its output
    image()
