"""Calls of AWS that failed, by what that means; AWS's own code goes along.

An error carries what is known of the call. Whether it is tried again is the retry policy's to say, so no sentence here
does; what to do is said to each `Reader` in words that fit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from contactsync.errors.permissions import NAMES, service_of, what_to_check
from contactsync.errors.root import ContactSyncError, Reader

AGAIN: dict[Reader, str] = {
    Reader.RECORD: "",
    Reader.COMMAND: "Then repeat the command.",
}
"""How one goes on when the cause is gone."""


@dataclass(eq=False)
class AwsCallError(ContactSyncError):
    """Group the ways in which a call of an AWS API fails; `aws_code` is AWS's own error code.

    `service` to `because` are said as far as they are known: by boto3's client, and by AWS where it denies something.
    """

    operation: str
    aws_code: str
    account_id: str | None = None
    answered: bool = True
    """Whether the call is over; one that was sent and not answered may still be carried out."""
    service: str | None = None
    """boto3's name of the service."""
    region: str | None = None
    endpoint: str | None = None
    """The URL that was called."""
    principal: str | None = None
    """The ARN of the caller."""
    action: str | None = None
    """The IAM action that was denied."""
    resource: str | None = None
    """The ARN that it was denied on."""
    because: str | None = None
    """Which kind of policy denied it."""

    hint: ClassVar[str] = "See docs/operations.md."

    @property
    def code(self) -> str:
        """AWS's own error code."""
        return self.aws_code

    @property
    def facts(self) -> str:
        """What happened, without advice."""
        return f"{self.operation}{self._whom} failed with {self.aws_code}{self._where}."

    @property
    def message(self) -> str:
        """The sentence as it is logged and stored."""
        return self.told(Reader.RECORD)

    def told(self, reader: Reader) -> str:
        """Return the facts, and what this reader can do."""
        return " ".join(filter(None, [self.facts, self.advice(reader), AGAIN[reader]]))

    def advice(self, reader: Reader) -> str:  # noqa: ARG002 -- a kind whose advice depends on it overrides this
        """Return what ends the cause."""
        return self.hint

    @property
    def _whom(self) -> str:
        return f" for account {self.account_id}" if self.account_id else ""

    @property
    def _where(self) -> str:
        parts = ", ".join(self._places())
        return f" ({parts})" if parts else ""

    def _places(self) -> Iterator[str]:
        if service := service_of(self.operation, self.service):
            yield NAMES.get(service, service) + (f" at {self.endpoint}" if self.endpoint else "")
        if self.region and self.region not in (self.endpoint or ""):
            yield self.region
        if self.principal:
            yield f"as {self.principal}"
        if self.resource:
            yield f"on {self.resource}"
        if self.because:
            yield self.because


class AccessDeniedError(AwsCallError):
    """AWS refused the permission; trying again cannot help."""

    def advice(self, reader: Reader) -> str:
        """Name the policies that can deny this call."""
        whose = {
            Reader.RECORD: "the role that is used",
            Reader.COMMAND: "whoever is signed in (`aws sts get-caller-identity`)",
        }[reader]
        return what_to_check(self.operation, self.service, action=self.action, whose=self.principal or whose)


class CredentialsError(AccessDeniedError):
    """Calls cannot be signed, or AWS does not take the signature: it concerns every call, not one permission."""

    meaning: ClassVar[str] = "The AWS credentials cannot be used."

    def advice(self, reader: Reader) -> str:
        """Say who renews the credentials, and where."""
        return f"{self.meaning} {_SIGN_IN[reader]}"


class CredentialsMissingError(CredentialsError):
    """There are no AWS credentials to sign the call with, so it was not made."""

    meaning = "No AWS credentials were found, or they cannot be used."


class CredentialsExpiredError(CredentialsError):
    """The credentials were valid once; whoever gave them has to give new ones."""

    meaning = "The AWS credentials have expired."


class CredentialsRefusedError(CredentialsError):
    """AWS does not know the access key, or the signature was made with another secret, or for another partition."""

    meaning = (
        "AWS does not accept the credentials or their signature: the key is unknown, deleted or of another partition, "
        "its secret or session token does not belong to it, or this machine's clock is wrong."
    )


class ClockWrongError(CredentialsError):
    """The signature's time is more than minutes away from AWS's."""

    def advice(self, reader: Reader) -> str:  # noqa: ARG002 -- the same for all
        """Say whose clock it is."""
        return (
            "The time of the signature is too far from AWS's: set the clock of the machine that made the call "
            "(`date -u`; it should use NTP), and look whether a proxy holds back requests."
        )


