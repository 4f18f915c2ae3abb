"""What people do next: the command or the place in a console, per kind of failure.

Outcomes are looked up by their error's code where that is one of ours, else by their detail; errors of `plan` by their
code. docs/operations.md says at length what is one line here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from contactsync.configuration.schema import NoticeScenario
from contactsync.errors.aws_codes import MEANINGS, Meaning
from contactsync.errors.clearing import DOWNSTREAM, clear_task
from contactsync.operations.operation import OutcomeDetail


@dataclass(frozen=True)
class Step:
    """One thing to do: a sentence, and the command that does it where there is one."""

    say: str
    command: str | None = None


@dataclass(frozen=True)
class Remedy:
    """What a failure means, and what fixes its cause."""

    meaning: str
    steps: tuple[Step, ...]

    def about(self, account_id: str) -> "Remedy":
        """Return this remedy with its commands about one account."""
        return replace(
            self,
            steps=tuple(
                replace(s, command=s.command and s.command.replace("{account}", account_id)) for s in self.steps
            ),
        )


TRUSTED_ACCESS: Final = Step(
    "See whether account.amazonaws.com is among the services with trusted access.",
    "aws organizations list-aws-service-access-for-organization --query 'EnabledServicePrincipals[].ServicePrincipal'",
)
IDENTITY: Final = Step("See whose credentials are used.", "aws sts get-caller-identity")
ROLE_POLICY: Final = Step(
    "See in the IAM console whether the policies of contactsync's role allow the Get, Put and Delete calls of Account "
    "Management."
)
HEALTH: Final = Step("Wait until the AWS Health Dashboard (in the console) shows no problem with the service.")
TASK_LOG: Final = Step("Read the end of the task's log in Airflow.")
SOURCE_CONTACT: Final = Step(
    "Correct the contact in the management account; that change starts a new run. "
    "Console: the account's name at the top right, then Account."
)
CLEAR_FAILED: Final = Step(
    'When the cause is fixed: in Airflow open the run, press Clear and choose "Clear only failed tasks". Accounts '
    "that are right are left alone, and the run turns green."
)
CLEAR_SOME: Final = Step(
    f"When the cause is fixed: in Airflow clear the failed accounts' tasks {DOWNSTREAM}, so that the report counts "
    "again."
)
CLEAR_TASK: Final = Step(f"When the cause is fixed: in Airflow clear the failed task of the run, {DOWNSTREAM}.")

CLEAR_PLAN: Final = Step(f"In Airflow {clear_task('plan', 'of this run')}, so that what is missing is planned again.")

OUTCOMES_MISSING: Final = Remedy(
    "Outcomes that the plan stored are not there any more: they expired or were removed. They count as failed.", ()
)

RUN_AGAIN: Final = Step(
    "Do not clear this run, which keeps its parameters: in Airflow trigger contact_sync again with others "
    "(docs/operations.md, Starting a run by hand)."
)
CLEAR_IF_CONFIGURED: Final = Step(
    f"If the configuration was wrong: correct it, then in Airflow clear the failed task of the run, {DOWNSTREAM}. "
    "If the run's parameters were wrong: do not clear it, trigger contact_sync again with others."
)
CLEAR_IF_TRIGGER: Final = Step(
    "If the trigger function started it: set CONTACTSYNC_TRIGGER_USER right, then in Airflow clear the failed task of "
    f"the run, {DOWNSTREAM}. Else leave the run as it is."
)

BY_DETAIL: Final[Mapping[str, Remedy]] = MappingProxyType(
    {
        OutcomeDetail.PERMISSION_DENIED: Remedy(
            "AWS denies contactsync the permission for the account.",
            (
                Step(
                    "See which service control policies are attached to the account; those of its organizational units "
                    "hold for it too.",
                    "aws organizations list-policies-for-target --target-id {account} --filter SERVICE_CONTROL_POLICY",
                ),
                TRUSTED_ACCESS,
                ROLE_POLICY,
            ),
        ),
        OutcomeDetail.THROTTLED: Remedy(
            "AWS refused the calls as too many for as long as calls may pause.",
            (
                Step("See whether another program calls Account Management with the same account's credentials."),
                Step(
                    "Compare `rates` of the configuration with your quotas (docs/pacing.md).", "contactsync config show"
                ),
            ),
        ),
        OutcomeDetail.UNAVAILABLE: Remedy("AWS failed, or did not answer, in every try.", (HEALTH,)),
        OutcomeDetail.INVALID: Remedy(
            "AWS refuses a value of the contact for the account.", (TASK_LOG, SOURCE_CONTACT)
        ),
        OutcomeDetail.NO_OUTCOME: Remedy(
            "The task did not start, or its process ended before it could record what it did.", (TASK_LOG,)
        ),
        OutcomeDetail.UNSETTLED: Remedy(
            "A write was announced and never settled, so it is not known what the account holds.", (TASK_LOG,)
        ),
        OutcomeDetail.HALTED: Remedy(
            "The operation stopped before this account, for a cause that concerns all of them.",
            (Step("Fix the cause that the notice names."),),
        ),
        OutcomeDetail.ERROR: Remedy("The task failed with an error that is not the account's own.", (TASK_LOG,)),
    }
)
"""For account outcomes; `{account}` stands for the id of one that failed."""

_PERMISSION: Final = Remedy("AWS denies contactsync the permission itself.", (IDENTITY, TRUSTED_ACCESS, ROLE_POLICY))
_THROTTLED: Final = Remedy(
    "AWS refused the calls as too many.",
    (Step("Wait some minutes; for a table, look at its throttled requests in the DynamoDB console."),),
)
_UNAVAILABLE: Final = Remedy("AWS failed or did not answer.", (HEALTH,))
_WRONG_SETTINGS: Final = Remedy(
    "A table, secret or organization that the deployment names does not exist.",
    (
        Step("Compare the CONTACTSYNC_* variables and the region with the outputs of the stacks (docs/settings.md)."),
        IDENTITY,
    ),
)

_CREDENTIALS: Final = Remedy(
    "AWS does not accept the credentials of whoever runs this, or there are none: nothing can be called.",
    (
        IDENTITY,
        Step("On MWAA see the environment's execution role in the MWAA console; elsewhere sign in again."),
    ),
)
_CLOCK: Final = Remedy(
    "The clock of the machine that made the call is minutes away from AWS's.",
    (Step("Set the clock of that machine; it should use NTP.", "date -u"),),
)
_KEY: Final = Remedy(
    "The KMS key of a table, topic, queue, bucket or secret cannot be used.",
    (Step("See in the KMS console whether the key is enabled, and who may use it."),),
)
_SETUP: Final = Remedy(
    "A setting of the AWS SDK on the machine that made the call is wrong.",
    (Step("Correct the variable or file that the sentence above names."),),
)

_OF_MEANING: Final[Mapping[Meaning, Remedy]] = {
    Meaning.EXPIRED: _CREDENTIALS,
    Meaning.REFUSED: _CREDENTIALS,
    Meaning.CLOCK: _CLOCK,
    Meaning.DENIED: _PERMISSION,
    Meaning.THROTTLED: _THROTTLED,
    Meaning.UNAVAILABLE: _UNAVAILABLE,
    Meaning.MISSING: _WRONG_SETTINGS,
    Meaning.NO_ORGANIZATION: _WRONG_SETTINGS,
    Meaning.KEY: _KEY,
}
"""The other meanings say too little without the call."""

_SDK_UNAVAILABLE: Final = (
    "ConnectionClosedError",
    "ConnectTimeoutError",
    "EndpointConnectionError",
    "HTTPClientError",
    "IncompleteReadError",
    "ProxyConnectionError",
    "ReadTimeoutError",
    "ResponseParserError",
    "ResponseStreamingError",
    "SSLError",
)
_SDK_SETUP: Final = (
    "ConfigNotFound",
    "ConfigParseError",
    "CredentialRetrievalError",
    "EndpointProviderError",
    "EndpointResolutionError",
    "FileNotFoundError",
    "InfiniteLoopConfigError",
    "InvalidChecksumConfigError",
    "InvalidConfigError",
    "InvalidDefaultsMode",
    "InvalidRegionError",
    "InvalidSTSRegionalEndpointsConfigError",
    "ProfileNotFound",
    "UnknownRegionError",
    "ValueError",
)
"""The AWS SDK's own names of what it met without an answer of AWS."""

