"""Errors about sync operations, during a run and afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass

from contactsync.errors.aws.services import name_of, service_of
from contactsync.errors.clearing import ACCOUNT_TASK, CLEAR_RUN, clear_task
from contactsync.errors.remedies import HEALTH, WAIT, Blame, Remedy, RemedyStep
from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class WriteNotSeenError(ContactSyncError):
    """Raised when a written contact cannot be read back yet: reads are eventually consistent."""

    account_id: str
    contact_type: str

    transient = True
    remedy = Remedy("The write was accepted and is not visible yet.", (WAIT,))

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The {self.contact_type} contact of account {self.account_id} was written, but AWS still returns another "
            "one. Wait a minute: reads show a write with a delay."
        )


@dataclass(eq=False)
class DesiredContactMissingError(ContactSyncError):
    """Raised when a task has to apply a desired contact and none is stored."""

    contact_type: str
    remedy = Remedy(
        "The plan stored no desired contact.", (RemedyStep(f"In Airflow {clear_task('plan', 'of the run')}."),)
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"No desired {self.contact_type} contact is stored. To read it again, {clear_task('plan', 'of the run')}."
        )


@dataclass(eq=False)
class DesiredContactOutdatedError(ContactSyncError):
    """Raised when the latest desired contact is older than one known before: a table was restored or lost."""

    contact_type: str
    generation: int
    """The generation of the latest desired contact."""
    newest: int
    """The greatest generation that is known."""
    remedy = Remedy(
        "The stored desired contact is older than one that was desired before.",
        (
            RemedyStep("See who restored the table of desired contacts, or removed items of it."),
            RemedyStep("In Airflow trigger contact_sync by hand (docs/operations.md, Starting a run by hand)."),
        ),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The stored desired {self.contact_type} contact (generation {self.generation}) is older than one that "
            f"was desired before (generation {self.newest}): a table was restored or lost. Nothing was written. Start "
            "a run of contact_sync by hand: the run reads the management account's contact and writes it to all "
            "accounts."
        )

    @property
    def afterwards(self) -> str:
        """Empty: the message says it, because a cleared task would find the same."""
        return ""


@dataclass(eq=False)
class OutcomesMissingError(ContactSyncError):
    """Raised when an account that the run's plan lists has no outcomes."""

    account_id: str
    dag_run_id: str
    remedy = Remedy(
        "Outcomes that the plan stored are missing: they expired or were removed.",
        (RemedyStep(f"In Airflow {clear_task('plan', 'of the run')}."),),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The outcomes of account {self.account_id} in run {self.dag_run_id} are missing: they expired or were "
            f"removed. Nothing was written. To plan them again, {clear_task('plan', 'of the run')}."
        )


@dataclass(eq=False)
class OperationMissingError(ContactSyncError):
    """Raised when a run has no sync operation, or an incomplete one, because its `plan` did not finish."""

    dag_run_id: str
    cause: str = ""
    """Why `plan` failed; empty if it is not known."""
    following: str = ""
    """How to continue the run after that; empty if the cause says it itself."""
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        if self.cause:
            return f"The task `plan` failed, so there is nothing to report: {self.cause.rstrip('.')}."
        return (
            f"Run {self.dag_run_id} has no finished plan, so there is nothing to report. See the log of its task "
            f"`plan`, fix the cause, then {CLEAR_RUN}."
        )

    @property
    def afterwards(self) -> str:
        """What the failed plan says: a run with wrong parameters is not cleared."""
        return self.following or super().afterwards


class OperationUnknownError(OperationMissingError):
    """Raised when neither a run nor a sync operation has this name."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"No sync operation belongs to {self.dag_run_id}: its task `plan` has not run, or the operation expired. "
            "`contactsync operations list` shows the operations that exist."
        )


@dataclass(eq=False)
class NoOperationsError(ContactSyncError):
    """Raised when no run has been planned yet."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            "There is no sync operation yet: change a contact of the management account, or trigger the DAG "
            "contact_sync in Airflow."
        )


@dataclass(eq=False)
class FileNotWrittenError(ContactSyncError):
    """Raised when a file cannot be written, with the system's reason."""

    path: str
    reason: str
    again = "Fix the cause or name another file, then repeat the command."

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"{self.path} was not written: {self.reason}."


@dataclass(eq=False)
class StateConflictError(ContactSyncError):
    """Raised when others kept changing an item between reading and writing it."""

    item: str
    tries: int
    """Number of times that the item was read and not written."""

    transient = True
    remedy = Remedy("Other processes kept changing the same item.", (WAIT,))
    again = "Repeat the command in a minute."
    dead_letter = "Then {redrive}."

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"{self.item} changed {self.tries} times while it was being written."


@dataclass(eq=False)
class OvertakenError(ContactSyncError):
    """Raised when a later try has recorded its result already, so that this one's is dropped."""

    item: str
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"{self.item} was stored by a later try, or dropped by a later plan, so this try's result is not stored. "
            "The later result counts. If the task stays red for no other reason, the clocks of workers differ by more "
            f"than the time between two tries: {CLEAR_RUN}."
        )


