"""Errors about building the packages of a deployment."""

from dataclasses import dataclass

from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class CloneMissingError(ContactSyncError):
    """Raised when the running command is not in a clone of the repository, which has the sources."""

    place: str
    """The folder where the sources would be."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Packages are built from a clone of the repository, and {self.place} is none: this contactsync was "
            "installed from a wheel, or without git. Clone the repository, run `make setup` in the clone, and there "
            "`.venv/bin/contactsync package`; or use packages that were built elsewhere."
        )


@dataclass(eq=False)
class CloneChangedError(ContactSyncError):
    """Raised when files of the clone are not as in its last commit."""

    paths: tuple[str, ...]

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        others = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return (
            f"The clone has changes that are not committed ({self.paths[0]}{others}), so nobody could build the same "
            "packages again. Commit or remove them, then repeat the command; or add --allow-dirty, and the manifest "
            "names them."
        )


@dataclass(eq=False)
class ToolMissingError(ContactSyncError):
    """Raised when a program that builds packages is missing, or has another version than the locked one."""

    tool: str
    problem: str
    remedy_sentence: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"Building the packages needs {self.tool}, which {self.problem}. {self.remedy_sentence}"


@dataclass(eq=False)
class ToolFailedError(ContactSyncError):
    """Raised when a program that builds packages fails for a reason of its own."""

    tool: str
    doing: str
    reason: str
    """What the program printed last."""
    again = "Fix the cause, then repeat the command."

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"{self.tool} failed while {self.doing}: {self.reason.rstrip('.')}."


@dataclass(eq=False)
class WheelsMissingError(ContactSyncError):
    """Raised when wheels for the Lambda functions cannot be downloaded, or are not what was locked."""

    lock: str
    reason: str
    """What pip printed."""
    transient = True
    again = "Then repeat the command."

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The wheels of {self.lock} could not be downloaded: {self.reason.rstrip('.')}. Check the network, and "
            "that the package index in `pip config list` has these versions and files."
        )


@dataclass(eq=False)
class SourcesInconsistentError(ContactSyncError):
    """Raised when a file of the clone is missing, broken, or contradicts another one: a deployment would fail."""

    path: str
    problem: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"{self.path} {self.problem}. Restore or correct the file, then repeat the command."


@dataclass(eq=False)
class PackagesPresentError(ContactSyncError):
    """Raised when the folder for the packages has something in it already."""

    path: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"{self.path} exists and is not an empty folder, and nothing is written over. Remove it, or name another "
            "folder with --output."
        )


@dataclass(eq=False)
class PackagesUnwrittenError(ContactSyncError):
    """Raised when the system refuses to write the packages, such as on a full disk."""

    path: str
    reason: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"No packages were written to {self.path}: {self.reason.rstrip('.')}. Fix the cause, or name another "
            "folder with --output, then repeat the command."
        )