_SIGN_IN = {
    Reader.RECORD: (
        "Whoever runs this signs in again (`aws sso login`), or renews AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
        "AWS_SESSION_TOKEN; on MWAA look at the environment's execution role."
    ),
    Reader.COMMAND: (
        "Sign in (`aws sso login`, set AWS_PROFILE), or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
        "AWS_SESSION_TOKEN. `aws sts get-caller-identity` must answer."
    ),
}


@dataclass(eq=False)
class AwsSetupError(AwsCallError):
    """What the AWS SDK reads on this machine is wrong, so nothing was called; `aws_code` is its own name of it."""

    problem: str = "a setting of the AWS SDK is wrong"
    places: Sequence[str] = ()
    """The variables and files to look at."""

    @property
    def facts(self) -> str:
        """What happened, without advice."""
        return f"{self.operation}{self._whom} was not called: {self.problem}."

    def advice(self, reader: Reader) -> str:  # noqa: ARG002 -- the same for all
        """Name the places."""
        return f"Look at {', '.join(self.places)}." if self.places else "Look at the AWS_* variables and ~/.aws/config."


class CredentialsUnreachableError(AwsCallError):
    """The machine's own source of credentials, such as the metadata service, did not answer; it may the next time."""

    transient = True
    hint = "The endpoint that gives this machine its credentials did not answer."


class ThrottledError(AwsCallError):
    """AWS asked for fewer calls per second; the call was not carried out."""

    transient = True
    hint = (
        "AWS limits the calls per second: wait a minute, and see what else calls with the same account's credentials."
    )


class ConflictError(AwsCallError):
    """Somebody else changed the same item or resource at the same moment; nothing was carried out."""

    transient = True
    hint = "Something else changed the same thing at the same moment."


class ServiceUnavailableError(AwsCallError):
    """AWS failed or did not answer in time; the call may have been carried out."""

    transient = True

    def advice(self, reader: Reader) -> str:  # noqa: ARG002 -- the same for all
        """Tell a service that cannot be reached from one that fails."""
        if self.aws_code == "ProxyConnectionError":
            return "The proxy could not be reached: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY."
        if self.aws_code == "ResponseParserError":
            return (
                "What answered there is not AWS: check the AWS_ENDPOINT_URL* and proxy variables (HTTPS_PROXY, "
                "NO_PROXY), and whether the network asks for a sign-in."
            )
        if self.aws_code in _UNREACHED:
            return (
                "It could not be reached: check the network, the AWS_ENDPOINT_URL* and proxy variables (HTTPS_PROXY, "
                "NO_PROXY) and the region."
            )
        return "The service failed or did not answer: wait some minutes, and see the AWS Health Dashboard."


_UNREACHED = frozenset({"ConnectTimeoutError", "EndpointConnectionError", "SSLError"})


@dataclass(eq=False)
class RequestInvalidError(AwsCallError):
    """AWS found the request invalid; `fields` are the names it gave, without values or AWS's message."""

    fields: Sequence[str] = ()

    @property
    def facts(self) -> str:
        """What happened, without advice."""
        where = f" (fields: {', '.join(self.fields)})" if self.fields else ""
        return f"{self.operation}{self._whom} was refused as invalid{where}: {self.aws_code}{self._where}."


class ResourceMissingError(AwsCallError):
    """AWS does not have the table, topic, queue, bucket, key or secret that the settings name."""

    hint = "It does not exist: check the CONTACTSYNC_* settings, the region and the stacks of infra/."


class ObjectMissingError(ResourceMissingError):
    """The bucket has no object of this name: it expired, or was deleted."""

    hint = "The object is not in the bucket: it expired, or was deleted; what it held cannot be read any more."


class KeyUnusableError(AwsCallError):
    """The KMS key of a table, topic, queue, bucket or secret is disabled, pending deletion or missing."""

    hint = "The KMS key that encrypts it cannot be used: see in the KMS console whether it is enabled."


class NotInOrganizationError(AwsCallError):
    """AWS Organizations does not know the account or organizational unit: it left, or was removed, meanwhile."""

    transient = True
    hint = "It is not in the organization, or was moved or removed while it was looked at."


class OrganizationMissingError(AwsCallError):
    """The caller's account is not in any organization."""

    hint = (
        "The account of the credentials belongs to no organization: check CONTACTSYNC_MANAGEMENT_ACCOUNT_ID and the "
        "role that is assumed."
    )


class UnexpectedAwsError(AwsCallError):
    """AWS answered with a code that contactsync does not know; it is tried again, never guessed at."""

    transient = True
    hint = "The code is new to this version of contactsync: look it up in AWS's documentation of the call."
