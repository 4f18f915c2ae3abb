"""How the sandbox replaces parts of moto while it runs, and puts moto's own parts back afterwards."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
_MISSING = object()


class Correction(Protocol):
    """One change of moto that is active while a sandbox runs."""

    def install(self) -> Callable[[], object]:
        """Make the change, and return the function that undoes it."""


@dataclass(frozen=True)
class Attribute:
    """A replaced attribute of a class, module or object of moto; if moto does not have it, undoing removes it."""

    owner: object
    name: str
    replacement: object

    def install(self) -> Callable[[], object]:
        """Set the attribute, and return the function that restores moto's own."""
        original = vars(self.owner).get(self.name, _MISSING)  # getattr() would unwrap a class method
        setattr(self.owner, self.name, self.replacement)
        if original is _MISSING:
            return lambda: delattr(self.owner, self.name)
        return lambda: setattr(self.owner, self.name, original)


@dataclass(frozen=True)
class Entry:
    """A replaced entry of one of moto's mappings; `table` returns it at the start, because moto builds some late."""

    table: Callable[[], MutableMapping[str, Any]]
    key: str
    replacement: object

    def install(self) -> Callable[[], object]:
        """Set the entry, and return the function that restores moto's own."""
        table = self.table()
        original = table.get(self.key, _MISSING)
        table[self.key] = self.replacement
        if original is _MISSING:
            return lambda: table.pop(self.key, None)
        return lambda: table.update({self.key: original})


@dataclass(frozen=True)
class Emptied:
    """A cache of moto that is cleared when a sandbox starts and stops: it can hold objects of the replaced classes."""

    forget: Callable[[], object]

    def install(self) -> Callable[[], object]:
        """Clear the cache, and return the function that clears it again."""
        self.forget()
        return self.forget


class Handover(Generic[T]):
    """The corrections of one part of moto, and the part of the running sandbox that they call."""

    def __init__(self, *corrections: Correction) -> None:
        """Keep the corrections; they take effect when `to` is entered."""
        self._corrections = corrections
        self._installed = ExitStack()
        self._parts: list[T] = []

    @property
    def part(self) -> T | None:
        """The part that moto calls now; None before the start and after the stop, even while a request is running."""
        return self._parts[-1] if self._parts else None

    @contextmanager
    def to(self, part: T) -> Iterator[None]:
        """Let moto call this part until the end of the block; after the last block, moto is as it was.

        The whole process shares moto's classes. Where blocks overlap, moto calls the part of the latest one.
        """
        self._enter(part)
        try:
            yield
        finally:
            self._leave(part)

    def _enter(self, part: T) -> None:
        if not self._parts:
            with ExitStack() as undone:
                for correction in self._corrections:
                    undone.callback(correction.install())
                self._installed = undone.pop_all()
        self._parts.append(part)

    def _leave(self, part: T) -> None:
        del self._parts[next(index for index, other in enumerate(self._parts) if other is part)]
        if not self._parts:
            self._installed.close()
