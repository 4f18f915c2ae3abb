"""The progress of a long command: on a terminal only, and never between what else is shown."""

import io

from contactsync.cli.screen.progress import CLEAR, counted


class Terminal(io.StringIO):
    """A terminal in memory."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def test_on_a_terminal() -> None:
    """While more is fetched the line says how much there was; it is gone before anything is yielded."""
    terminal = Terminal()
    seen = []
    for thing in counted(range(5), "{} read".format, stream=terminal, step=2):
        assert terminal.getvalue().endswith(CLEAR)
        seen.append(thing)
    assert seen == [0, 1, 2, 3, 4]
    assert terminal.getvalue().replace(CLEAR, "|") == "|0 read||2 read||4 read||5 read|"


def test_elsewhere() -> None:
    """In a file or a pipe there is nothing of it."""
    file = io.StringIO()
    assert list(counted("abc", "{} read".format, stream=file)) == ["a", "b", "c"]
    assert file.getvalue() == ""


def test_error() -> None:
    """When fetching fails, the line is gone too."""

    def fail() -> "list[int]":
        raise LookupError

    terminal = Terminal()
    try:
        list(counted((fail() for _ in range(1)), "{} read".format, stream=terminal))
    except LookupError:
        assert terminal.getvalue().endswith(CLEAR)
