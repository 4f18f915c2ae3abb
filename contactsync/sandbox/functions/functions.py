"""Lambda functions deployed in moto; they run by their Handler string in processes, and not in containers."""

import base64
import contextlib
import itertools
import json
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend

from contactsync.sandbox.functions.function_code import OwnZips, Place, SharedFolder
from contactsync.sandbox.functions.function_process import Answer, FunctionProcess

_KEPT_INVOCATIONS = 200  # of each function
_LOG_TAIL = 4096  # characters


@dataclass(frozen=True)
class Invocation:
    """One run of a function, with its result or error and its output."""

    request_id: str
    function: str
    started: datetime
    duration: float
    """In seconds."""
    cold_start: bool
    result: str | None
    error: Mapping[str, Any] | None
    log: str

    @property
    def payload(self) -> str:
        """The body of Lambda's answer: the result or the error, as JSON text."""
        return json.dumps(self.error) if self.error is not None else (self.result or "null")

    def as_json(self) -> dict[str, Any]:
        """Describe the invocation for the control API."""
        return {
            "request_id": self.request_id,
            "function": self.function,
            "started": self.started.isoformat(),
            "duration": round(self.duration, 4),
            "cold_start": self.cold_start,
            "result": None if self.result is None else json.loads(self.result),
            "error": self.error,
            "log": self.log,
        }


@dataclass
class _Instances:
    """The idle processes of one function, and the environment with which they were started."""

    environment: Mapping[str, str] = field(default_factory=dict)
    idle: deque[FunctionProcess] = field(default_factory=deque)


