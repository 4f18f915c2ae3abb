"""What all commands have in common: fixed names, `-h`, one style of names for values, spellings of earlier versions."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from contactsync.cli.env_file import sandbox_gone
from contactsync.errors import ContactSyncError

HELP_OPTIONS: Final = ["-h", "--help"]

CUT_OFF: Final = 141
"""The exit code when the reader of the output has gone, as in `| head`; shells give it to other tools too."""

EXAMPLE: Final = "Example: "

Function = TypeVar("Function", bound=Callable[..., Any])


class _Described:
    """The help of a command or group, which has the same form everywhere."""

    help: str | None
    epilog: str | None
    params: list[Any]

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 -- typer's own
        """Name values that have no name yet, and move an example from the epilog into the help, where all have it."""
        super().__init__(*args, **options)
        if (self.epilog or "").startswith(EXAMPLE):
            self.help = f"{self.help}\n\n{EXAMPLE}`{str(self.epilog).removeprefix(EXAMPLE)}`"
            self.epilog = None
        for param in self.params:
            param.metavar = param.metavar or _metavar(param)

    def get_help_option_names(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 -- typer's context, which has no public type
        """Return the names in a fixed order."""
        return list(HELP_OPTIONS)

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 -- nothing is cut
        """Return the first paragraph of the help, whole."""
        return " ".join((self.help or "").strip().partition("\n\n")[0].split())


class Command(_Described, TyperCommand):
    """A command."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 -- typer's context has no public type
        """Return the parts of the usage line: optional ones in brackets, the others as they are."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 -- typer's context has no public type
        """Accept the spellings of earlier versions."""
        known = {name for param in self.params for name in param.opts}
        return super().parse_args(ctx, list(_present(args, known)) if "--output" in known else args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 -- typer's context has no public type
        """Run the command; end quietly when nobody reads the output any more."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except ContactSyncError as error:
            if gone := sandbox_gone(os.environ):
                raise gone from error
            raise
        except BrokenPipeError:
            # Python writes the rest when it ends, and would print an error then.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(CUT_OFF) from None
        return result


class Group(_Described, TyperGroup):
    """A group of commands."""


class CommandGroup(typer.Typer):
    """A group whose commands have explicit names, so that renaming a function changes nothing for users."""

    def __init__(self, help: str, **options: Any) -> None:  # noqa: A002, ANN401 -- as typer names and takes them
        super().__init__(cls=Group, help=help, no_args_is_help=True, **options)

    def command(self, name: str, **options: Any) -> Callable[[Function], Function]:  # type: ignore[override]  # noqa: ANN401 -- the name is no option here
        """Add a command under a name."""
        return super().command(name, cls=Command, **options)


def _present(args: Iterable[str], known: set[str]) -> Iterator[str]:
    """Yield the arguments in the present spelling; those after `--` stay as they are."""
    left = iter(args)
    for arg in left:
        name, equals, value = arg.partition("=")
        if arg == "--":
            yield arg
            yield from left
        elif arg == "--json" and arg not in known:
            yield "--format=json" if "--format" in known else "--output=json"
        elif name == "--format" and name not in known:
            yield f"--output{equals}{value}"
        elif name in {"--output", "-o"} and "--file" in known:
            # In earlier versions it named the file; no form of an output has a dot or a slash.
            value = value if equals else next(left, "")
            yield f"--file={value}" if {".", "/"} & set(value) else f"--output={value}"
        else:
            yield arg


def _metavar(param: Any) -> str | None:  # noqa: ANN401 -- an argument or an option
    """Return the name of a value: `<on|off>` if all values are known, else `FILE` or the option's name in capitals."""
    if getattr(param, "is_flag", False):
        return None
    if getattr(param.type, "choices", None):
        return f"<{'|'.join(str(getattr(choice, 'value', choice)) for choice in param.type.choices)}>"
    if hasattr(param.type, "file_okay"):
        return "FILE" if param.type.file_okay else "DIRECTORY"
    return str(param.name).upper()
