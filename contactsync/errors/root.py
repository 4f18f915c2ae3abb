"""The root of the tree: what every error of contactsync has."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final

from contactsync.errors.clearing import CLEAR_RUN, DOWNSTREAM
from contactsync.errors.remedies import CLEAR_TASK, Blame, Remedy, RemedyStep
from contactsync.plain_text import log_text

LONGEST: Final = 2000
"""Characters of a sentence that is stored or sent: items, transactions and messages have bounds."""


def bounded(sentence: str) -> str:
    """Return a sentence as it may be stored: cut where it is longer than anybody reads."""
    rest = len(sentence) - LONGEST
    return sentence if rest <= 0 else f"{sentence[: LONGEST - 40]} ... (cut, {rest + 40} more characters)"


class Reader(StrEnum):
    """Who reads an error's sentence: what can be advised depends on what this person can do.

    Whoever looks at a dead letter is a third: see `ContactSyncError.dead_letter`.
    """

    RECORD = "record"
    """Whoever looks at a task, an outcome, a report or a notice; whether a retry follows is not known there."""
    COMMAND = "command"
    """The person at the command line, who repeats the command."""


@dataclass(eq=False)
class ContactSyncError(Exception):
    """Say what happened, to which account, and what to do next; `str()` gives that sentence.

    Fields hold the parts of the message, never a contact value. Instances survive pickling.
    """

    transient: ClassVar[bool] = False
    """Whether the cause may pass by itself."""
    blame: ClassVar[Blame] = Blame.SYSTEM
    """Which notice is sent when it ends a task."""
    outcome_detail: ClassVar[str] = "error"
    """The detail of an account's outcome, where the error is the account's own; a value of `OutcomeDetail`."""
    remedy: ClassVar[Remedy | None] = None
    """What a notice advises; None where its sentence says all, or it is in no notice."""
    account_remedy: ClassVar[Remedy | None] = None
    """The same where the error is one account's own."""
    headline: ClassVar[str] = ""
    """A notice's headline, where the one that all notices of its blame have would be wrong."""
    stops_run: ClassVar[bool] = True
    """Whether it kept a run from its work; else a notice about it names no task to clear."""
    last_step: ClassVar[RemedyStep] = CLEAR_TASK
    """How the run goes on when the cause is gone, for a notice."""
    dead_letter: ClassVar[str] = ""
    """What whoever looks at a dead letter does, behind `brief`: `{thing}`, `{service}`, `{function}`, `{redrive}`."""
    again: ClassVar[str] = ""
    """How the person at the command line goes on, where the message does not say it."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from the fields: the default needs positional arguments."""
        return _rebuild, (type(self), self.__dict__.copy())

    def __str__(self) -> str:
        """Return the operator's sentence, fit for a log and a terminal, whatever names it quotes."""
        return log_text(self.message)

    @classmethod
    def short_name(cls) -> str:
        """Return the class's name for tables and metrics."""
        return cls.__name__.removesuffix("Error")

    def told(self, reader: Reader) -> str:
        """Return the sentence with the advice that fits its reader."""
        return " ".join(filter(None, [self.message, self.again])) if reader is Reader.COMMAND else self.message

    @property
    def retryable(self) -> bool:
        """Whether the same step may succeed when it is simply tried again."""
        return self.transient

    @property
    def message(self) -> str:
        """The sentence as it is logged and stored; it says nothing of retries, which only their policy knows."""
        return type(self).__name__

    @property
    def brief(self) -> str:
        """What happened, before the advice to whoever looks at a dead letter."""
        return self.message

    @property
    def afterwards(self) -> str:
        """How a run goes on when the cause is gone, for a task's log; empty where the message says it itself."""
        if CLEAR_RUN in self.message or DOWNSTREAM in self.message:
            return ""
        return f"When the cause is fixed, {CLEAR_RUN}."

    @property
    def code(self) -> str:
        """A short name for tables and metrics: the AWS code where there is one, else the class's own."""
        return self.short_name()

    @property
    def known_as(self) -> str:
        """What notices and halts keep of the error: `kind_of` leads from it back to what the error says."""
        return self.code


def _rebuild(cls: type[ContactSyncError], fields: dict[str, Any]) -> ContactSyncError:
    error = cls.__new__(cls)
    error.__dict__.update(fields)
    return error
