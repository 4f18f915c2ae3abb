"""One process of a function: started cold, kept warm, killed at a timeout, and closed when it ends."""

import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contactsync.sandbox.functions.function_code import Place

INIT_LIMIT = 10.0  # seconds that AWS gives the init phase before it counts against the function's own timeout
_RUNTIME = Path(__file__).with_name("function_runtime.py")
_LENGTH = struct.Struct("!I")
_ANSWER_LIMIT = 6 * 1024 * 1024  # bytes
_LOG_LIMIT = 256 * 1024  # bytes: the end of one invocation's output


@dataclass(frozen=True)
class Answer:
    """The end of an invocation: its result as JSON text, or Lambda's error, and its output."""

    result: str | None
    error: Mapping[str, Any] | None
    log: str


class FunctionProcess:
    """A Python process that serves one invocation at a time with a function's environment."""

    def __init__(self, environment: Mapping[str, str], place: Place) -> None:
        """Start the process, without waiting until it has imported the handler."""
        self._channel, theirs = socket.socketpair()
        life_read, self._lifeline = os.pipe()
        self._output = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
        fcntl.fcntl(self._output, fcntl.F_SETFL, os.O_APPEND)  # else output after a truncation leaves a hole
        self._ready = False
        self._closing = threading.Lock()
        self._closed = False
        self._killed = False
        with theirs, contextlib.closing(os.fdopen(life_read, "rb")):
            self._process = self._start(theirs, life_read, environment, place)

    def _start(
        self, theirs: socket.socket, life_read: int, environment: Mapping[str, str], place: Place
    ) -> "subprocess.Popen[bytes]":
        flags = ["-I", "-S"] if place.isolated else ["-P"]
        try:
            return subprocess.Popen(  # noqa: S603 - our own interpreter and file
                [sys.executable, *flags, str(_RUNTIME), str(theirs.fileno()), str(life_read)],
                env=dict(environment),
                cwd=place.directory,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=(theirs.fileno(), life_read),
                start_new_session=True,
            )
        except OSError:
            self._channel.close()
            os.close(self._lifeline)
            self._output.close()
            raise

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its session."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether the process can take another invocation."""
        return not self._closed and self._process.poll() is None

    def invoke(self, invocation: Mapping[str, Any], timeout: float) -> Answer:
        """Run one event within `timeout` seconds; without an answer, close the process and return the reason."""
        request_id = str(invocation["request_id"])
        try:
            if (error := self._init(timeout)) is not None:
                return self._failed(error | {"requestId": request_id})
            deadline = time.monotonic() + timeout
            self._send(dict(invocation) | {"timeout": timeout}, deadline)
            answer = self._receive(deadline)
        except TimeoutError:
            message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
            return self._failed({"errorType": "Sandbox.Timedout", "errorMessage": message})
        except (OSError, EOFError, ValueError):
            return self._failed(self._exit_error(request_id))
        if len(answer.get("result") or "") > _ANSWER_LIMIT:
            message = f"Response payload size exceeded maximum allowed payload size ({_ANSWER_LIMIT} bytes)."
            answer = {"error": {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}}
        return Answer(answer.get("result"), answer.get("error"), self._take_log())

    def close(self) -> None:
        """Kill the process and everything that it started, and free its resources; a second call does nothing."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._kill()
            self._channel.close()
            os.close(self._lifeline)
            self._output.close()

    def kill(self) -> None:
        """Kill the process; a running invocation then returns an error."""
        with self._closing:
            if not self._closed:
                self._kill()

    def _kill(self) -> None:
        if not self._killed:
            self._killed = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # also what a handler started and left behind
            self._process.wait()

    def _init(self, timeout: float) -> dict[str, Any] | None:
        if self._ready:
            return None
        error: dict[str, Any] | None = self._receive(time.monotonic() + INIT_LIMIT + timeout)["init_error"]
        self._ready = error is None
        return error

    def _failed(self, error: Mapping[str, Any]) -> Answer:
        self.kill()
        log = self._take_log()
        self.close()
        return Answer(None, error, log)

    def _exit_error(self, request_id: str) -> dict[str, Any]:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)  # the socket closes a moment before the process ends
        code = self._process.poll()
        if code is None:
            reason = "Runtime closed its connection"
        elif code < 0:
            reason = f"Runtime exited with error: signal: {_signal_name(-code)}"
        elif code:
            reason = f"Runtime exited with error: exit status {code}"
        else:
            reason = "Runtime exited without providing a reason"
        return {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: {reason}"}

    def _take_log(self) -> str:
        """Return the output since the last call, and delete it."""
        with self._closing:
            if self._closed:
                return ""
            size = os.fstat(self._output.fileno()).st_size
            text = os.pread(self._output.fileno(), _LOG_LIMIT, max(0, size - _LOG_LIMIT))
            os.ftruncate(self._output.fileno(), 0)
        return text.decode(errors="replace")

    def _send(self, message: Mapping[str, Any], deadline: float) -> None:
        data = json.dumps(message).encode()
        self._channel.settimeout(_remaining(deadline))
        self._channel.sendall(_LENGTH.pack(len(data)) + data)

    def _receive(self, deadline: float) -> dict[str, Any]:
        (size,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
        message: dict[str, Any] = json.loads(self._read(size, deadline))
        return message

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._channel.settimeout(_remaining(deadline))
            chunk = self._channel.recv(min(size - len(data), 1 << 20))
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _signal_name(number: int) -> str:
    return {signal.SIGKILL: "killed", signal.SIGTERM: "terminated", signal.SIGSEGV: "segmentation fault"}.get(
        signal.Signals(number), signal.Signals(number).name
    )
