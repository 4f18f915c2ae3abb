"""Errors about what is refused before anything is written: events, settings, requests, sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from contactsync.errors.clearing import CLEAR_RUN, DOWNSTREAM
from contactsync.errors.remedies import IDENTITY, SOURCE_CONTACT, WAIT, Blame, Remedy, RemedyStep
from contactsync.errors.root import ContactSyncError


def said(problems: Sequence[str]) -> str:
    """Return problems as one sentence; if the last one is a question, it ends with a question mark."""
    text = "; ".join(problems)
    return text if text.endswith("?") else f"{text}."


@dataclass(eq=False)
class ChangeRefusedError(ContactSyncError):
    """Raised for an event that must not start a sync operation; `reason` is a value of `RefusalReason`."""

    reason: str
    detail: str
    event_id: str | None = None

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        event = self.event_id or "(no id)"
        return f"Event {event} is refused ({self.reason}): {self.detail}. See docs/contact-changes.md."


@dataclass(eq=False)
class SettingsError(ContactSyncError):
    """Raised when an environment variable is missing or wrong; it names all of them that were found together."""

    variable: str
    problem: str
    others: Mapping[str, str] = field(default_factory=dict)
    """The other variables, with what is wrong with each."""
    blame = Blame.CONFIGURATION
    remedy = Remedy(
        "An environment variable of the deployment is missing or wrong.",
        (RemedyStep("Correct it in the options or the startup script of the MWAA environment (docs/settings.md)."),),
    )

    @classmethod
    def of(cls, problems: Mapping[str, str]) -> Self:
        """Return the error for all of these variables, of which there is at least one."""
        (variable, problem), *others = problems.items()
        return cls(variable=variable, problem=problem, others=dict(others))

    @property
    def problems(self) -> dict[str, str]:
        """Every variable with what is wrong with it."""
        return {self.variable: self.problem, **self.others}

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        same: dict[str, list[str]] = {}
        for variable, problem in self.problems.items():
            same.setdefault(problem, []).append(variable)
        said = "; ".join(_said(variables, problem) for problem, variables in same.items())
        return f"{said}. docs/settings.md lists all of them."


@dataclass(eq=False)
class RunRequestError(ContactSyncError):
    """Raised for wrong parameters of a run, with each problem as a sentence."""

    problems: Sequence[str]
    blame = Blame.CONFIGURATION
    remedy = Remedy(
        "The run was started with wrong parameters.",
        (RemedyStep("Correct the parameters that the sentence above names."),),
    )
    last_step = RemedyStep(
        "Do not clear this run, because it would keep its parameters: in Airflow trigger contact_sync again with "
        "other parameters (docs/operations.md, Starting a run by hand)."
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"The run's parameters are refused: {said(self.problems)} Nothing was written."

    @property
    def afterwards(self) -> str:
        """How to start a correct run: clearing a run keeps its parameters."""
        return "Start another run with the right parameters: a cleared run keeps its own."


@dataclass(eq=False)
class RunClaimError(RunRequestError):
    """Raised when a run says about itself what only the trigger function, or the report of another run, may say."""

    remedy = Remedy(
        "The run says that a contact was changed, or that it follows another run; only contactsync itself may say so.",
        (
            RemedyStep("See in Airflow who started it: Triggering user, in the run's details."),
            RemedyStep(
                "If that is the trigger function, set CONTACTSYNC_TRIGGER_USER to this name (docs/contact-changes.md, "
                "Who did it). Otherwise ask that person why."
            ),
        ),
    )
    last_step = RemedyStep(
        "If the trigger function started it: correct CONTACTSYNC_TRIGGER_USER, then in Airflow clear the failed task "
        f"of the run, {DOWNSTREAM}. Otherwise leave the run as it is."
    )

    @property
    def afterwards(self) -> str:
        """How to continue if the deployment names the wrong user for the trigger function."""
        return (
            "If the trigger function started this run, set CONTACTSYNC_TRIGGER_USER to its name in Airflow, then "
            f"{CLEAR_RUN}. Otherwise leave the run as it is."
        )


@dataclass(eq=False)
class ListingIncompleteError(ContactSyncError):
    """Raised when the management account itself is missing in the listing of the organization's accounts."""

    listed: int
    """Number of accounts in the listing."""
    management_account: str

    transient = True
    remedy = Remedy(
        "AWS Organizations listed the accounts without the management account, so the list is not complete.",
        (
            WAIT,
            RemedyStep(
                "If this happens again, compare CONTACTSYNC_MANAGEMENT_ACCOUNT_ID with the account of the credentials."
            ),
            IDENTITY,
        ),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"AWS Organizations listed {self.listed} member accounts, but not the management account "
            f"{self.management_account}, so the list is not complete. Nothing was written. If this happens again, "
            "check CONTACTSYNC_MANAGEMENT_ACCOUNT_ID and the credentials."
        )


