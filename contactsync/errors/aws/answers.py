"""Errors that AWS answers, or calls without an answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from contactsync.errors.aws.calls import AwsCallError
from contactsync.errors.aws.codes import Meaning
from contactsync.errors.remedies import HEALTH, IDENTITY, SOURCE_CONTACT, TASK_LOG, WAIT, Blame, Remedy, RemedyStep
from contactsync.errors.root import Reader


class ThrottledError(AwsCallError):
    """AWS asked for fewer calls per second; the call was not carried out."""

    transient = True
    says = Meaning.THROTTLED
    outcome_detail = "throttled"
    hint = (
        "AWS limits the calls per second: wait a minute, and see what else calls with the same account's credentials."
    )
    remedy = Remedy(
        "AWS refused calls, because there were too many.",
        (RemedyStep("Wait some minutes; for a table, look at its throttled requests in the DynamoDB console."),),
    )
    account_remedy = Remedy(
        "There were too many calls: AWS refused them for longer than calls may wait.",
        (
            RemedyStep("See whether another program calls Account Management with the same account's credentials."),
            RemedyStep(
                "Compare `rates` of the configuration with your quotas (docs/pacing.md).", "contactsync config show"
            ),
        ),
    )
    dead_letter = "In every try there were more calls per second than AWS allows. When there is less to do, {redrive}."


class ConflictError(AwsCallError):
    """Another process changed the same item or resource at the same moment; nothing was carried out."""

    transient = True
    says = Meaning.CONFLICT
    hint = "Another process changed the same item or resource at the same moment: wait a moment."
    remedy = Remedy("Other processes kept changing the same item or resource.", (WAIT,))
    dead_letter = "In every try another process changed the {thing} at the same moment. Wait a moment, then {redrive}."


class ServiceUnavailableError(AwsCallError):
    """AWS failed or did not answer in time; the call may have been carried out."""

    transient = True
    says = Meaning.UNAVAILABLE
    outcome_detail = "unavailable"
    hint = "The service failed or did not answer: wait some minutes, and see the AWS Health Dashboard."
    remedy = Remedy("AWS failed or did not answer.", (HEALTH,))
    account_remedy = Remedy("AWS failed, or did not answer, in every try.", (HEALTH,))
    dead_letter = "The service failed or did not answer, in every try. When it answers again, {redrive}."


class ServiceUnreachableError(ServiceUnavailableError):
    """No connection to the service could be made."""

    says = Meaning.UNREACHED
    hint = (
        "The service could not be reached: check the network, the AWS_ENDPOINT_URL* and proxy variables (HTTPS_PROXY, "
        "NO_PROXY) and the region."
    )
    remedy = account_remedy = Remedy(
        "The service could not be reached over the network.",
        (
            RemedyStep("Check the machine's network: its subnets, security groups, VPC endpoints and DNS."),
            RemedyStep("Check its AWS_ENDPOINT_URL* and proxy variables (HTTPS_PROXY, NO_PROXY), and the region."),
        ),
    )
    dead_letter = (
        "The service could not be reached from {function}, in every try: check the function's network, its proxy "
        "variables and the region. Then {redrive}."
    )


class ProxyUnreachableError(ServiceUnreachableError):
    """The proxy through which this machine calls AWS could not be reached."""

    says = Meaning.PROXY
    hint = "The proxy could not be reached: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY."
    remedy = account_remedy = Remedy(
        "The machine's proxy for its calls to AWS could not be reached.",
        (RemedyStep("Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY of that machine, and whether the proxy runs."),),
    )


class AnswerForeignError(ServiceUnreachableError):
    """Something other than AWS answered, such as a proxy's page."""

    says = Meaning.FOREIGN
    hint = (
        "The answer did not come from AWS: check the AWS_ENDPOINT_URL* and proxy variables (HTTPS_PROXY, NO_PROXY), "
        "and whether the network asks for a sign-in."
    )
    remedy = account_remedy = Remedy(
        "The answer did not come from AWS, but for example from a proxy.",
        (
            RemedyStep(
                "Check the AWS_ENDPOINT_URL* and proxy variables (HTTPS_PROXY, NO_PROXY) of the machine that called."
            ),
            RemedyStep("See whether that machine's network asks for a sign-in."),
        ),
    )
    dead_letter = (
        "The answer to a call of {function} did not come from AWS: check the function's AWS_ENDPOINT_URL* and proxy "
        "variables. Then {redrive}."
    )


class SentTooLateError(ServiceUnavailableError):
    """The call was not sent: preparing it took so long that other tasks may have stopped waiting for it."""

    says = Meaning.LATE
    hint = (
        "The call was not sent, because this machine took too long to prepare it: check whether the machine has "
        "enough CPU for all that runs on it."
    )
    remedy = account_remedy = Remedy(
        "Calls were not sent, because the machine took too long to prepare them.",
        (
            RemedyStep(
                "See in the environment's metrics whether the workers have enough CPU, or run too many tasks at once."
            ),
        ),
    )
    dead_letter = (
        "The call was not sent, because {function} took too long to prepare it. Raise the function's MemorySize, then "
        "{redrive}."
    )


