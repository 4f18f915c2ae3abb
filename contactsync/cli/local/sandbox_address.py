"""The option with the address of a running sandbox."""

from typing import Annotated

import typer

from contactsync.sandbox.requests.listening import PREFERRED_PORT

Url = Annotated[
    str, typer.Option("--url", envvar="AWS_ENDPOINT_URL", help="The address of the sandbox.", metavar="URL")
]
DEFAULT_URL = f"http://127.0.0.1:{PREFERRED_PORT}"
