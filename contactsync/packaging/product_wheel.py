"""The wheel of contactsync: made by setuptools, then written again so that its bytes follow from the sources alone."""

import base64
import csv
import hashlib
import io
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from contactsync.errors import SourcesInconsistentError, ToolFailedError, ToolMissingError
from contactsync.packaging.clone import Sources
from contactsync.packaging.lambda_wheels import pinned
from contactsync.packaging.pip import run_pip
from contactsync.packaging.programs import last_words
from contactsync.packaging.reproducible_zip import read_zip, write_zip

LOCK: Final = "requirements/dev.txt"
BACKEND: Final = "setuptools"
RECORD: Final = ".dist-info/RECORD"
WHAT_IT_IS_MADE_OF: Final = ("contactsync/", "pyproject.toml", "LICENSE")


def build_wheel(sources: Sources, folder: Path, scratch: Path) -> Path:
    """Build the wheel into a folder and return its path.

    Raises ToolMissingError unless this environment has the locked version of setuptools: another one may write other
    metadata.
    """
    _check_backend(sources)
    tree, made = scratch / "sources", scratch / "wheel"
    for path, content in sources.items():
        if path.startswith(WHAT_IT_IS_MADE_OF):
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(content)
    # What a build needs is here already, so no index is asked.
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    answer = run_pip("wheel", [*offline, "--wheel-dir", str(made), str(tree)], scratch)
    if answer.returncode:
        reason = last_words(answer.stderr, ["error:", "ERROR:"])
        raise ToolFailedError(tool="setuptools", doing="building the wheel", reason=reason)
    (wheel,) = made.glob("*.whl")
    write_zip(folder / wheel.name, with_record(read_zip(wheel)))
    return folder / wheel.name


def version_of(wheel: Path) -> str:
    """Return the version in a wheel's name."""
    return wheel.name.split("-")[1]


def with_record(entries: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a wheel with a new RECORD, which lists them by name with their hashes and sizes.

    https://packaging.python.org/en/latest/specifications/binary-distribution-format/ describes RECORD.
    """
    (record,) = (name for name in entries if name.endswith(RECORD))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for name in sorted(entries):
        if name != record:
            rows.writerow((name, f"sha256={_hash(entries[name])}", len(entries[name])))
    rows.writerow((record, "", ""))
    return {**entries, record: text.getvalue().encode()}


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _check_backend(sources: Sources) -> None:
    needed = pinned(sources[LOCK]).get(BACKEND)
    if needed is None:
        raise SourcesInconsistentError(path=LOCK, problem=f"does not name {BACKEND}")
    try:
        found = version(BACKEND)
    except PackageNotFoundError:
        found = ""
    if found != needed:
        raise ToolMissingError(
            tool=f"{BACKEND} {needed}",
            problem=f"this Python environment has as {found}" if found else "this Python environment does not have",
            remedy_sentence="Run `make setup`, then repeat the command.",
        )
