"""What is wrong with a configuration, stored or about to be stored."""

from collections.abc import Sequence
from dataclasses import dataclass

from contactsync.errors.refusals import said
from contactsync.errors.remedies import Blame, Remedy, RemedyStep
from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class ConfigurationError(ContactSyncError):
    """Any error of the stored configuration."""

    blame = Blame.CONFIGURATION


@dataclass(eq=False)
class ConfigurationMissingError(ConfigurationError):
    """Raised when no configuration has been stored yet."""

    table: str
    config_key: str
    version: int | None = None
    remedy = Remedy(
        "No configuration is stored.",
        (RemedyStep("Store one.", "contactsync config put configuration.json"),),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        if self.version is not None:
            return (
                f"Table {self.table} has no version {self.version} of configuration {self.config_key!r}. `contactsync "
                "config history` lists the versions that exist."
            )
        return (
            f"Table {self.table} has no configuration {self.config_key!r}, so nothing was written. "
            "Store the defaults with `contactsync config init`, or your own with `contactsync config put FILE`."
        )


@dataclass(eq=False)
class ConfigurationPresentError(ConfigurationError):
    """Raised when a first configuration is to be stored and there is one already."""

    config_key: str
    version: int

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Configuration {self.config_key!r} is already stored, in version {self.version}, and was not changed. "
            "See it with `contactsync config show`, change it with `contactsync config set`."
        )


@dataclass(eq=False)
class ConfigurationInvalidError(ConfigurationError):
    """Raised for an invalid configuration, with every problem as `field: problem`."""

    problems: Sequence[str]
    version: int | None = None
    remedy = Remedy(
        "The stored configuration is not valid.",
        (
            RemedyStep("See who changed what last.", "contactsync config history"),
            RemedyStep(
                "Go back to the last valid version; this alone fixes the problem.",
                "contactsync config rollback VERSION",
            ),
            RemedyStep(
                "Or print that version, save it as configuration.json, and change this file.",
                "contactsync config show --version VERSION",
            ),
            RemedyStep("Check the file.", "contactsync config validate configuration.json"),
            RemedyStep("Store the file.", "contactsync config put configuration.json"),
        ),
    )
    again = "Correct the configuration, then repeat the command."

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        version = "" if self.version is None else f" (version {self.version})"
        return f"The configuration{version} is invalid: {said(self.problems)} Nothing was written."


@dataclass(eq=False)
class ConfigurationTooLargeError(ConfigurationError):
    """Raised when a configuration is larger than the table accepts; sizes in bytes."""

    size: int
    limit: int

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The configuration has {self.size / 1024:.0f} KB; a version may have at most {self.limit // 1024} KB, "
            "DynamoDB's limit for an item. Name organizational units or tags instead of thousands of accounts."
        )


@dataclass(eq=False)
class ProtectionLostError(ConfigurationError):
    """Raised for a change that takes protection away, if nobody has confirmed it."""

    losses: Sequence[str]

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"This takes protection away: {said(self.losses)} Nothing was stored. To store it, repeat the command "
            "with --yes."
        )


@dataclass(eq=False)
class OrganizationUnreadError(ConfigurationError):
    """Raised when the organization could not be asked about a configuration."""

    reason: str
    again = "Compare the ids and tags of the configuration with the organization yourself."

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"The organization was not asked: {self.reason}."


@dataclass(eq=False)
class RulesUnmatchedError(ConfigurationError):
    """The error about rules that name accounts or tags that nobody has; never raised, because no run stops for it."""

    sentences: Sequence[str]
    version: int
    headline = "Rules of the configuration match no account"
    stops_run = False
    remedy = Remedy(
        (
            "A typing error in an exclusion leaves an account unprotected; a rule for an account that has left the "
            "organization can be removed."
        ),
        (
            RemedyStep("Compare the ids and tags with the accounts of the organization.", "contactsync config show"),
            RemedyStep("Add the right id first.", "contactsync config add excluded_accounts ACCOUNT_ID"),
            RemedyStep("Then remove the wrong id.", "contactsync config remove excluded_accounts ACCOUNT_ID"),
        ),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Rules of the configuration (version {self.version}) match no account: {' '.join(self.sentences)} The "
            "run continued without them."
        )


@dataclass(eq=False)
class ConfigurationConflictError(ConfigurationError):
    """Raised when somebody else has stored a version since."""

    config_key: str
    expected_version: int
    """The version that should have been the latest one; 0 for none."""
    remedy = Remedy(
        "Two people changed the configuration at once.",
        (RemedyStep("Read it again, then repeat the change.", "contactsync config show"),),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Configuration {self.config_key!r} is no longer at version {self.expected_version}: somebody else "
            "changed it. Read it again (`contactsync config show`), then repeat the change."
        )
