"""What is refused before anything is written: events, settings, configurations, requests, sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from contactsync.errors.clearing import CLEAR_RUN
from contactsync.errors.root import ContactSyncError


def said(problems: Sequence[str]) -> str:
    """Return problems as one sentence, which ends as the last one does when that is a question."""
    text = "; ".join(problems)
    return text if text.endswith("?") else f"{text}."


@dataclass(eq=False)
class ChangeRefusedError(ContactSyncError):
    """Refuse an event that must not start a sync operation; `reason` is a value of `RefusalReason`."""

    reason: str
    detail: str
    event_id: str | None = None

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"Event {self.event_id or '(no id)'} is refused ({self.reason}): {self.detail}."


@dataclass(eq=False)
class SettingsError(ContactSyncError):
    """Name an environment variable that is missing or wrong, and the others that were found with it."""

    variable: str
    problem: str
    others: Mapping[str, str] = field(default_factory=dict)
    """From further variables to what is wrong with each."""

    @classmethod
    def of(cls, problems: Mapping[str, str]) -> Self:
        """Return the error for all of these variables, at least one."""
        (variable, problem), *others = problems.items()
        return cls(variable=variable, problem=problem, others=dict(others))

    @property
    def problems(self) -> dict[str, str]:
        """From every variable to what is wrong with it."""
        return {self.variable: self.problem, **self.others}

    @property
    def message(self) -> str:
        """The operator's sentence."""
        same: dict[str, list[str]] = {}
        for variable, problem in self.problems.items():
            same.setdefault(problem, []).append(variable)
        said = "; ".join(_said(variables, problem) for problem, variables in same.items())
        return f"{said}. docs/settings.md lists all of them."


@dataclass(eq=False)
class ConfigurationError(ContactSyncError):
    """Group everything that is wrong with the stored configuration."""


@dataclass(eq=False)
class ConfigurationMissingError(ConfigurationError):
    """Say that no configuration has been stored yet."""

    table: str
    config_key: str
    version: int | None = None

    @property
    def message(self) -> str:
        """The operator's sentence."""
        if self.version is not None:
            return (
                f"Table {self.table} has no version {self.version} of configuration {self.config_key!r}. "
                "`contactsync config history` lists those that there are."
            )
        return (
            f"Table {self.table} has no configuration {self.config_key!r}, so nothing was written. "
            "Store the defaults with `contactsync config init`, or your own with `contactsync config put FILE`."
        )


@dataclass(eq=False)
class ConfigurationPresentError(ConfigurationError):
    """Say that there is a configuration already, where a first one was to be stored."""

    config_key: str
    version: int

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"Configuration {self.config_key!r} is stored already, in version {self.version}, and stays in force. "
            "See it with `contactsync config show`, change it with `contactsync config set`."
        )


@dataclass(eq=False)
class ConfigurationInvalidError(ConfigurationError):
    """List every problem of a configuration, each as `field: problem`."""

    problems: Sequence[str]
    version: int | None = None

    @property
    def message(self) -> str:
        """The operator's sentence."""
        version = "" if self.version is None else f" (version {self.version})"
        return f"The configuration{version} is invalid: {said(self.problems)} Nothing was written."


@dataclass(eq=False)
class ConfigurationTooLargeError(ConfigurationError):
    """Say that a configuration is larger than what the table takes; sizes in bytes."""

    size: int
    limit: int

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"The configuration takes {self.size / 1024:.0f} KB, and a version may take {self.limit // 1024} KB at "
            "most: DynamoDB's limit for an item. Name organizational units or tags instead of thousands of accounts."
        )


@dataclass(eq=False)
class ProtectionLostError(ConfigurationError):
    """Refuse a change that takes protection away and that nobody has confirmed."""

    losses: Sequence[str]

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"This takes protection away: {said(self.losses)} Nothing was stored. Repeat it with --yes to store it."


@dataclass(eq=False)
class OrganizationUnreadError(ConfigurationError):
    """Say why the organization was not asked about a configuration."""

    reason: str

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"The organization was not asked: {self.reason}."


@dataclass(eq=False)
class RulesUnmatchedError(ConfigurationError):
    """Tell of rules that name accounts or tags which nobody has; never raised, because no run stops for it."""

    sentences: Sequence[str]
    version: int

    @property
    def message(self) -> str:
        """The operator's sentences."""
        return (
            f"Rules of the configuration (version {self.version}) name nobody: {' '.join(self.sentences)} The run "
            "went on without them."
        )


