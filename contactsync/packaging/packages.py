"""All packages of a deployment in one folder, with a manifest that says what they are."""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from contactsync.data_format import DATA_FORMAT
from contactsync.errors import (
    CloneChangedError,
    PackagesPresentError,
    PackagesUnwrittenError,
    SourcesInconsistentError,
)
from contactsync.packaging.clone import Clone, Sources
from contactsync.packaging.function_zips import ZIPS
from contactsync.packaging.lambda_wheels import LAMBDA, LambdaWheels, Platform, pinned
from contactsync.packaging.product_wheel import build_wheel, version_of
from contactsync.packaging.reproducible_zip import read_zip, write_zip

PLUGIN: Final = "plugins/contactsync_plugin.py"
REQUIREMENTS: Final = "requirements.txt"
LOCKS: Final = "requirements/"
MANIFEST: Final = "manifest.json"
TEMPLATES: Final = "infra/"
DAGS: Final = "dags/"
KEPT_WHEELS: Final = ".run/wheels"
MOUNTED: Final = "it is a mount point, and a folder inside of it would do"

Say = Callable[[str], None]


@dataclass(frozen=True)
class PackageFile:
    """One file of the packages."""

    name: str
    """Its path in the folder, with slashes."""
    sha256: str
    size: int
    """In bytes."""


@dataclass(frozen=True)
class Packages:
    """What was built, as the manifest says it."""

    version: str
    commit: str
    uncommitted_changes: tuple[str, ...]
    """The files that were not as in the commit."""
    functions_for: str
    """The platform of the functions' compiled modules."""
    files: tuple[PackageFile, ...]
    data_format: int = DATA_FORMAT
    """The form of the data that this release writes."""


@dataclass(frozen=True)
class Build:
    """How packages are built from a clone."""

    clone: Clone
    say: Say
    allow_dirty: bool = False
    platform: Platform = LAMBDA
    """What the functions run on."""

    def into(self, output: Path) -> Packages:
        """Build all packages into a folder that does not exist or is empty: all of them, or nothing.

        Raises PackagesPresentError, CloneChangedError, and PackagesUnwrittenError when the system refuses to write.
        """
        target = output.resolve()
        try:
            if target.exists() and not (target.is_dir() and not any(target.iterdir())):
                raise PackagesPresentError(path=str(output))
            if target.is_mount():  # it could not be replaced in the end
                raise PackagesUnwrittenError(path=str(output), reason=MOUNTED)
            changes = self.clone.changes()
            if changes and not self.allow_dirty:
                raise CloneChangedError(paths=changes)
            with _partial(target) as partial:
                packages = self._build(partial / "packages", partial / "scratch", changes)
                (partial / "packages").rename(target)  # which replaces an empty folder
        except OSError as error:
            raise PackagesUnwrittenError(path=str(output), reason=error.strerror or type(error).__name__) from None
        return packages

    def _build(self, folder: Path, scratch: Path, changes: tuple[str, ...]) -> Packages:
        commit = self.clone.commit
        sources = self.clone.as_it_is() if changes else self.clone.committed()
        folder.mkdir()
        scratch.mkdir()
        self.say("Building the wheel of contactsync, and the files for MWAA")
        version = write_mwaa_files(sources, folder, scratch)
        for name, content in below(sources, TEMPLATES).items():
            path = folder / TEMPLATES / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self._write_function_zips(sources, folder, scratch)
        packages = Packages(version, commit, changes, str(self.platform), tuple(_files(folder)))
        (folder / MANIFEST).write_text(json.dumps(asdict(packages), indent=2) + "\n", encoding="utf-8")
        return packages

    def _write_function_zips(self, sources: Sources, folder: Path, scratch: Path) -> None:
        wheels = LambdaWheels(self.clone.root / KEPT_WHEELS, self.platform, scratch, self.say)
        for zipped in ZIPS:
            lock = scratch / zipped.lock
            lock.write_bytes(sources[LOCKS + zipped.lock])
            found = wheels.of(lock)
            self.say(f"Writing {zipped.name}")
            write_zip(folder / zipped.name, zipped.content(sources, found), compressed=True)


def write_mwaa_files(sources: Sources, folder: Path, scratch: Path) -> str:
    """Write what MWAA reads (plugins.zip, dags.zip, requirements.txt) beside the wheel; return the version."""
    wheel = build_wheel(sources, folder, scratch)
    _check_requirements(sources, version_of(wheel))
    write_zip(folder / "plugins.zip", {wheel.name: wheel.read_bytes(), PLUGIN.rpartition("/")[2]: sources[PLUGIN]})
    write_zip(folder / "dags.zip", below(sources, DAGS))
    (folder / REQUIREMENTS).write_bytes(sources[REQUIREMENTS])
    return version_of(wheel)


def below(sources: Sources, folder: str) -> dict[str, bytes]:
    """Return the files in a folder of the sources, by their paths from there."""
    return {path.removeprefix(folder): content for path, content in sources.items() if path.startswith(folder)}


def unzipped_size(path: Path) -> int | None:
    """Return the bytes of what is in a zip file; None for another file."""
    return sum(map(len, read_zip(path).values())) if path.suffix in {".zip", ".whl"} else None


def _check_requirements(sources: Sources, version: str) -> None:
    """MWAA installs what requirements.txt names, and of a failure there only a log knows."""
    if pinned(sources[REQUIREMENTS]).get("contactsync") != version:
        raise SourcesInconsistentError(
            path=REQUIREMENTS, problem=f"does not name contactsync=={version}, the version in pyproject.toml"
        )


def _files(folder: Path) -> Iterator[PackageFile]:
    for path in _sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        yield PackageFile(path.relative_to(folder).as_posix(), hashlib.sha256(content).hexdigest(), len(content))


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: os.fsencode(path.as_posix()))


@contextlib.contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Make a folder beside the target, on the same file system, and remove it in the end with all that is left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