@dataclass(eq=False)
class ScopeEmptyError(ContactSyncError):
    """Raised when a run that a person started concerns no account at all."""

    contact_types: Sequence[str]
    version: int
    blame = Blame.CONFIGURATION
    remedy = Remedy(
        "The run concerns no account.",
        (
            RemedyStep(
                "Compare its parameters with `scope` of the configuration (docs/scope.md).", "contactsync config show"
            ),
        ),
    )
    last_step = RemedyStep(
        f"If the configuration was wrong: correct it, then in Airflow clear the failed task of the run, {DOWNSTREAM}. "
        "If the run's parameters were wrong: do not clear the run, trigger contact_sync again with other parameters."
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"No member account is in the scope of the run ({', '.join(self.contact_types)}). Compare its `accounts` "
            f"and `organizational_units` with `scope` of the configuration (version {self.version}); docs/scope.md "
            "says how they work together. Nothing was written."
        )

    @property
    def afterwards(self) -> str:
        """How to continue; it depends on whether the rules or the request was wrong."""
        return (
            f"If the configuration was wrong, correct it, then {CLEAR_RUN}. If the run's parameters were wrong, start "
            "another run: a cleared run keeps its parameters."
        )


@dataclass(eq=False)
class CallerMismatchError(ContactSyncError):
    """Raised when the credentials belong to another account than the management account."""

    expected_account: str
    actual_account: str
    blame = Blame.CONFIGURATION
    remedy = Remedy(
        "The credentials do not belong to the management account.",
        (IDENTITY, RemedyStep("Set CONTACTSYNC_MANAGEMENT_ROLE_ARN to a role in the management account.")),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The credentials belong to account {self.actual_account}, not to the management account "
            f"{self.expected_account}. Set CONTACTSYNC_MANAGEMENT_ROLE_ARN to a role in that account, or use "
            "credentials of that account. Nothing was written."
        )


@dataclass(eq=False)
class TrustedAccessOffError(ContactSyncError):
    """Raised when Account Management may not act on the organization's accounts."""

    blame = Blame.PERMISSION
    remedy = Remedy(
        "Account Management may not act on the organization's accounts.",
        (
            RemedyStep(
                "Switch trusted access on, in the management account.",
                "aws organizations enable-aws-service-access --service-principal account.amazonaws.com",
            ),
        ),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            "Trusted access for Account Management is off in this organization. In the management account run: "
            "aws organizations enable-aws-service-access --service-principal account.amazonaws.com"
        )


@dataclass(eq=False)
class MappingLimitError(ContactSyncError):
    """Raised when Airflow may map fewer tasks than the run has accounts."""

    accounts: int
    """Number of accounts of the run."""
    limit: int
    """Number of tasks that Airflow maps at most."""
    blame = Blame.CONFIGURATION
    remedy = Remedy(
        "Airflow maps fewer tasks than there are accounts.",
        (RemedyStep("Raise core.max_map_length (MWAA console: the environment's Airflow configuration options)."),),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"{self.accounts} accounts are to be synchronized, but Airflow maps at most {self.limit} tasks. Set the "
            f"Airflow option core.max_map_length to at least {self.accounts} (on MWAA: an Airflow configuration "
            f"option of the environment), then {CLEAR_RUN}. Nothing was written."
        )


@dataclass(eq=False)
class SourceContactMissingError(ContactSyncError):
    """Raised when the management account has no primary contact, which should never happen in AWS."""

    transient = True
    remedy = Remedy("The management account's primary contact could not be read.", (SOURCE_CONTACT,))

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            "AWS answered that the management account has no primary contact. Nothing was written. Look at the "
            "account's contact information in the Account Management console."
        )


def _said(variables: Sequence[str], problem: str) -> str:
    if len(variables) == 1:
        return f"Environment variable {variables[0]} {problem}"
    *most, last = variables
    plural = f"are {problem.removeprefix('is ')}" if problem.startswith("is ") else problem
    return f"Environment variables {', '.join(most)} and {last} {plural}"
