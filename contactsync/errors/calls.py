"""Calls of AWS that failed, by what that means; AWS's own code goes along."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from contactsync.errors.root import ContactSyncError


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
    """AWS does not have the table, topic, queue, bucket or secret that the settings name."""

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
