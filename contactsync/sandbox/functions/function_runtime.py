"""The program inside a function's process: imports the handler, reads events from a socket, answers with results.

It is started by path and imports only the standard library, so that a handler sees nothing of the sandbox.
"""

import importlib
import json
import logging
import os
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

_LENGTH = struct.Struct("!I")


class Context:
    """The context object of the Python runtime, with the names that AWS documents."""

    def __init__(self, invocation: dict[str, Any]) -> None:
        self.aws_request_id: str = invocation["request_id"]
        self.invoked_function_arn: str = invocation["invoked_function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = None
        self._deadline: float = time.monotonic() + invocation["timeout"]

    def get_remaining_time_in_millis(self) -> int:
        """Return for how many milliseconds the function may still run."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main() -> None:
    """Serve events until the sandbox closes the socket."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    _end_with_the_sandbox(int(sys.argv[2]))
    _log_to_stdout()
    if sys.flags.isolated:  # PYTHONPATH is not read then
        sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    handler, error = _import_handler(os.environ["_HANDLER"])
    _send(channel, {"init_error": error})
    while handler is not None and (invocation := _receive(channel)) is not None:
        os.environ["_X_AMZN_TRACE_ID"] = invocation["trace_id"]
        answer = _invoke(handler, invocation)
        sys.stdout.flush()
        sys.stderr.flush()
        _send(channel, answer)


def _invoke(handler: Callable[[Any, Context], Any], invocation: dict[str, Any]) -> dict[str, Any]:
    try:
        result = handler(invocation["event"], Context(invocation))
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error of a handler is reported
        return {"error": _described(error, invocation["request_id"])}
    try:
        return {"result": json.dumps(result)}
    except (TypeError, ValueError, RecursionError) as error:
        return {"error": _plain("Runtime.MarshalError", f"Unable to marshal response: {error}")}


def _import_handler(name: str) -> tuple[Callable[[Any, Context], Any] | None, dict[str, Any] | None]:
    module_name, _, attribute = name.rpartition(".")
    if not module_name:
        return None, _plain("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        return None, _plain("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}")
    except SyntaxError as error:
        return None, _plain("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}")
    except Exception as error:  # noqa: BLE001 - the edge of the process: a module may raise anything
        return None, _described(error, "")
    handler = getattr(module, attribute, None)
    if handler is None:
        return None, _plain("Runtime.HandlerNotFound", f"Handler '{attribute}' missing on module '{module_name}'")
    return handler, None


def _described(error: Exception, request_id: str) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__]
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an error that cannot be printed must not end the process
        message = ""
    return {
        "errorMessage": message,
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(own),
    }


def _plain(error_type: str, message: str) -> dict[str, Any]:
    return {"errorMessage": message, "errorType": error_type, "requestId": "", "stackTrace": []}


def _log_to_stdout() -> None:
    handler = logging.StreamHandler(sys.stdout)
    layout = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(message)s"
    handler.setFormatter(logging.Formatter(layout, "%Y-%m-%dT%H:%M:%S"))
    logging.getLogger().addHandler(handler)


def _end_with_the_sandbox(lifeline: int) -> None:
    os.set_inheritable(lifeline, False)  # noqa: FBT003 - the function takes it by position only

    def wait() -> None:
        os.read(lifeline, 1)  # nothing is ever written: this returns when the sandbox closes its end
        os.killpg(0, signal.SIGKILL)  # this process and what its handlers started

    threading.Thread(target=wait, daemon=True).start()


def _send(channel: socket.socket, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode()
    channel.sendall(_LENGTH.pack(len(data)) + data)


def _receive(channel: socket.socket) -> dict[str, Any] | None:
    head = _read(channel, _LENGTH.size)
    data = _read(channel, _LENGTH.unpack(head)[0]) if head else b""
    message: dict[str, Any] | None = json.loads(data) if data else None
    return message


def _read(channel: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = channel.recv(size - len(data))
        if not chunk:
            return b""
        data += chunk
    return bytes(data)


if __name__ == "__main__":
    main()
