"""What happens to sync operations under way, and afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass

from contactsync.errors.aws.services import name_of, service_of
from contactsync.errors.clearing import CLEAR_RUN, clear_task
from contactsync.errors.remedies import HEALTH, WAIT, Blame, Remedy, RemedyStep
from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class WriteNotSeenError(ContactSyncError):
    """Say that a written contact cannot be read back yet: reads are eventually consistent."""

    account_id: str
    contact_type: str

    transient = True
    remedy = Remedy("The write was accepted and is not visible yet.", (WAIT,))

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"The {self.contact_type} contact of account {self.account_id} was written, but AWS still answers another "
            "one: wait a minute, reads are consistent a little later."
        )


@dataclass(eq=False)
class DesiredContactMissingError(ContactSyncError):
    """Say that no desired contact is stored, although a task is to apply one."""

    contact_type: str
    remedy = Remedy(
        "The plan stored no desired contact.", (RemedyStep(f"In Airflow {clear_task('plan', 'of the run')}."),)
    )

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"No desired {self.contact_type} contact is stored. To read it again, {clear_task('plan', 'of the run')}."
        )


@dataclass(eq=False)
class DesiredContactOutdatedError(ContactSyncError):
    """Say that the latest desired contact is older than one that was desired before: a table was restored or lost."""

    contact_type: str
    generation: int
    newest: int
    remedy = Remedy(
        "The stored desired contact is older than one that was desired before.",
        (
            RemedyStep("See who restored the table of desired contacts, or removed items of it."),
            RemedyStep("In Airflow trigger contact_sync by hand (docs/operations.md, Starting a run by hand)."),
        ),
    )

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"The stored desired {self.contact_type} contact (generation {self.generation}) is older than one that was "
            f"desired before (generation {self.newest}): a table was restored or lost. Nothing was written. Start a "
            "run of contact_sync by hand: it reads the management account's contact and brings it to all accounts."
        )

    @property
    def afterwards(self) -> str:
        """The message says it: a cleared task finds the same."""
        return ""


@dataclass(eq=False)
class OutcomesMissingError(ContactSyncError):
    """Say that the outcomes of an account are missing although the run's plan lists it."""

    account_id: str
    dag_run_id: str
    remedy = Remedy(
        "Outcomes that the plan stored are not there any more: they expired or were removed.",
        (RemedyStep(f"In Airflow {clear_task('plan', 'of the run')}."),),
    )

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"Run {self.dag_run_id} is to settle account {self.account_id}, but its outcomes are not stored: they "
            f"expired or were removed. Nothing was written. To plan them again, {clear_task('plan', 'of the run')}."
        )


@dataclass(eq=False)
class OperationMissingError(ContactSyncError):
    """Say that a run has no sync operation, or half of one, because its `plan` did not finish."""

    dag_run_id: str
    cause: str = ""
    """Why `plan` failed, where that is known."""
    following: str = ""
    """How the run goes on after that, where the cause does not say it itself."""
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """The operator's sentence."""
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
    """Say that neither a run nor a sync operation has the name that somebody asked for."""

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"No sync operation belongs to {self.dag_run_id}: its task `plan` has not run, or the operation expired. "
            "`contactsync operations list` shows those that are there."
        )


@dataclass(eq=False)
class NoOperationsError(ContactSyncError):
    """Say that no run has been planned yet."""

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            "There is no sync operation yet: change a contact of the management account, or trigger the DAG "
            "contact_sync in Airflow."
        )


@dataclass(eq=False)
class FileNotWrittenError(ContactSyncError):
    """Say that a file cannot be written, and why the system says so."""

    path: str
    reason: str
    again = "Correct that or name another file, then repeat the command."

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
    remedy = Remedy("Others kept changing the same item.", (WAIT,))
    again = "Repeat the command in a minute."
    dead_letter = "Then {redrive}."

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"{self.item} changed {self.tries} times while it was being written."


@dataclass(eq=False)
class OvertakenError(ContactSyncError):
    """Say that a later try has recorded its result already, so that this one's is dropped."""

    item: str
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"{self.item} was recorded by a later try, or dropped by a later plan, meanwhile; this try's result is "
            "not stored. The later one counts. When the task stays red for no other reason, the clocks of "
            f"workers differ by more than the time between two tries: {CLEAR_RUN}."
        )


