"""Calls of AWS that failed: what all of them have in common, and those that AWS denies.

An error holds what is known about the call. The retry policy decides whether it is tried again, so no sentence here
says so. What to do is said to each `Reader` in suitable words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from contactsync.errors.aws.codes import MEANINGS, Meaning
from contactsync.errors.aws.services import name_of, service_of, thing_of, what_to_check
from contactsync.errors.remedies import IDENTITY, ROLE_POLICY, TRUSTED_ACCESS, Blame, Remedy, RemedyStep
from contactsync.errors.root import ContactSyncError, Reader


@dataclass(eq=False)
class AwsCallError(ContactSyncError):
    """A call of an AWS API failed; `aws_code` is AWS's own error code.

    The fields from `service` to `because` are filled as far as they are known: by boto3's client, and by AWS's answer
    when it denies something.
    """

    api_operation: str
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
    """The ARN of the resource for which the action was denied."""
    because: str | None = None
    """The kind of policy that denied it."""

    says: ClassVar[Meaning | None] = None
    """The meaning of AWS's codes that gives an error of this class; None if no code does."""
    is_code_of_aws: ClassVar[bool] = True
    """Whether a code that is not in the list comes from AWS; otherwise it can be the name of any exception."""
    hint: ClassVar[str] = "See docs/operations.md."
    again: ClassVar[str] = "Then repeat the command."
    dead_letter: ClassVar[str] = (
        "Look up the code in the API reference of {service}, and read the log of {function}. When the cause is fixed, "
        "{redrive}."
    )

    @property
    def code(self) -> str:
        """AWS's own error code."""
        return self.aws_code

    @property
    def known_as(self) -> str:
        """AWS's own error code; the class's name if that code does not say what the class says."""
        meant = MEANINGS.get(self.aws_code)
        fits = self.is_code_of_aws if meant is None else meant is self.says
        return self.aws_code if fits else self.short_name()

    @property
    def facts(self) -> str:
        """What happened, without advice."""
        return f"{self.api_operation}{self._whom} failed with {self.aws_code}{self._where}."

    @property
    def brief(self) -> str:
        """What happened, without the parts that follow from the name of a queue and its function."""
        of = f" of {self.service_name}" if self.service_name else ""
        return f"{self.api_operation}{of} failed with {self.aws_code}."

    @property
    def message(self) -> str:
        """The sentence as it is logged and stored."""
        return f"{self.facts} {self.advice(Reader.RECORD)}"

    def sentence_for(self, reader: Reader) -> str:
        """Return the facts, and what this reader can do."""
        if reader is Reader.COMMAND:
            return " ".join(filter(None, [self.facts, self.advice(reader), self.again]))
        return self.message

    def advice(self, reader: Reader) -> str:  # noqa: ARG002 -- a kind whose advice depends on it overrides this
        """Return how to remove the cause."""
        return self.hint

    @property
    def service_name(self) -> str:
        """People's name for the service; empty when it is not known."""
        service = service_of(self.api_operation, self.service)
        return name_of(service) if service else ""

    @property
    def thing(self) -> str:
        """What the call is about, such as a table."""
        return thing_of(self.api_operation, self.service)

    @property
    def _whom(self) -> str:
        return f" for account {self.account_id}" if self.account_id else ""

    @property
    def _where(self) -> str:
        parts = ", ".join(self._places())
        return f" ({parts})" if parts else ""

    def _places(self) -> Iterator[str]:
        if self.service_name:
            yield self.service_name + (f" at {self.endpoint}" if self.endpoint else "")
        if self.region and self.region not in (self.endpoint or ""):
            yield self.region
        if self.principal:
            yield f"as {self.principal}"
        if self.resource:
            yield f"on {self.resource}"
        if self.because:
            yield self.because


_WHOSE = {
    Reader.RECORD: "the role that is used",
    Reader.COMMAND: "the identity that is signed in (`aws sts get-caller-identity`)",
}


class AccessDeniedError(AwsCallError):
    """AWS denied the permission; another try cannot help."""

    says: ClassVar[Meaning | None] = Meaning.DENIED
    blame = Blame.PERMISSION
    outcome_detail = "permission_denied"
    remedy = Remedy(
        "AWS denies contactsync a permission.",
        (
            IDENTITY,
            RemedyStep("Compare the policies of that role, of what it called and of its KMS key with the call."),
            RemedyStep(
                "If it is a call of Account Management, see whether account.amazonaws.com is among the services with "
                "trusted access.",
                TRUSTED_ACCESS.command,
            ),
        ),
    )
    account_remedy: ClassVar[Remedy | None] = Remedy(
        "AWS denies contactsync the permission for the account.",
        (
            RemedyStep(
                "See which service control policies are attached to the account; those of its organizational units "
                "apply to it too.",
                "aws organizations list-policies-for-target --target-id {account} --filter SERVICE_CONTROL_POLICY",
            ),
            TRUSTED_ACCESS,
            ROLE_POLICY,
        ),
    )
    dead_letter = (
        "The role of {function} lacks the permission, or a policy of the {thing} or of its KMS key denies it: "
        "compare them with infra/bus.yaml. Then {redrive}."
    )

    def advice(self, reader: Reader) -> str:
        """Return which policies can deny this call."""
        whose = self.principal or _WHOSE[reader]
        return what_to_check(self.api_operation, self.service, action=self.action, whose=whose)


class KeyDeniedError(AccessDeniedError):
    """AWS KMS does not let the caller use the key that encrypts a table, topic, queue, bucket or secret."""

    says = Meaning.KEY_DENIED
    outcome_detail = "error"
    remedy = Remedy(
        "AWS KMS does not let contactsync use the key of a table, topic, queue, bucket or secret.",
        (IDENTITY, RemedyStep("See in the KMS console whether the key's policy lets that role use the key.")),
    )
    account_remedy = None
    dead_letter = "The KMS key of the {thing} cannot be used: check the key's state and its policy. Then {redrive}."

    def advice(self, reader: Reader) -> str:
        """Return the two policies that allow the use of a key."""
        return (
            f"Check that the policy of the KMS key of the {self.thing}, and the policies of "
            f"{self.principal or _WHOSE[reader]}, allow kms:Decrypt and kms:GenerateDataKey."
        )
