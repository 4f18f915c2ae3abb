"""Credentials, and the machine's other settings for the AWS SDK: missing, expired, refused or wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from contactsync.errors.aws.calls import AccessDeniedError, AwsCallError
from contactsync.errors.aws.codes import Meaning
from contactsync.errors.remedies import IDENTITY, Remedy, RemedyStep
from contactsync.errors.root import Reader

_SIGN_IN = {
    Reader.RECORD: (
        "On MWAA look at the environment's execution role; elsewhere sign in again (`aws sso login`), or renew "
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
    ),
    Reader.COMMAND: (
        "Sign in (`aws sso login`, set AWS_PROFILE), or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
        "AWS_SESSION_TOKEN. `aws sts get-caller-identity` must answer."
    ),
}


class CredentialsError(AccessDeniedError):
    """Calls cannot be signed, or AWS does not accept the signature: this concerns every call, not one permission."""

    says: ClassVar[Meaning | None] = None
    outcome_detail = "error"
    headline = "The AWS credentials cannot be used, the run stopped"
    remedy = Remedy(
        "AWS does not accept the credentials, or there are no credentials: no call can be made.",
        (
            IDENTITY,
            RemedyStep("On MWAA see the environment's execution role in the MWAA console; elsewhere sign in again."),
        ),
    )
    account_remedy = None
    dead_letter = (
        "There are no valid credentials for {function}: check its role, and whom the role trusts. Then {redrive}."
    )
    meaning: ClassVar[str] = "The AWS credentials cannot be used."

    def advice(self, reader: Reader) -> str:
        """Return who renews the credentials, and where."""
        return f"{self.meaning} {_SIGN_IN[reader]}"


class CredentialsMissingError(CredentialsError):
    """There are no AWS credentials to sign the call with, so it was not made."""

    says = Meaning.NO_CREDENTIALS
    meaning = "No AWS credentials were found, or they cannot be used."


class CredentialsExpiredError(CredentialsError):
    """The credentials are no longer valid; their source has to give new ones."""

    says = Meaning.EXPIRED
    meaning = "The AWS credentials have expired."


class CredentialsRefusedError(CredentialsError):
    """AWS does not know the access key, or the signature was made with another secret, or for another partition."""

    says = Meaning.REFUSED
    meaning = (
        "AWS does not accept the credentials or their signature: the key is unknown, deleted or of another partition, "
        "its secret or session token does not belong to it, or this machine's clock is wrong."
    )


class ClockWrongError(CredentialsError):
    """The signature's time differs from AWS's time by more than some minutes."""

    says = Meaning.CLOCK
    headline = "The clock of a machine is wrong, the run stopped"
    remedy = Remedy(
        "The clock of the machine that made the call differs from AWS's by minutes.",
        (RemedyStep("Set the clock of that machine; it should use NTP.", "date -u"),),
    )
    dead_letter = (
        "The time of the signature differs too much from AWS's time: {function} was delayed for minutes before its "
        "call, or the clock of its machine is wrong. Read its log. Then {redrive}."
    )

    def advice(self, reader: Reader) -> str:  # noqa: ARG002 -- the same for all
        """Return whose clock it is."""
        return (
            "The time of the signature differs too much from AWS's time: set the clock of the machine that made the "
            "call (`date -u`; it should use NTP), and check whether a proxy delays requests."
        )


@dataclass(eq=False)
class AwsSetupError(AwsCallError):
    """A setting of the AWS SDK on this machine is wrong, so nothing was called; `aws_code` is the SDK's name of it."""

    problem: str = "a setting of the AWS SDK is wrong"
    places: Sequence[str] = ()
    """The variables and files to look at."""

    says = Meaning.SETUP
    is_code_of_aws = False
    remedy = Remedy(
        "A setting of the AWS SDK on the machine that made the call is wrong.",
        (RemedyStep("Correct the variable or file that the sentence above names."),),
    )
    dead_letter = "Then {redrive}."

    @property
    def facts(self) -> str:
        """What happened, without advice."""
        return f"{self.api_operation}{self._whom} was not called: {self.problem}."

    @property
    def brief(self) -> str:
        """The whole sentence: it names the variable or the file."""
        return self.message

    def advice(self, reader: Reader) -> str:  # noqa: ARG002 -- the same for all
        """Return the places to look at."""
        return f"Look at {', '.join(self.places)}." if self.places else "Look at the AWS_* variables and ~/.aws/config."


class CredentialsUnreachableError(AwsCallError):
    """The machine's own source of credentials, such as the metadata service, did not answer; it may do so next time."""

    transient = True
    says = Meaning.NO_ANSWER
    is_code_of_aws = False
    hint = (
        "The endpoint that gives this machine its credentials did not answer: wait a minute; if the problem stays, "
        "check the network to this endpoint and the AWS_CONTAINER_CREDENTIALS_* and AWS_EC2_METADATA_* variables."
    )
    remedy = Remedy(
        "The endpoint that gives the machine its credentials did not answer.",
        (
            RemedyStep("Wait some minutes."),
            RemedyStep(
                "If the problem stays: check the machine's network to this endpoint, and the machine's "
                "AWS_CONTAINER_CREDENTIALS_* and AWS_EC2_METADATA_* variables; on MWAA ask AWS Support."
            ),
        ),
    )
    dead_letter = (
        "The endpoint that gives {function} its credentials did not answer, in every try. When it answers again, "
        "{redrive}."
    )
