"""Values that several commands take, each refused with the nearest valid one."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Annotated, Final

import typer

ACCOUNT_ID: Final = re.compile(r"[0-9]{12}", re.ASCII)


def account_id(text: str | None) -> str | None:
    """Return an account id; raise BadParameter for any other text."""
    if text is not None and not ACCOUNT_ID.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is not an account id of 12 digits.")
    return text


def account_ids(texts: list[str] | None) -> list[str] | None:
    """Return account ids; raise BadParameter when one of the texts is something else."""
    for text in texts or []:
        account_id(text)
    return texts


def one_of(text: str, known: Iterable[str]) -> str:
    """Return a text that is one of `known`; raise BadParameter, with the nearest and all of them, for any other."""
    names = list(known)
    if text in names:
        return text
    nearest = get_close_matches(text, names, n=1)
    meant = f" Did you mean {nearest[0]}?" if nearest else ""
    raise typer.BadParameter(f"{text!r} is not one of {', '.join(names)}.{meant}")


def completed(known: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return a function that completes a value in the shell."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in known() if name.startswith(incomplete)]

    return complete


NameArgument = Annotated[str, typer.Argument(metavar="RUN_OR_SYNC_ID", help="A DAG run id or a sync id.")]
AccountArgument = Annotated[
    str, typer.Argument(metavar="ACCOUNT_ID", help="An account id: 12 digits.", callback=account_id)
]
