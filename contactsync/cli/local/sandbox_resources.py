"""The commands `contactsync sandbox resources ...`: durations and failures of CloudFormation's resources."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from contactsync.cli.local.sandbox_address import DEFAULT_URL, Url
from contactsync.cli.screen.commands import CommandGroup
from contactsync.cli.screen.listing import Output, OutputOption
from contactsync.views.tables import Columns

Call = Callable[..., Any]
Show = Callable[[object, Columns, list[dict[str, Any]], Output], None]
RESOURCES = Columns(("stack", "logical_id", "type", "action", "seconds", "error", "count"), drop=("count", "stack"))
_PATH = "/stack-settings"


def resource_commands(call: Call, show: Show) -> CommandGroup:
    """Return the group of commands; `call` asks the control API, and `show` writes rows."""
    group = CommandGroup("Give resources of CloudFormation a duration, or let them fail on purpose.")

    @group.command("list", epilog="Example: contactsync sandbox resources list")
    def list_scripts(url: Url = DEFAULT_URL, *, output: OutputOption = Output.TABLE) -> None:
        """List the scripts in their order."""
        scripts = call(url, "GET", _PATH)["resources"]
        show(scripts, RESOURCES, scripts, output)

    @group.command(
        "add", epilog="Example: contactsync sandbox resources add --logical-id StateTable --action create --seconds 20"
    )
    def add_script(  # noqa: PLR0913 - each is a property of a script
        url: Url = DEFAULT_URL,
        *,
        stack: Annotated[str, typer.Option(help="Stacks of this name; * stands for any text.")] = "*",
        logical_id: Annotated[
            str, typer.Option(help="Resources of this name in their template; * stands for any text.")
        ] = "*",
        type_name: Annotated[
            str, typer.Option("--type", help="Resources of this type, such as AWS::MWAA::Environment.")
        ] = "*",
        action: Annotated[
            Literal["create", "update", "delete", "rollback"] | None,
            typer.Option(help="rollback: the update back to the old properties. Without it: every action."),
        ] = None,
        seconds: Annotated[float, typer.Option(min=0, help="How long the action takes.")] = 0.0,
        error: Annotated[str | None, typer.Option(help="The reason with which the action fails.")] = None,
        count: Annotated[int | None, typer.Option(min=1, help="The number of failures. Without it: no limit.")] = None,
    ) -> None:
        """Let actions on resources take time or fail from now on."""
        script = {
            "stack": stack,
            "logical_id": logical_id,
            "type": type_name,
            "action": action,
            "seconds": seconds,
            "error": error,
            "count": count,
        }
        settings = call(url, "GET", _PATH)
        call(url, "PUT", _PATH, body=settings | {"resources": [*settings["resources"], script]})

    @group.command("clear", epilog="Example: contactsync sandbox resources clear")
    def clear_scripts(url: Url = DEFAULT_URL) -> None:
        """Remove all scripts."""
        call(url, "PUT", _PATH, body=call(url, "GET", _PATH) | {"resources": []})

    return group