class AnswerOvertakenError(OvertakenError):
    """Raised when a question about deletions is answered after its run was planned again: the answer is void."""

    @property
    def code(self) -> str:
        """The code of everything that a later plan has overtaken."""
        return "Overtaken"

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"{self.item} was planned again after its question was asked, so the answer does not count, and nothing "
            f"is deleted. To be asked again, {clear_task('approve_deletions')}: the task asks if the run would delete "
            "in the same accounts; otherwise the run's report says to start a run by hand."
        )


@dataclass(eq=False)
class OperationFailedError(ContactSyncError):
    """Raised when a report counts as many failed outcomes as the threshold, so that the run fails."""

    failed: int
    """Number of failed outcomes."""
    threshold: int
    """Number of failed outcomes from which on the run fails."""
    total: int
    """Number of all outcomes."""
    denied: int = 0
    """Number of the failed outcomes that AWS denies."""
    first: Sequence[str] = ()
    """The first few failures, each in a few words."""
    unsettled: int = 0
    """Number of the failed outcomes whose account has a mark that was left behind: their tasks can be green."""
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        denied = f" ({self.denied} denied)" if self.denied else ""
        left = self.failed - len(self.first)
        named = "; ".join([*self.first, *([f"and {left} more"] if left > 0 else [])]) if self.first else ""
        return (
            f"{self.failed} of {self.total} account outcomes failed{denied}; the threshold is {self.threshold}. "
            + (f"{named}. " if named else "")
            + f"The report names each with its error; fix the cause, then {CLEAR_RUN}.{self._of_green_tasks}"
        )

    @property
    def _of_green_tasks(self) -> str:
        if not self.unsettled:
            return ""
        whose = "an account" if self.unsettled == 1 else f"{self.unsettled} accounts"
        task = clear_task(ACCOUNT_TASK, "of each of them" if self.unsettled > 1 else "of this account")
        return f" For {whose} with the detail unsettled also {task}: it can be green."


@dataclass(eq=False)
class WaitingError(ContactSyncError):
    """Raised when a task has to wait for its turn and gives its worker back; no try is used up."""

    cause: str
    """The reason: an AWS code, or `Backlog` when the limiter's queue is too long."""
    resume_in: float
    """Seconds until the task should continue."""

    transient = True
    blame = Blame.ELSEWHERE

    @property
    def code(self) -> str:
        """What the task waits for."""
        return self.cause

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"Calls have to wait about {self.resume_in:.0f} s ({self.cause}). The task waits without using a try."


@dataclass(eq=False)
class HaltedError(ContactSyncError):
    """Raised when the whole operation stopped for a cause that concerns every account."""

    cause: str
    sentence: str
    blame = Blame.HALT

    @property
    def code(self) -> str:
        """The cause's code."""
        return self.cause

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"The operation is halted: {self.sentence} Then {CLEAR_RUN}."


@dataclass(eq=False)
class OutageError(ContactSyncError):
    """Raised when a call has failed for everyone for longer than calls may wait."""

    api_operation: str
    cause: str
    seconds: float
    """Seconds for which calls may wait: the configuration's breaker.max_pause."""
    remedy = Remedy("AWS failed or did not answer, for longer than calls may wait.", (HEALTH,))

    @property
    def code(self) -> str:
        """AWS's own error code."""
        return self.cause

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"{self._call} has been failing ({self.cause}) for more than {self.seconds:.0f} s, the configuration's "
            "breaker.max_pause. See the AWS Health Dashboard and wait for the service."
        )

    @property
    def _call(self) -> str:
        service = service_of(self.api_operation, None)
        return f"{self.api_operation} of {name_of(service)}" if service else self.api_operation


@dataclass(eq=False)
class FinalInEarlierTryError(ContactSyncError):
    """Raised when an earlier try of the same task had an error that another try cannot fix."""

    account_id: str
    contact_type: str
    first_code: str

    @property
    def code(self) -> str:
        """The code of that error."""
        return self.first_code

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The {self.contact_type} contact of account {self.account_id} is left as it is: an earlier try ended with "
            f"{self.first_code}. Fix the cause, then {CLEAR_RUN}."
        )


@dataclass(eq=False)
class AccountsFailedError(ContactSyncError):
    """The errors of one account's contact types, raised together at the end of its task."""

    account_id: str
    errors: Sequence[ContactSyncError]
    blame = Blame.ELSEWHERE

    @property
    def retryable(self) -> bool:
        """Whether at least one of the errors may pass with another try."""
        return any(error.retryable for error in self.errors)

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return " ".join(str(error) for error in self.errors)

    @property
    def afterwards(self) -> str:
        """What the first error says about clearing; some say it in their sentence, others cannot be cleared."""
        return next((error.afterwards for error in self.errors if error.afterwards), "")


@dataclass(eq=False)
class TriggerError(ContactSyncError):
    """Raised when Airflow did not accept a run; Lambda tries again and in the end keeps the event as a dead letter."""

    event_id: str
    status: int | None
    """The HTTP status of the answer; None without an answer."""
    answer: str

    transient = True

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        status = "no status" if self.status is None else f"status {self.status}"
        return (
            f"Airflow did not start a run for event {self.event_id} ({status}, {self.answer}): see whether Airflow "
            "answers, and whether the trigger function may call it (docs/contact-changes.md)."
        )
