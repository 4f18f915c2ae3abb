"""The progress of a long command: one line on stderr, only on a terminal, removed before other output."""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TextIO, TypeVar

T = TypeVar("T")

STEP: Final = 100
"""Things between two updates of the line."""

CLEAR: Final = "\r\x1b[K"


def counted(
    things: Iterable[T], line: Callable[[int], str], *, stream: TextIO | None = None, step: int = STEP
) -> Iterator[T]:
    """Yield things, and show with `line` how many there were while more are fetched; only on a terminal."""
    out = stream or sys.stderr
    if not out.isatty():
        yield from things
        return
    remaining, number = iter(things), 0
    while True:
        out.write(f"{CLEAR}{line(number)}")
        out.flush()
        try:
            portion = list(islice(remaining, step))
        finally:
            out.write(CLEAR)
            out.flush()
        if not portion:
            return
        number += len(portion)
        yield from portion
