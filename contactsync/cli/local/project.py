"""The clone that the local system needs, and the packages of it that an installed wheel does not bring."""

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contactsync.errors import ContactSyncError

ROOT: Final = Path(__file__).resolve().parents[3]
EXTRAS: Final = {"airflow": "airflow", "moto": "sandbox", "requests": "sandbox", "werkzeug": "sandbox"}
"""The extra that brings a module which is imported when it is needed."""


@dataclass(eq=False)
class ProjectMissingError(ContactSyncError):
    """The folders of the clone are missing, as in an installed wheel."""

    folder: Path

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"{self.folder} is missing: run this in a clone of contactsync, after `make setup`."


@dataclass(eq=False)
class PackagesMissingError(ContactSyncError):
    """Packages are missing that only some commands need."""

    module: str
    remedy_sentence: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"This command needs the Python package {self.module}, which is not installed. {self.remedy_sentence}"


def project_root() -> Path:
    """Return the clone that this package is installed from; raise ProjectMissingError outside of one."""
    for folder in (ROOT / "dags", ROOT / "infra"):
        if not folder.is_dir():
            raise ProjectMissingError(folder)
    return ROOT


def packages_missing(error: ModuleNotFoundError) -> PackagesMissingError | None:
    """Return the error that says what to install for a module that is not there; None when no extra brings it."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(module)
    return None if extra is None else PackagesMissingError(module, _how_to_install(extra))


def _how_to_install(extra: str) -> str:
    from contactsync.checks.keyboard import how_to_install, required

    requirements = importlib.metadata.requires("contactsync") or []
    return how_to_install([text for text, _ in required(requirements, extra)], in_clone=(ROOT / "dags").is_dir())
