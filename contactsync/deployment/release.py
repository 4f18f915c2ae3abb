"""What is released: a folder of packages, compared with its manifest."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from contactsync.errors import PackagesUnusableError

MANIFEST: Final = "manifest.json"
PLUGINS: Final = "plugins.zip"
REQUIREMENTS: Final = "requirements.txt"
DAGS: Final = "dags.zip"
TRIGGER: Final = "lambda-trigger.zip"
SUBSCRIBERS: Final = "lambda-subscribers.zip"
TEMPLATES: Final = "infra"
LAMBDA: Final = "manylinux2014_aarch64-3.12"
"""What the functions' zips are built for: the Runtime and Architectures of the templates."""
NEEDED: Final = (PLUGINS, REQUIREMENTS, DAGS, TRIGGER, SUBSCRIBERS, f"{TEMPLATES}/stacks.yaml")


@dataclass(frozen=True)
class Release:
    """Packages whose files are as their manifest says."""

    folder: Path
    version: str
    commit: str
    manifest: bytes
    files: Mapping[str, str]
    """The SHA-256 digest of every file by its path in the folder."""
    data_format: int = 1
    """The form of the data that it writes."""

    @property
    def digest(self) -> str:
        """What is the same for the same packages, and for no others."""
        return digest(self.manifest)

    @property
    def templates(self) -> Path:
        """The folder with the templates."""
        return self.folder / TEMPLATES

    def content(self, name: str) -> bytes:
        """Return a file's content; raise PackagesUnusableError when it is no longer what the manifest says."""
        return _checked(self.folder, name, self.files[name])

    def dags(self) -> dict[str, bytes]:
        """Return the DAG files by their paths in the folder of DAGs."""
        try:
            with zipfile.ZipFile(io.BytesIO(self.content(DAGS))) as archive:
                return {one.filename: archive.read(one) for one in archive.infolist() if not one.is_dir()}
        except (zipfile.BadZipFile, RuntimeError, ValueError):
            raise PackagesUnusableError(str(self.folder), f"{DAGS} is not a zip file") from None


def read_release(folder: Path) -> Release:
    """Read a folder of packages, and compare every file with the manifest; raise PackagesUnusableError."""
    where = str(folder)
    try:
        manifest = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise PackagesUnusableError(where, f"{MANIFEST} cannot be read ({error.strerror})") from None
    content = _parsed(where, manifest)
    files = _files(where, content)
    if missing := [name for name in NEEDED if name not in files]:
        raise PackagesUnusableError(where, f"{MANIFEST} does not list {', '.join(missing)}")
    for name, expected in files.items():
        _checked(folder, name, expected)
    for path in (folder / TEMPLATES).rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in files:
            raise PackagesUnusableError(where, f"{MANIFEST} does not list {name}")
    version, commit = content.get("version"), content.get("commit")
    if not (isinstance(version, str) and isinstance(commit, str) and version and commit):
        raise PackagesUnusableError(where, f"{MANIFEST} has no version or no commit")
    if (functions_for := content.get("functions_for")) != LAMBDA:
        raise PackagesUnusableError(where, f"its functions are built for {functions_for}, and Lambda needs {LAMBDA}")
    data_format = content.get("data_format", 1)
    return Release(folder, version, commit, manifest, files, data_format if isinstance(data_format, int) else 1)


def digest(content: bytes) -> str:
    """Return the SHA-256 digest."""
    return hashlib.sha256(content).hexdigest()


def is_inside(name: str) -> bool:
    """Return whether a path with slashes stays in its folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _parsed(where: str, manifest: bytes) -> dict[str, Any]:
    try:
        content = json.loads(manifest)
    except (ValueError, RecursionError):
        raise PackagesUnusableError(where, f"{MANIFEST} is not JSON") from None
    if not isinstance(content, dict):
        raise PackagesUnusableError(where, f"{MANIFEST} is not the manifest of packages")
    return content


def _files(where: str, content: Mapping[str, Any]) -> dict[str, str]:
    listed = content.get("files")
    files = {}
    for one in listed if isinstance(listed, list) else [None]:
        name, sha256 = (one.get("name"), one.get("sha256")) if isinstance(one, dict) else (None, None)
        if not (isinstance(name, str) and isinstance(sha256, str) and is_inside(name)):
            raise PackagesUnusableError(where, f"{MANIFEST} is not the manifest of packages")
        files[name] = sha256
    return files


def _checked(folder: Path, name: str, expected: str) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise PackagesUnusableError(str(folder), f"{name} cannot be read ({error.strerror})") from None
    if digest(content) != expected:
        raise PackagesUnusableError(str(folder), f"{name} is not the file that {MANIFEST} describes")
    return content
