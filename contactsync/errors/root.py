"""The root of the tree: what every error of contactsync has."""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(eq=False)
class ContactSyncError(Exception):
    """Say what happened, to which account, and what to do next; `str()` gives that sentence.

    Fields hold the parts of the message, never a contact value. Instances survive pickling.
    """

    transient: ClassVar[bool] = False
    """Whether the cause may pass by itself."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from the fields: the default needs positional arguments."""
        return _rebuild, (type(self), self.__dict__.copy())

    def __str__(self) -> str:
        """Return the operator's sentence."""
        return self.message

    @property
    def retryable(self) -> bool:
        """Whether the same step may succeed when it is simply tried again."""
        return self.transient

    @property
    def message(self) -> str:
        """The operator's sentence."""
        return type(self).__name__

    @property
    def code(self) -> str:
        """A short name for tables and metrics: the AWS code where there is one, else the class's own."""
        return type(self).__name__.removesuffix("Error")


def _rebuild(cls: type[ContactSyncError], fields: dict[str, Any]) -> ContactSyncError:
    error = cls.__new__(cls)
    error.__dict__.update(fields)
    return error
