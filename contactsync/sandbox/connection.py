"""Which sandbox moto's classes call: they are shared by the whole process, so at most one at a time."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Connection(Generic[T]):
    """Holds what is called while a sandbox runs; without one moto's classes behave as moto made them."""

    def __init__(self) -> None:
        """Start without one."""
        self._current: list[T] = []

    @property
    def current(self) -> T | None:
        """What is called now."""
        return self._current[0] if self._current else None

    def open(self, part: T) -> None:
        """Call this one from now on."""
        self._current[:] = [part]

    def close(self, part: T) -> None:
        """Stop calling this one; does nothing when another has taken its place."""
        if self.current is part:
            self._current.clear()
