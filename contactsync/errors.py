"""Every error that contactsync raises on purpose, as one tree.

Standard library only: the trigger Lambda imports this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(eq=False)
class ContactSyncError(Exception):
    """Say what happened, to which account, and what to do next; `str()` gives that sentence.

    Fields hold the parts of the message, never a contact value. Instances survive pickling.
    """

    transient: ClassVar[bool] = False
    """Whether the cause may pass by itself."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from the fields: the default needs positional arguments."""
        return _rebuild, (type(self), self.__dict__.copy())

    def __str__(self) -> str:
        """Return the operator's sentence."""
        return self.message

    @property
    def retryable(self) -> bool:
        """Whether the same step may succeed when it is simply tried again."""
        return self.transient

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return type(self).__name__

    @property
    def code(self) -> str:
        """A short name for tables and metrics: the AWS code where there is one, else the class's own."""
        return type(self).__name__.removesuffix("Error")


def _rebuild(cls: type[ContactSyncError], fields: dict[str, Any]) -> ContactSyncError:
    error = cls.__new__(cls)
    error.__dict__.update(fields)
    return error


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
    """Name an environment variable that is missing or wrong."""

    variable: str
    problem: str

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"Environment variable {self.variable} {self.problem}. docs/settings.md lists all of them."


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
        version = "" if self.version is None else f" version {self.version}"
        return (
            f"Table {self.table} has no configuration {self.config_key!r}{version}, so nothing was written. "
            "Store one with `contactsync config put FILE`."
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
        return f"The configuration{version} is invalid: {'; '.join(self.problems)}. Nothing was written."


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
        return f"The run's parameters are refused: {'; '.join(self.problems)}. Nothing was written."


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
            "tells how they work together. Nothing was written."
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
            "option of the environment) and clear this task. Nothing was written."
        )


@dataclass(eq=False)
class SourceContactInvalidError(ContactSyncError):
    """Say which fields of the management account's contact AWS would refuse in a member account; no values."""

    contact_type: str
    fields: Sequence[str]

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"The management account's {self.contact_type} contact breaks the documented limits of AWS in "
            f"{', '.join(self.fields)}, so every member account would refuse it. Correct it in the management account; "
            "that change starts a new run."
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
            "account's contact information in the Account Management console, then clear this task."
        )


@dataclass(eq=False)
class AwsCallError(ContactSyncError):
    """Group the ways in which a call of an AWS API fails; `aws_code` is AWS's own error code."""

    operation: str
    aws_code: str
    account_id: str | None = None
    answered: bool = True
    """Whether the call is over; one that was sent and not answered may still be carried out."""

    hint: ClassVar[str] = "See docs/operations.md."

    @property
    def code(self) -> str:
        """AWS's own error code."""
        return self.aws_code

    @property
    def message(self) -> str:
        """The operator's sentence."""
        whom = f" for account {self.account_id}" if self.account_id else ""
        return f"{self.operation}{whom} failed with {self.aws_code}. {self.hint}"


class AccessDeniedError(AwsCallError):
    """AWS refused the permission; trying again cannot help."""

    hint = (
        "Check the role's policy, service control policies that apply to the account, and that trusted access for "
        "account.amazonaws.com is on; then clear this task."
    )


class CredentialsMissingError(AccessDeniedError):
    """There are no AWS credentials to sign the call with, so it was not made."""

    hint = (
        "No AWS credentials were found, or they cannot be used. Sign in (`aws sso login`, set AWS_PROFILE), or set "
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; on MWAA check the environment's execution "
        "role. `aws sts get-caller-identity` must answer."
    )


class ThrottledError(AwsCallError):
    """AWS asked for fewer calls per second; the call was not carried out."""

    transient = True
    hint = "AWS limits the calls per second; the task is tried again."


class ServiceUnavailableError(AwsCallError):
    """AWS failed or did not answer in time; the call may have been carried out."""

    transient = True
    hint = "The service failed or did not answer; the task is tried again."


@dataclass(eq=False)
class RequestInvalidError(AwsCallError):
    """AWS found the request invalid; `fields` are the names it gave, without values or AWS's message."""

    fields: Sequence[str] = ()

    @property
    def message(self) -> str:
        """The operator's sentence."""
        where = f" (fields: {', '.join(self.fields)})" if self.fields else ""
        whom = f" for account {self.account_id}" if self.account_id else ""
        return f"{self.operation}{whom} was refused as invalid{where}. {self.hint}"


class ResourceMissingError(AwsCallError):
    """AWS does not have the table or the secret that the settings name."""

    hint = "It does not exist: check the CONTACTSYNC_* settings, the region and the stacks of infra/."


class NotInOrganizationError(AwsCallError):
    """AWS Organizations does not know the account or organizational unit: it left, or was removed, meanwhile."""

    transient = True
    hint = "It is not in the organization, or was moved or removed while it was looked at; the task looks again."


class OrganizationMissingError(AwsCallError):
    """The caller's account is not in any organization."""

    hint = (
        "The account of the credentials belongs to no organization: check CONTACTSYNC_MANAGEMENT_ACCOUNT_ID and the "
        "role that is assumed."
    )


