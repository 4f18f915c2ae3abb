"""The port of the sandbox."""

import socket
from typing import Final

HOST: Final = "127.0.0.1"
PREFERRED_PORT: Final = 4599


class PortTakenError(Exception):
    """The port cannot be used, for example because another process listens on it."""

    def __init__(self, port: int, reason: str) -> None:
        self.port = port
        self.reason = reason
        super().__init__(f"port {port} cannot be used ({reason}); choose another one, or 0 for any free port")


def listen_somewhere() -> socket.socket:
    """Listen on the preferred port, or on a free one when it is taken."""
    try:
        return listen(PREFERRED_PORT)
    except PortTakenError:
        return listen(0)


def listen(port: int) -> socket.socket:
    """Listen on the port, or on a free one for 0; raise PortTakenError if that fails."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(256)
    except (OSError, OverflowError) as error:
        listening.close()
        raise PortTakenError(port, getattr(error, "strerror", None) or str(error)) from error
    return listening
