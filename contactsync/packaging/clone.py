"""The clone that packages are built from: its commit, what was changed since, and its files."""

import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contactsync.errors import CloneMissingError, SourcesInconsistentError, ToolFailedError
from contactsync.packaging.programs import last_words, run

Sources = Mapping[str, bytes]
"""The contents of files by their paths in the clone, such as `infra/bus.yaml`."""

OTHER_CLONES: Final = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"}
)
"""Variables that make git look at another clone; git sets them for its hooks."""

AS_COMMITTED: Final = ("-c", "core.autocrlf=false", "-c", "core.eol=lf")
"""Files are taken as they are committed, whatever line ends this machine prefers."""

RENAMED: Final = frozenset("RC")
"""States that git follows with a second path."""


class Files(dict[str, bytes]):
    """Files of a clone; asking for one that is not there raises SourcesInconsistentError."""

    def __missing__(self, path: str) -> bytes:
        """Name the missing file: a deployment cannot do without it."""
        raise SourcesInconsistentError(path=path, problem="is missing")


@dataclass(frozen=True)
class Clone:
    """A clone of the repository, by its first folder."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> "Clone":
        """Return the clone in a folder; raise CloneMissingError when the folder is not the first one of a clone."""
        if not (root / "pyproject.toml").is_file():
            raise CloneMissingError(place=str(root))
        answer = run(["git", "-C", str(root), "rev-parse", "--show-toplevel"], "git", _environment())
        if answer.returncode:
            if b"dubious ownership" in answer.stderr:
                raise ToolFailedError(
                    tool="git", doing="reading the clone", reason=last_words(answer.stderr, ["fatal:"])
                )
            raise CloneMissingError(place=str(root))
        if Path(os.fsdecode(answer.stdout.rstrip(b"\r\n"))).resolve() != root.resolve():
            raise CloneMissingError(place=str(root))
        return cls(root)

    @property
    def commit(self) -> str:
        """The id of the commit that is checked out."""
        return self._git("rev-parse", "--verify", "HEAD^{commit}").decode().strip()

    def changes(self) -> tuple[str, ...]:
        """Return the paths of files that differ from the commit, and of new ones that git does not ignore."""
        fields = iter(self._git("status", "--porcelain=v1", "-z", "--untracked-files=all").split(b"\0"))
        found = []
        for field in filter(None, fields):
            found.append(os.fsdecode(field[3:]))
            if RENAMED & set(os.fsdecode(field[:2])):
                next(fields)
        return tuple(sorted(found))

    def committed(self) -> Sources:
        """Return the files of the commit."""
        with tarfile.open(fileobj=io.BytesIO(self._git(*AS_COMMITTED, "archive", "--format=tar", "HEAD"))) as archive:
            return Files({one.name: file.read() for one in archive if (file := archive.extractfile(one))})

    def as_it_is(self) -> Sources:
        """Return the files as they lie in the folder, without those that git ignores."""
        return Files(self._lying())

    def _lying(self) -> Iterator[tuple[str, bytes]]:
        listed = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split(b"\0")
        for name in sorted({os.fsdecode(one) for one in listed if one}):
            path = self.root / name
            if path.is_file():  # a removed one is listed, too
                yield name, path.read_bytes()

    def _git(self, *arguments: str) -> bytes:
        answer = run(["git", "-C", str(self.root), *arguments], "git", _environment())
        if answer.returncode:
            reason = last_words(answer.stderr, ["fatal:"])
            raise ToolFailedError(tool="git", doing="reading the clone", reason=reason)
        return answer.stdout


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OTHER_CLONES}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}
