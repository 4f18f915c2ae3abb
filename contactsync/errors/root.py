"""The root of the tree: what every error of contactsync has."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final

from contactsync.errors.clearing import CLEAR_RUN, DOWNSTREAM
from contactsync.errors.remedies import CLEAR_TASK, Blame, Remedy, RemedyStep
from contactsync.plain_text import log_text

LONGEST: Final = 2000
"""Characters of a sentence that is stored or sent at most; items, transactions and messages have limits."""


def bounded(sentence: str) -> str:
    """Return a sentence that may be stored: cut after LONGEST characters."""
    rest = len(sentence) - LONGEST
    return sentence if rest <= 0 else f"{sentence[: LONGEST - 40]} ... (cut, {rest + 40} more characters)"


class Reader(StrEnum):
    """Who reads an error's sentence: the advice depends on what this person can do.

    The reader of a dead letter is a third one: see `ContactSyncError.dead_letter`.
    """

    RECORD = "record"
    """The reader of a task's log, an outcome, a report or a notice; whether a retry follows is not known there."""
    COMMAND = "command"
    """The person at the command line, who can repeat the command."""


@dataclass(eq=False)
class ContactSyncError(Exception):
    """Any error that contactsync raises on purpose; `str()` says what happened, to which account, and what to do next.

    Fields hold the parts of the message, never a contact value. Instances survive pickling.
    """

    transient: ClassVar[bool] = False
    """Whether the cause may pass by itself."""
    blame: ClassVar[Blame] = Blame.SYSTEM
    """Where to look for the cause; it decides which notice is sent when the error ends a task."""
    outcome_detail: ClassVar[str] = "error"
    """The detail of an account's outcome when the error concerns that account; a value of `OutcomeDetail`."""
    remedy: ClassVar[Remedy | None] = None
    """The advice in a notice; None when the sentence says everything, or when no notice is about this error."""
    account_remedy: ClassVar[Remedy | None] = None
    """The advice when the error concerns one account."""
    headline: ClassVar[str] = ""
    """A notice's headline, when the general one for its blame would be wrong."""
    stops_run: ClassVar[bool] = True
    """Whether it kept a run from its work; otherwise a notice about it names no task to clear."""
    last_step: ClassVar[RemedyStep] = CLEAR_TASK
    """The last step in a notice: how to continue the run after the cause is removed."""
    dead_letter: ClassVar[str] = ""
    """The advice to the reader of a dead letter; it may use `{thing}`, `{service}`, `{function}` and `{redrive}`."""
    again: ClassVar[str] = ""
    """The next step for the person at the command line, if the message does not say it."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from the fields: the default needs positional arguments."""
        return _rebuild, (type(self), self.__dict__.copy())

    def __str__(self) -> str:
        """Return the sentence in a form that is safe for a log and a terminal, whatever names it quotes."""
        return log_text(self.message)

    @classmethod
    def short_name(cls) -> str:
        """Return the class's name for tables and metrics."""
        return cls.__name__.removesuffix("Error")

    def sentence_for(self, reader: Reader) -> str:
        """Return the sentence with the advice for this reader."""
        return " ".join(filter(None, [self.message, self.again])) if reader is Reader.COMMAND else self.message

    @property
    def retryable(self) -> bool:
        """Whether the same step may succeed with another try."""
        return self.transient

    @property
    def message(self) -> str:
        """What happened, and what to do next; not whether a retry follows, which only the retry policy knows."""
        return type(self).__name__

    @property
    def brief(self) -> str:
        """What happened, without advice, for the reader of a dead letter."""
        return self.message

    @property
    def afterwards(self) -> str:
        """How to continue the run after the cause is removed, for a task's log; empty when the message says it."""
        if CLEAR_RUN in self.message or DOWNSTREAM in self.message:
            return ""
        return f"When the cause is fixed, {CLEAR_RUN}."

    @property
    def code(self) -> str:
        """A short name for tables and metrics: the AWS code if there is one, else the class's name."""
        return self.short_name()

    @property
    def known_as(self) -> str:
        """The name that notices and halts store; `kind_of` finds the class by it."""
        return self.code


def _rebuild(cls: type[ContactSyncError], fields: dict[str, Any]) -> ContactSyncError:
    error = cls.__new__(cls)
    error.__dict__.update(fields)
    return error
