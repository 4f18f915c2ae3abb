"""Where the code of functions comes from: one folder that all of them share, or the zip of each function."""

import contextlib
import importlib.machinery
import io
import re
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from moto.awslambda.models import LambdaFunction

_COMPILED: Final = (".so", ".pyd")
_LIBRARIES: Final = re.compile(r"(?:^|/)[^/]+\.(?:libs|dylibs)/")
"""Folders of libraries that compiled modules need; these have names of their own."""


class FunctionCodeError(Exception):
    """A folder of zips that the functions cannot run from; the message says why and what to do."""


@dataclass(frozen=True)
class Place:
    """Where the process of a function finds its code, and what else it sees."""

    code: Path
    directory: Path
    """The process's working directory."""
    isolated: bool
    """Whether the process sees only its code and Python's standard library."""


class FunctionCode(Protocol):
    """The source of all functions' code."""

    def place(self, function: LambdaFunction) -> Place:
        """Return where a function's code is; another place means other code."""

    def close(self) -> None:
        """Remove what was made for the functions."""


class SharedFolder:
    """A folder in place of all zips; functions also see the packages of this Python environment."""

    def __init__(self, root: Path) -> None:
        self._place = Place(root, root, isolated=False)

    def place(self, function: LambdaFunction) -> Place:
        """Return the folder."""
        del function
        return self._place

    def close(self) -> None:
        """Leave the folder as it is."""


class OwnZips:
    """The zip of each function, unpacked once for each content; a function sees nothing else, not even boto3."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._root: Path | None = None

    def place(self, function: LambdaFunction) -> Place:
        """Return the folder of the function's zip."""
        with self._lock:
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="contactsync-functions-"))
            empty, code = self._root / "empty", self._root / str(function.code_sha_256 or "none").replace("/", "_")
            empty.mkdir(exist_ok=True)
            if not code.exists():
                _unpack(function.code_bytes, code)
        return Place(code, empty, isolated=True)

    def close(self) -> None:
        """Remove the folders."""
        with self._lock:
            if self._root is not None:
                shutil.rmtree(self._root, ignore_errors=True)
                self._root = None


def read_code(folder: Path, name: str) -> bytes:
    """Return a zip in a folder; raise FunctionCodeError if it is missing, or is for another machine or Python."""
    try:
        content = (folder / name).read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            foreign = _foreign_modules(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a zip file"
        message = f"{folder / name} cannot be read: {reason}. {_advice()}"
        raise FunctionCodeError(message) from None
    if foreign:
        message = f"{folder / name} is for another machine or Python: this one cannot load {foreign[0]}. {_advice()}"
        raise FunctionCodeError(message)
    return content


def _foreign_modules(names: Iterable[str]) -> list[str]:
    """Return the compiled modules that this interpreter would not find; libraries beside them are none."""
    compiled = (name for name in names if name.endswith(_COMPILED) and not _LIBRARIES.search(name))
    return sorted(name for name in compiled if _suffix(name) not in importlib.machinery.EXTENSION_SUFFIXES)


def _suffix(name: str) -> str:
    return "." + name.rpartition("/")[2].partition(".")[2]


def _advice() -> str:
    return "Build zips for this machine with `contactsync package --platform this-machine`."


def _unpack(content: bytes, folder: Path) -> None:
    """Unpack a zip; of one that is none, nothing is unpacked, and the function does not find its handler."""
    partial = folder.with_suffix(".partial")
    partial.mkdir()
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(partial)
    partial.rename(folder)