class Functions:
    """The functions and their warm processes: each runs one invocation at a time, until the function changes."""

    def __init__(
        self, code_root: Path | None, client_environment: Callable[[LambdaFunction], Mapping[str, str]]
    ) -> None:
        """Keep the folder that replaces all zips, and the source of a function's endpoint and credentials.

        Without a folder each function runs from its own zip.
        """
        self._code = OwnZips() if code_root is None else SharedFolder(code_root)
        self._client_environment = client_environment
        self._lock = threading.Lock()
        self._instances: dict[str, _Instances] = defaultdict(_Instances)
        self._busy: set[FunctionProcess] = set()
        self._invocations: dict[str, deque[Invocation]] = defaultdict(lambda: deque(maxlen=_KEPT_INVOCATIONS))
        self._serial = itertools.count(1)
        self._stopped = False

    def find(self, arn_or_name: str, account: str, region: str) -> LambdaFunction | None:
        """Return the deployed function, or None."""
        try:
            return get_backend(account, region).get_function(arn_or_name)
        except UnknownFunctionException:
            return None

    def invoke(self, function: LambdaFunction, event: object, *, request_id: str | None = None) -> Invocation:
        """Run the function once and wait for its end; an error of the function is returned, not raised."""
        request_id = request_id or str(uuid.uuid4())
        started = datetime.now(UTC)
        process, cold_start = self._take(function)
        try:
            answer = process.invoke(self._request(function, event, request_id), float(function.timeout))
        finally:
            self._give_back(function, process)
        duration = (datetime.now(UTC) - started).total_seconds()
        return self._record(
            function,
            Invocation(
                request_id,
                function.function_name,
                started,
                duration,
                cold_start,
                answer.result,
                answer.error,
                _with_report(answer, request_id, duration, function),
            ),
        )

    def invocations(self, name: str) -> list[Invocation]:
        """List the latest invocations of a function, oldest first."""
        with self._lock:
            return list(self._invocations.get(name, ()))

    def names(self) -> list[str]:
        """List the functions that have run."""
        with self._lock:
            return sorted(self._invocations)

    def process_ids(self) -> list[int]:
        """List the ids of all processes, busy or idle."""
        with self._lock:
            idle = [process for instances in self._instances.values() for process in instances.idle]
            return [process.pid for process in [*idle, *self._busy]]

    def stop(self) -> None:
        """Kill every process; running invocations return an error."""
        with self._lock:
            self._stopped = True
            idle = [process for instances in self._instances.values() for process in instances.idle]
            self._instances.clear()
            busy = list(self._busy)
        for process in idle:
            process.close()
        for process in busy:
            process.kill()
        self._code.close()

    def _take(self, function: LambdaFunction) -> tuple[FunctionProcess, bool]:
        place = self._code.place(function)
        wanted = self._own_environment(function, place)
        with self._lock:
            instances = self._instances[function.function_arn]
            if instances.environment != wanted:
                _close_all(instances.idle)
                instances.environment = wanted
            while instances.idle:
                process = instances.idle.pop()
                if process.usable:
                    self._busy.add(process)
                    return process, False
                process.close()
        environment = wanted | dict(self._client_environment(function))
        with self._lock:
            if self._stopped:
                message = "the sandbox is stopping"
                raise RuntimeError(message)
            process = FunctionProcess(environment, place)
            self._busy.add(process)
        return process, True

    def _give_back(self, function: LambdaFunction, process: FunctionProcess) -> None:
        with self._lock:
            self._busy.discard(process)
            if process.usable and not self._stopped:
                self._instances[function.function_arn].idle.append(process)
                return
        process.close()

    def _record(self, function: LambdaFunction, invocation: Invocation) -> Invocation:
        with self._lock:
            self._invocations[function.function_name].append(invocation)
        return invocation

    def _request(self, function: LambdaFunction, event: object, request_id: str) -> dict[str, Any]:
        trace = request_id.replace("-", "")
        return {
            "event": event,
            "request_id": request_id,
            "invoked_function_arn": function.function_arn,
            "trace_id": f"Root=1-{trace[:8]}-{trace[8:]};Parent={trace[:16]};Sampled=0",
        }

    def _own_environment(self, function: LambdaFunction, place: Place) -> dict[str, str]:
        """Return the function's variables and Lambda's (developer guide, "Defined runtime environment variables")."""
        variables = {name: str(value) for name, value in function.environment_vars.items()}
        stream = uuid.uuid5(uuid.NAMESPACE_DNS, function.function_arn).hex
        return variables | {
            "_HANDLER": str(function.handler),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": log_group(function),
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{stream}",
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "LAMBDA_TASK_ROOT": str(place.code),
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(place.code),
            "TZ": ":UTC",
        }


def log_group(function: LambdaFunction) -> str:
    """Return the name of the function's log group: that of LoggingConfig, or else the default."""
    configured = getattr(function, "logging_config", None) or {}
    return str(configured.get("LogGroup") or f"/aws/lambda/{function.function_name}")


def answer_headers(invocation: Invocation) -> dict[str, str]:
    """Return the headers of a synchronous Invoke's answer."""
    tail = base64.b64encode(invocation.log[-_LOG_TAIL:].encode()).decode()
    headers = {"x-amz-log-result": tail, "X-Amz-Executed-Version": "$LATEST"}
    return headers | ({"x-amz-function-error": "Unhandled"} if invocation.error is not None else {})


def _close_all(processes: deque[FunctionProcess]) -> None:
    while processes:
        with contextlib.suppress(OSError):
            processes.pop().close()


def _with_report(answer: Answer, request_id: str, duration: float, function: LambdaFunction) -> str:
    milliseconds = f"{duration * 1000:.2f} ms"
    lines = [f"START RequestId: {request_id} Version: $LATEST", *answer.log.splitlines()]
    if answer.error is not None:
        lines.append(f"[ERROR] {answer.error.get('errorType')}: {answer.error.get('errorMessage')}")
    lines.append(f"END RequestId: {request_id}")
    lines.append(f"REPORT RequestId: {request_id}\tDuration: {milliseconds}\tMemory Size: {function.memory_size} MB")
    return "\n".join(lines)