BY_CODE: Final[Mapping[str, Remedy]] = MappingProxyType(
    {
        "ConfigurationMissing": Remedy(
            "No configuration is stored.",
            (Step("Store one.", "contactsync config put configuration.json"),),
        ),
        "ConfigurationInvalid": Remedy(
            "The stored configuration is not valid.",
            (
                Step("See who changed what last.", "contactsync config history"),
                Step("Take the last valid version back; that alone fixes it.", "contactsync config rollback VERSION"),
                Step(
                    "Or have that version printed, save it as configuration.json, and change it there.",
                    "contactsync config show --version VERSION",
                ),
                Step("Have it checked.", "contactsync config validate configuration.json"),
                Step("Store it.", "contactsync config put configuration.json"),
            ),
        ),
        "RulesUnmatched": Remedy(
            "A slip in an exclusion protects nobody; an account that has left the organization needs no rule.",
            (
                Step("Compare the ids and tags with the accounts of the organization.", "contactsync config show"),
                Step("Add the right id first.", "contactsync config add excluded_accounts ACCOUNT_ID"),
                Step("Then take the wrong one away.", "contactsync config remove excluded_accounts ACCOUNT_ID"),
            ),
        ),
        "ConfigurationConflict": Remedy(
            "Two people changed the configuration at once.",
            (Step("Read it again, then repeat the change.", "contactsync config show"),),
        ),
        "Settings": Remedy(
            "An environment variable of the deployment is missing or wrong.",
            (Step("Correct it in the startup script of the MWAA environment (docs/settings.md)."),),
        ),
        "RunRequest": Remedy(
            "The run was started with parameters that it cannot have.",
            (Step("Correct the parameters that the sentence above names."),),
        ),
        "RunClaim": Remedy(
            "The run says that a contact was changed, or that it follows another run, and is not entitled to.",
            (
                Step("See in Airflow who started it: Triggering user, in the run's details."),
                Step(
                    "If that is the trigger function, set CONTACTSYNC_TRIGGER_USER to this name "
                    "(docs/contact-changes.md, Who did it). Else ask that person why."
                ),
            ),
        ),
        "ScopeEmpty": Remedy(
            "The run concerns no account.",
            (
                Step(
                    "Compare its parameters with `scope` of the configuration (docs/scope.md).",
                    "contactsync config show",
                ),
            ),
        ),
        "CallerMismatch": Remedy(
            "The credentials belong to another account than the management account.",
            (IDENTITY, Step("Set CONTACTSYNC_MANAGEMENT_ROLE_ARN to a role in the management account.")),
        ),
        "TrustedAccessOff": Remedy(
            "Account Management may not act on the organization's accounts.",
            (
                Step(
                    "Switch trusted access on, in the management account.",
                    "aws organizations enable-aws-service-access --service-principal account.amazonaws.com",
                ),
            ),
        ),
        "MappingLimit": Remedy(
            "Airflow maps fewer tasks than there are accounts.",
            (Step("Raise core.max_map_length (MWAA console: the environment's Airflow configuration options)."),),
        ),
        "SourceContactMissing": Remedy(
            "The management account's primary contact could not be read.", (SOURCE_CONTACT,)
        ),
        "RunsUnplanned": Remedy(
            "Changes wait: no run is planned.",
            (
                Step("In Airflow see whether the DAG contact_sync is paused, and what its first runs wait for."),
                Step("See in the environment's metrics whether workers are free."),
            ),
        ),
        "Housekeeping": Remedy(
            "Operations whose run is gone could not be closed; they are tried again every five minutes.",
            (Step("Fix what the sentence above says of each; the next run closes them."),),
        ),
        "DesiredContactMissing": Remedy(
            "The plan stored no desired contact.",
            (Step(f"In Airflow {clear_task('plan', 'of the run')}."),),
        ),
        "WriteNotSeen": Remedy("The write was accepted and is not visible yet.", (Step("Wait some minutes."),)),
        "StateConflict": Remedy("Others kept changing the same item.", (Step("Wait some minutes."),)),
        "NoCredentials": _CREDENTIALS,
        **{code: _OF_MEANING[meaning] for code, meaning in MEANINGS.items() if meaning in _OF_MEANING},
        **dict.fromkeys(_SDK_UNAVAILABLE, _UNAVAILABLE),
        **dict.fromkeys(_SDK_SETUP, _SETUP),
    }
)
"""For errors that are not one account's, by their code: our error's name, or AWS's own code."""

