"""Completion in shells: typer's scripts for bash, zsh, fish and PowerShell, with what zsh lacks in its own."""

from typing import Final

from typer import _completion_shared as shared

FIRST_TAB: Final = '\n[ "${funcstack[1]}" != "_%(prog_name)s" ] || %(complete_func)s\n'
"""zsh loads the script at the first Tab of a shell; without this line, that Tab completes nothing."""


def complete_at_first_tab() -> None:
    """Change typer's script for zsh so that it also completes at the moment when it is loaded."""
    scripts = shared._completion_scripts  # noqa: SLF001 -- typer has no other place for a shell's script
    if not scripts["zsh"].endswith(FIRST_TAB):
        scripts["zsh"] += FIRST_TAB
