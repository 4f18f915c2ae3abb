"""Errors about backups of the tables, and about restoring them."""

from dataclasses import dataclass

from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class BackupPresentError(ContactSyncError):
    """Raised when there is something already where a backup would be written."""

    path: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"There is something at {self.path} already, and a backup writes over nothing. Name a new folder with "
            "--output."
        )


@dataclass(eq=False)
class BackupUnwrittenError(ContactSyncError):
    """Raised when the system refuses to write a backup's files, such as on a full disk."""

    path: str
    reason: str
    again = "Fix the cause, or name another folder with --output, then repeat the command."

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"The backup cannot be written to {self.path}: {self.reason.rstrip('.')}."


@dataclass(eq=False)
class BackupStoppedError(ContactSyncError):
    """Raised when a backup ended before it was complete."""

    sentence: str
    """What happened, and what to do about it."""
    place: str
    """Where the files are that it wrote."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"{self.sentence} The backup is not complete: remove {self.place}, from which nothing can be restored, and "
            "run the command again."
        )


@dataclass(eq=False)
class BackupMissingError(ContactSyncError):
    """Raised when a place has no manifest: it holds no backup, or one that was not finished."""

    path: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"{self.path} has no manifest.json: it is no backup, or one that was not finished. Name the folder of a "
            "complete backup with --from."
        )


@dataclass(eq=False)
class BackupUnreadError(ContactSyncError):
    """Raised when the system refuses to read a backup's files."""

    path: str
    reason: str
    again = "Fix the cause, then repeat the command."

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"The backup cannot be read from {self.path}: {self.reason.rstrip('.')}."


@dataclass(eq=False)
class BackupSpoiledError(ContactSyncError):
    """Raised when a file of a backup is not what was written."""

    path: str
    file: str
    problem: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The backup in {self.path} is spoiled: {self.file} {self.problem}. Get another copy of this file, or "
            "restore another backup."
        )


@dataclass(eq=False)
class BackupFormatError(ContactSyncError):
    """Raised for a backup in a format that this version does not know."""

    path: str
    found: int
    known: int

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The backup in {self.path} has format {self.found}, and this version reads format {self.known}. Update "
            "contactsync to the version that made the backup; manifest.json names it."
        )


@dataclass(eq=False)
class BackupForeignError(ContactSyncError):
    """Raised for a backup of another environment, or of another organization."""

    path: str
    what: str
    """What differs: `environment` or `management account`."""
    actual: str
    expected: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        remedy = (
            f"If you mean it, add --from-environment {self.actual}."
            if self.what == "environment"
            else "Its records are about other accounts, so it cannot be restored here."
        )
        return f"The backup in {self.path} is of the {self.what} {self.actual}, and this is {self.expected}. {remedy}"


@dataclass(eq=False)
class TableFilledError(ContactSyncError):
    """Raised when a table to restore into is not empty, and the command does not say that this is meant."""

    table: str
    other: str = ""
    """The id of a backup whose restore has begun and was not finished."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        begun = f" A restore of the backup {self.other} has begun and was not finished." if self.other else ""
        return (
            f"Table {self.table} is not empty.{begun} To restore all the same, add --into-existing: items that are "
            "there stay, and items that are missing are added."
        )


@dataclass(eq=False)
class VersionsDifferError(ContactSyncError):
    """Raised when a table has another configuration under the number of a version in the backup."""

    table: str
    config_key: str
    version: int

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Version {self.version} of the configuration {self.config_key!r} in table {self.table} is another one "
            "than in the backup. Add --configuration backup, which replaces it and the backup's other versions, or "
            "--configuration table, which restores no configuration. Nothing was written."
        )


@dataclass(eq=False)
class RestoreStoppedError(ContactSyncError):
    """Raised when a restore ended after it had begun to write."""

    sentence: str
    """What happened, and what to do about it."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"{self.sentence} The restore is not complete: until it is, start no run. The same command goes on with "
            "it; what was restored already stays."
        )


@dataclass(eq=False)
class RestoreIncompleteError(ContactSyncError):
    """Raised when a table has less after a restore than the backup."""

    table: str
    what: str
    found: int
    expected: int

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"After the restore of table {self.table} {self.what} is {self.found} instead of at least {self.expected}. "
            "Pause contact_sync and contact_housekeeping if they run, then repeat the command."
        )