class AnswerOvertakenError(OvertakenError):
    """Say that a question about deletions was answered after its run was planned again: the answer counts no more."""

    @property
    def code(self) -> str:
        """The same as for everything that a later plan has overtaken."""
        return "Overtaken"

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"{self.item} was planned again after its question was asked, so that the answer does not count "
            f"and nothing is deleted. To be asked again, {clear_task('approve_deletions')}: it asks when the run would "
            "delete in the same accounts; otherwise its report says to start a run by hand."
        )


@dataclass(eq=False)
class OperationFailedError(ContactSyncError):
    """Turn a run red whose report counts too many failed accounts."""

    failed: int
    threshold: int
    total: int
    denied: int = 0
    """How many of the failed ones AWS denies."""
    first: Sequence[str] = ()
    """The first few failures, each in a few words."""
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """The operator's sentence."""
        denied = f" ({self.denied} denied)" if self.denied else ""
        left = self.failed - len(self.first)
        named = "; ".join([*self.first, *([f"and {left} more"] if left > 0 else [])]) if self.first else ""
        return (
            f"{self.failed} of {self.total} account outcomes failed{denied}; the threshold is {self.threshold}. "
            + (f"{named}. " if named else "")
            + f"The report names each with its error; fix the cause, then {CLEAR_RUN}."
        )


@dataclass(eq=False)
class PausedError(ContactSyncError):
    """Say that a task waits, outside of its worker, for its turn; no try is used up."""

    cause: str
    """What it waits for: an AWS code, or `Backlog` when the limiter's queue is too long."""
    resume_in: float
    """Seconds."""

    transient = True
    blame = Blame.ELSEWHERE

    @property
    def code(self) -> str:
        """What it waits for."""
        return self.cause

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"Calls pause ({self.cause}) for about {self.resume_in:.0f} s: wait."


@dataclass(eq=False)
class HaltedError(ContactSyncError):
    """Say that the whole operation stopped for a cause that concerns every account."""

    cause: str
    sentence: str
    blame = Blame.HALT

    @property
    def code(self) -> str:
        """The cause's code."""
        return self.cause

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return f"The operation is halted: {self.sentence} Then {CLEAR_RUN}."


@dataclass(eq=False)
class OutageError(ContactSyncError):
    """Say that a call has failed for everyone for longer than calls may pause."""

    operation: str
    cause: str
    seconds: float
    remedy = Remedy("AWS failed or did not answer, for longer than calls may pause.", (HEALTH,))

    @property
    def code(self) -> str:
        """AWS's own error code."""
        return self.cause

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return (
            f"{self._call} has been failing ({self.cause}) for more than {self.seconds:.0f} s, the configuration's "
            "breaker.max_pause. See the AWS Health Dashboard and wait for the service."
        )

    @property
    def _call(self) -> str:
        service = service_of(self.operation, None)
        return f"{self.operation} of {name_of(service)}" if service else self.operation


@dataclass(eq=False)
class FinalInEarlierTryError(ContactSyncError):
    """Say that an earlier try of the same task met an error that trying again cannot fix."""

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
            f"{self.first_code}. Fix the cause, then {CLEAR_RUN}."
        )


@dataclass(eq=False)
class AccountsFailedError(ContactSyncError):
    """Carry the errors of one account's contact types out of a task."""

    account_id: str
    errors: Sequence[ContactSyncError]
    blame = Blame.ELSEWHERE

    @property
    def retryable(self) -> bool:
        """Whether at least one of them may pass when tried again."""
        return any(error.retryable for error in self.errors)

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return " ".join(str(error) for error in self.errors)

    @property
    def afterwards(self) -> str:
        """What the first of them says that clearing helps: some say it in their sentence, others cannot be cleared."""
        return next((error.afterwards for error in self.errors if error.afterwards), "")


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
        return (
            f"Airflow did not start a run for event {self.event_id} ({status}, {self.answer}): see whether Airflow "
            "answers, and whether the trigger function may call it (docs/contact-changes.md)."
        )