@dataclass(eq=False)
class RequestInvalidError(AwsCallError):
    """AWS found the request invalid; `fields` are the names that AWS gave, without values or AWS's message."""

    fields: Sequence[str] = ()

    says = Meaning.INVALID
    outcome_detail = "invalid"
    remedy = Remedy(
        "AWS refused a call as invalid.",
        (
            RemedyStep(
                "Compare what the sentence above names with the settings (docs/settings.md), or update contactsync."
            ),
            TASK_LOG,
        ),
    )
    account_remedy = Remedy("AWS refuses a value of the contact for the account.", (TASK_LOG, SOURCE_CONTACT))
    dead_letter = (
        "The request was invalid, so trying again does not help: look at the message, and update contactsync or "
        "correct the settings of {function}. Then {redrive}."
    )

    @property
    def facts(self) -> str:
        """What happened, without advice."""
        where = f" (fields: {', '.join(self.fields)})" if self.fields else ""
        return f"{self.api_operation}{self._whom} was refused as invalid{where}: {self.aws_code}{self._where}."

    def advice(self, reader: Reader) -> str:  # noqa: ARG002 -- the same for all
        """Return where the refused values come from."""
        if self.fields:
            return "Correct these fields of the contact in the management account."
        return "Check the settings and the input of this call, or update contactsync. See docs/operations.md."


class ResourceMissingError(AwsCallError):
    """AWS does not have the table, topic, queue, bucket, key or secret that the settings name."""

    says = Meaning.MISSING
    blame = Blame.CONFIGURATION
    hint = "The resource does not exist: check the CONTACTSYNC_* settings, the region and the stacks of infra/."
    remedy = Remedy(
        "A table, topic, queue, bucket or secret that the deployment names does not exist.",
        (
            RemedyStep(
                "Compare the CONTACTSYNC_* variables and the region with the outputs of the stacks (docs/settings.md)."
            ),
            IDENTITY,
        ),
    )
    account_remedy = Remedy(
        "A call of the account's task named something that does not exist: a table of the deployment, or the contact.",
        (
            TASK_LOG,
            RemedyStep(
                "If the log names a table, compare the CONTACTSYNC_* variables with the outputs of the stacks "
                "(docs/settings.md)."
            ),
        ),
    )
    dead_letter = (
        "The {thing} does not exist: compare the CONTACTSYNC_* variables of {function} with the outputs of the stacks. "
        "Then {redrive}."
    )


class ObjectMissingError(ResourceMissingError):
    """The bucket has no object with this name: it expired, or was deleted."""

    says = Meaning.OBJECT_MISSING
    hint = (
        "The object is not in the bucket: it expired, or was deleted. Its data cannot be read any more; see the "
        "bucket's lifecycle rules."
    )
    again = ""
    remedy = Remedy(
        "An object of the bucket is gone: it expired, or was deleted.",
        (RemedyStep("See the lifecycle rules of the bucket; the object's data cannot be read any more."),),
    )
    dead_letter = (
        "The object that the event names with dataref is gone: the bucket keeps event data for 35 days. `contactsync "
        "audit` shows what is kept of the event; discard the message."
    )


class KeyUnusableError(AwsCallError):
    """The KMS key of a table, topic, queue, bucket or secret is disabled, pending deletion or missing."""

    says = Meaning.KEY
    hint = "The KMS key of the resource cannot be used: see in the KMS console whether the key is enabled."
    remedy = Remedy(
        "The KMS key of a table, topic, queue, bucket or secret cannot be used.",
        (RemedyStep("See in the KMS console whether the key is enabled, and who may use it."),),
    )
    dead_letter = "The KMS key of the {thing} cannot be used: check the key's state and its policy. Then {redrive}."


class NotInOrganizationError(AwsCallError):
    """AWS Organizations does not know the account or organizational unit: it left, or was removed."""

    transient = True
    says = Meaning.GONE
    hint = (
        "The account or organizational unit is not in the organization, or was moved or removed during the run: look "
        "for it in AWS Organizations."
    )
    remedy = Remedy(
        "An account or organizational unit is not in the organization, or was moved during the run.",
        (
            RemedyStep("See in the AWS Organizations console where it is."),
            RemedyStep(
                "Compare the ids that the configuration names with the organization.", "contactsync config show"
            ),
        ),
    )
    dead_letter = (
        "The account or organizational unit is not in the organization any more. Look for it in AWS Organizations, "
        "then {redrive}."
    )


class OrganizationMissingError(AwsCallError):
    """The caller's account is not in any organization."""

    says = Meaning.NO_ORGANIZATION
    blame = Blame.CONFIGURATION
    hint = (
        "The account of the credentials belongs to no organization: check CONTACTSYNC_MANAGEMENT_ACCOUNT_ID and the "
        "role that is assumed."
    )
    remedy = Remedy(
        "The account of the credentials belongs to no organization.",
        (
            IDENTITY,
            RemedyStep(
                "Compare CONTACTSYNC_MANAGEMENT_ACCOUNT_ID and CONTACTSYNC_MANAGEMENT_ROLE_ARN with the management "
                "account (docs/settings.md)."
            ),
        ),
    )
    dead_letter = (
        "The account of {function} belongs to no organization: check its CONTACTSYNC_MANAGEMENT_* variables. Then "
        "{redrive}."
    )


class UnexpectedAwsError(AwsCallError):
    """AWS answered with a code that contactsync does not expect here; the call is tried again."""

    transient = True
    hint = "The code is not expected here: look it up in AWS's documentation of the call, and update contactsync."
    remedy = Remedy(
        "AWS answered a call with a code that contactsync does not expect there.",
        (RemedyStep("Look up the code in AWS's documentation of the call."), TASK_LOG),
    )