AFTERWARDS: Final[Mapping[str, Step]] = MappingProxyType(
    {"RunRequest": RUN_AGAIN, "ScopeEmpty": CLEAR_IF_CONFIGURED, "RunClaim": CLEAR_IF_TRIGGER}
)
"""What comes last, where it is not to clear the task that failed: a cleared run keeps its parameters."""

BY_SCENARIO: Final[Mapping[NoticeScenario, Remedy]] = MappingProxyType(
    {
        NoticeScenario.APPROVAL_WAITING: Remedy(
            "Nothing is deleted unless somebody approves it in time.",
            (
                Step("In Airflow open Required Actions: the question says what would be deleted, and where."),
                Step("Approve to delete, or Reject to keep the contacts (docs/operations.md, Approving deletions)."),
            ),
        ),
        NoticeScenario.OVERDUE: Remedy(
            "The run goes on; accounts may carry an older contact until it ends.",
            (
                Step("See in Airflow's grid what the run waits for: an approval, a paused or a failing task."),
                Step("See which operations have no end yet.", "contactsync operations list --status in_progress"),
                Step("And those whose plan did not finish.", "contactsync operations list --status pending"),
            ),
        ),
        NoticeScenario.DELIVERY_TROUBLE: Remedy(
            "Nothing is lost: what was not delivered is kept, and sent when delivery works again.",
            (
                Step("See what could not be handled, and why.", "contactsync dead-letters list"),
                Step("See in Airflow whether the DAG contact_housekeeping runs, and the log of its failed task."),
            ),
        ),
    }
)
"""For notices that are about neither accounts nor an error."""

UNKNOWN: Final = Remedy(
    "A task ended with an error that contactsync does not know, or its process was killed.", (TASK_LOG,)
)


def remedy_of_outcome(detail: str | None, code: str | None, account_id: str) -> Remedy:
    """Return what fixes failed outcomes of a detail and code; commands name one of their accounts.

    The code decides only where the detail says no more than that something failed: AccessDeniedException of an account
    and of one of our tables are two things.
    """
    known = BY_DETAIL.get(detail or "")
    if known is None or detail == OutcomeDetail.ERROR:
        known = BY_CODE.get(code or "", BY_DETAIL[OutcomeDetail.ERROR])
    return known.about(account_id)


def remedy_of_error(code: str | None) -> Remedy:
    """Return what fixes an error that kept a run from its work."""
    return BY_CODE.get(code or "", UNKNOWN)
