"""The one way in which moto hands over to a sandbox: what is put in the place of moto's own, and taken out again."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
_MISSING = object()


class Correction(Protocol):
    """One thing of moto that is different while a sandbox runs."""

    def install(self) -> Callable[[], object]:
        """Put it in force, and return what takes it out again."""


@dataclass(frozen=True)
class Attribute:
    """An attribute of one of moto's classes, modules or objects; one that moto lacks is removed again."""

    owner: object
    name: str
    replacement: object

    def install(self) -> Callable[[], object]:
        """Set it, and return what sets moto's own."""
        original = vars(self.owner).get(self.name, _MISSING)  # as it is kept: a class method stays one
        setattr(self.owner, self.name, self.replacement)
        if original is _MISSING:
            return lambda: delattr(self.owner, self.name)
        return lambda: setattr(self.owner, self.name, original)


@dataclass(frozen=True)
class Entry:
    """An entry of one of moto's tables, which is asked for when a sandbox starts because moto builds it late."""

    table: Callable[[], MutableMapping[str, Any]]
    key: str
    replacement: object

    def install(self) -> Callable[[], object]:
        """Set it, and return what sets moto's own."""
        table = self.table()
        original = table.get(self.key, _MISSING)
        table[self.key] = self.replacement
        if original is _MISSING:
            return lambda: table.pop(self.key, None)
        return lambda: table.update({self.key: original})


@dataclass(frozen=True)
class Emptied:
    """What moto has made with the classes of before, forgotten when a sandbox starts and again when it stops."""

    forget: Callable[[], object]

    def install(self) -> Callable[[], object]:
        """Forget, and return what forgets."""
        self.forget()
        return self.forget


class Handover(Generic[T]):
    """The corrections of one part of moto, and the part of the running sandbox that they call."""

    def __init__(self, *corrections: Correction) -> None:
        """Take what is corrected; nothing is until `to` is entered."""
        self._corrections = corrections
        self._installed = ExitStack()
        self._parts: list[T] = []

    @property
    def part(self) -> T | None:
        """What moto calls now; nothing before and after, also for a request that was on its way at the stop."""
        return self._parts[-1] if self._parts else None

    @contextmanager
    def to(self, part: T) -> Iterator[None]:
        """Call this part until the end of the block; without a part moto is as it was.

        moto's classes are shared by the whole process: where blocks overlap, the part that came last is called.
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
