"""What people can do about an error: the sentences that classes of errors share, and from which each class chooses."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contactsync.errors.clearing import DOWNSTREAM


class Blame(StrEnum):
    """Where to look for the cause of an error that ends a task; it decides which notice is sent."""

    PERMISSION = "permission"
    """AWS denies a permission, or does not accept the credentials."""
    CONFIGURATION = "configuration"
    """A setting, a configuration or a run's parameters are wrong."""
    SYSTEM = "system"
    """AWS, a table, a machine or a process failed."""
    HALT = "halt"
    """One cause stopped the operation for every account."""
    ELSEWHERE = "elsewhere"
    """Another notice is about it, or no notice is needed."""


@dataclass(frozen=True)
class RemedyStep:
    """One thing to do: a sentence, and a command for it if there is one."""

    say: str
    command: str | None = None


@dataclass(frozen=True)
class Remedy:
    """What a failure means, and what fixes its cause."""

    meaning: str
    steps: tuple[RemedyStep, ...]

    def about(self, account_id: str) -> "Remedy":
        """Return this remedy with the account's id in place of `{account}` in its commands."""
        return replace(
            self,
            steps=tuple(
                replace(s, command=s.command and s.command.replace("{account}", account_id)) for s in self.steps
            ),
        )


TRUSTED_ACCESS: Final = RemedyStep(
    "See whether account.amazonaws.com is among the services with trusted access.",
    "aws organizations list-aws-service-access-for-organization --query 'EnabledServicePrincipals[].ServicePrincipal'",
)
IDENTITY: Final = RemedyStep("See whose credentials are used.", "aws sts get-caller-identity")
ROLE_POLICY: Final = RemedyStep(
    "See in the IAM console whether the policies of contactsync's role allow the Get, Put and Delete calls of Account "
    "Management."
)
HEALTH: Final = RemedyStep("Wait until the AWS Health Dashboard (in the console) shows no problem with the service.")
TASK_LOG: Final = RemedyStep("Read the end of the task's log in Airflow.")
WAIT: Final = RemedyStep("Wait some minutes.")
SENTENCE: Final = RemedyStep("Do what the sentence above says.")
SOURCE_CONTACT: Final = RemedyStep(
    "Correct the contact in the management account; that change starts a new run. "
    "Console: the account's name at the top right, then Account."
)
CLEAR_TASK: Final = RemedyStep(f"When the cause is fixed: in Airflow clear the failed task of the run, {DOWNSTREAM}.")
