"""Ports of this machine."""

import socket
from typing import Final

SANDBOX_PORT: Final = 4599
"""The default port of the sandbox, when it is free."""


def free(port: int) -> int:
    """Return the port, or 0 (any) when something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