@dataclass(eq=False)
class ConfigurationConflictError(ConfigurationError):
    """Say that somebody else stored a version in the meantime."""

    config_key: str
    expected_version: int

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"Configuration {self.config_key!r} is no longer at version {self.expected_version}: somebody else "
            "changed it. Read it again (`contactsync config show`), then repeat the change."
        )


@dataclass(eq=False)
class RunRequestError(ContactSyncError):
    """Refuse the parameters of a run, each problem as a sentence of its own."""

    problems: Sequence[str]

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"The run's parameters are refused: {said(self.problems)} Nothing was written."

    @property
    def afterwards(self) -> str:
        """What a cleared run keeps is not corrected by clearing it."""
        return "Start another run with the right parameters: a cleared run keeps its own."


@dataclass(eq=False)
class RunClaimError(RunRequestError):
    """Refuse a run that says of itself what only the trigger function, or the report of another run, may say."""

    @property
    def afterwards(self) -> str:
        """The deployment can be wrong about the trigger function."""
        return (
            "If the trigger function started this run, set CONTACTSYNC_TRIGGER_USER to its name in Airflow, then "
            f"{CLEAR_RUN}. Else leave it as it is."
        )


@dataclass(eq=False)
class ListingIncompleteError(ContactSyncError):
    """Refuse a listing of the organization's accounts in which the management account itself is missing."""

    listed: int
    management_account: str

    transient = True

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"AWS Organizations listed {self.listed} member accounts and not the management account "
            f"{self.management_account}, so that the listing is not complete. Nothing was written. When it stays so, "
            "check CONTACTSYNC_MANAGEMENT_ACCOUNT_ID and the credentials."
        )


@dataclass(eq=False)
class ScopeEmptyError(ContactSyncError):
    """Say that a run which somebody started concerns no account at all."""

    contact_types: Sequence[str]
    version: int

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"No member account is in the scope of this run ({', '.join(self.contact_types)}). Compare its `accounts` "
            f"and `organizational_units` with `scope` of the configuration (version {self.version}); docs/scope.md "
            "says how they work together. Nothing was written."
        )

    @property
    def afterwards(self) -> str:
        """It depends on which of the two was wrong."""
        return (
            f"If the configuration was wrong, correct it, then {CLEAR_RUN}. If the run's parameters were wrong, start "
            "another run: a cleared one keeps its own."
        )


@dataclass(eq=False)
class CallerMismatchError(ContactSyncError):
    """Say that the credentials belong to another account than the management account."""

    expected_account: str
    actual_account: str

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"The credentials belong to account {self.actual_account}, not to the management account "
            f"{self.expected_account}. Set CONTACTSYNC_MANAGEMENT_ROLE_ARN to a role in that account, or run there. "
            "Nothing was written."
        )


@dataclass(eq=False)
class TrustedAccessOffError(ContactSyncError):
    """Say that Account Management may not act on the organization's accounts."""

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            "Trusted access for Account Management is off in this organization. In the management account run: "
            "aws organizations enable-aws-service-access --service-principal account.amazonaws.com"
        )


@dataclass(eq=False)
class MappingLimitError(ContactSyncError):
    """Say that Airflow is configured to map fewer tasks than the organization has accounts."""

    accounts: int
    limit: int

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"{self.accounts} accounts are to be synchronized, but Airflow maps at most {self.limit} tasks. Set the "
            f"Airflow option core.max_map_length to at least {self.accounts} (on MWAA: an Airflow configuration "
            f"option of the environment), then {CLEAR_RUN}. Nothing was written."
        )


@dataclass(eq=False)
class SourceContactMissingError(ContactSyncError):
    """Say that the management account has no primary contact, which AWS never lets happen."""

    transient = True

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            "AWS answered that the management account has no primary contact. Nothing was written. Look at the "
            f"account's contact information in the Account Management console, then {CLEAR_RUN}."
        )


def _said(variables: Sequence[str], problem: str) -> str:
    if len(variables) == 1:
        return f"Environment variable {variables[0]} {problem}"
    *most, last = variables
    plural = f"are {problem.removeprefix('is ')}" if problem.startswith("is ") else problem
    return f"Environment variables {', '.join(most)} and {last} {plural}"
