"""Clones of the repository as it lies on the disk, with a commit of their own that is always the same one."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_SOURCES = shutil.ignore_patterns(
    ".git", ".venv", ".run", ".*_cache", ".hypothesis", "__pycache__", "build", "dist", "*.egg-info", "tests"
)
AUTHOR = {
    **{
        f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in [("NAME", "t"), ("EMAIL", "t")]
    },
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as nobody in particular, and return what it prints."""
    answer = subprocess.run(
        ["git", "-C", str(folder), *arguments],  # noqa: S607 -- the git of this machine
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **AUTHOR},
        timeout=60,
    )
    return answer.stdout


def commit_all(folder: Path) -> None:
    """Make a folder a clone with one commit of all its files."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "all")


def clone_of_sources(folder: Path, order: Callable[[Iterable[str]], Iterable[str]] = sorted) -> Path:
    """Copy the repository without its tests into a folder, in an order of files, and commit it there."""
    names = [path.relative_to(ROOT) for path in _files(ROOT)]
    for name in order(map(str, names)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    commit_all(folder)
    return folder


def small_clone(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files into a folder, beside a pyproject.toml, and commit them."""
    for name, text in {"pyproject.toml": "", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    commit_all(folder)
    return folder


def _files(folder: Path) -> Iterable[Path]:
    for place, folders, names in os.walk(folder):
        ignored = NOT_SOURCES(place, [*folders, *names])
        folders[:] = sorted(set(folders) - ignored)
        yield from (Path(place) / name for name in sorted(set(names) - ignored))