class UnexpectedAwsError(AwsCallError):
    """AWS answered with a code that contactsync does not know; it is tried again, never guessed at."""

    transient = True
    hint = "The code is not one that AWS documents for this call; the task is tried again."


@dataclass(eq=False)
class WriteNotSeenError(ContactSyncError):
    """Say that a written contact cannot be read back yet: reads are eventually consistent (FACTS 2.1)."""

    account_id: str
    contact_type: str

    transient = True

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"The {self.contact_type} contact of account {self.account_id} was written, but AWS still answers another "
            "one; the task looks again."
        )


@dataclass(eq=False)
class DesiredContactMissingError(ContactSyncError):
    """Say that no desired contact is stored, although a task is to apply one."""

    contact_type: str

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"No desired {self.contact_type} contact is stored. Clear the task `plan` of this run."


@dataclass(eq=False)
class OperationMissingError(ContactSyncError):
    """Say that a run has no sync operation, or half of one, because its `plan` did not finish."""

    dag_run_id: str

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"Run {self.dag_run_id} has no finished plan, so there is nothing to report. See the log of its task "
            "`plan`, then clear that task."
        )


class OperationUnknownError(OperationMissingError):
    """Say that neither a run nor a sync operation has the name that somebody asked for."""

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"No sync operation belongs to {self.dag_run_id}: its task `plan` has not run, or the operation expired. "
            "`contactsync operations list` shows those that are there."
        )


@dataclass(eq=False)
class FileNotWrittenError(ContactSyncError):
    """Say that a file cannot be written, and why the system says so."""

    path: str
    reason: str

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"{self.path} was not written: {self.reason}."


@dataclass(eq=False)
class StateConflictError(ContactSyncError):
    """Say that others kept changing an item between reading and writing it."""

    item: str
    tries: int

    transient = True

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"{self.item} changed {self.tries} times while it was being written; the task tries again."


@dataclass(eq=False)
class OvertakenError(ContactSyncError):
    """Say that a later try has recorded its result already, so that this one's is dropped."""

    item: str

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"{self.item} was recorded by a later try meanwhile; this one's result is dropped. Nothing is to be done."
        )


@dataclass(eq=False)
class OperationFailedError(ContactSyncError):
    """Turn a run red whose report counts too many failed accounts."""

    failed: int
    threshold: int
    total: int

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"{self.failed} of {self.total} account outcomes failed (the threshold is {self.threshold}). The table "
            "above names each with its error; mend the cause, then clear the run with only failed tasks selected."
        )


@dataclass(eq=False)
class PausedError(ContactSyncError):
    """Say that a task waits, outside of its worker, for its turn; no try is used up."""

    cause: str
    """What it waits for: an AWS code, or `Backlog` when the limiter's queue is too long."""
    resume_in: float
    """Seconds."""

    transient = True

    @property
    def code(self) -> str:
        """What it waits for."""
        return self.cause

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"Calls pause ({self.cause}); the task goes on by itself in about {self.resume_in:.0f} s."


@dataclass(eq=False)
class HaltedError(ContactSyncError):
    """Say that the whole operation stopped for a cause that concerns every account."""

    cause: str
    sentence: str

    @property
    def code(self) -> str:
        """The cause's code."""
        return self.cause

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"The operation is halted: {self.sentence} Then clear the run with only failed tasks selected."


@dataclass(eq=False)
class OutageError(ContactSyncError):
    """Say that a call has failed for everyone for longer than calls may pause."""

    operation: str
    cause: str
    seconds: float

    @property
    def code(self) -> str:
        """AWS's own error code."""
        return self.cause

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"{self.operation} has been failing ({self.cause}) for more than {self.seconds:.0f} s, the configuration's "
            "breaker.max_pause. See the AWS Health Dashboard and wait for the service."
        )


@dataclass(eq=False)
class HousekeepingError(ContactSyncError):
    """Name the operations that could not be closed, each with its problem; the next pass tries them again."""

    problems: Sequence[str]

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"{len(self.problems)} sync operations could not be closed: {'; '.join(self.problems)}."


@dataclass(eq=False)
class FinalInEarlierTryError(ContactSyncError):
    """Say that an earlier try of the same task met an error that trying again cannot mend."""

    account_id: str
    contact_type: str
    first_code: str

    @property
    def code(self) -> str:
        """The code of that error."""
        return self.first_code

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"The {self.contact_type} contact of account {self.account_id} is left as it is: an earlier try ended with "
            f"{self.first_code}. Mend the cause, then clear this task."
        )


@dataclass(eq=False)
class AccountsFailedError(ContactSyncError):
    """Carry the errors of one account's contact types out of a task."""

    account_id: str
    errors: Sequence[ContactSyncError]

    @property
    def retryable(self) -> bool:
        """Whether at least one of them may pass when tried again."""
        return any(error.retryable for error in self.errors)

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return " ".join(str(error) for error in self.errors)


@dataclass(eq=False)
class TriggerError(ContactSyncError):
    """Say that Airflow did not accept a run; Lambda tries again and keeps the event as a dead letter in the end."""

    event_id: str
    status: int | None
    answer: str

    transient = True

    @property
    def message(self) -> str:
        """The operator's sentence."""
        status = "no status" if self.status is None else f"status {self.status}"
        return f"Airflow did not start a run for event {self.event_id} ({status}, {self.answer})."
