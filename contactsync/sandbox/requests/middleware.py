"""What happens to every request in front of moto: latency, quotas, scripted faults, permissions, and the call log."""

import contextlib
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from moto.core.request import Request
from werkzeug.wrappers import Response

from contactsync.sandbox.requests.authorization import Authorization, EverythingAllowed, Refusal
from contactsync.sandbox.requests.call_log import ApiCall, CallLog
from contactsync.sandbox.requests.callers import Caller, Callers
from contactsync.sandbox.requests.faults import CONNECTION_DROPPED, Faults, FaultSettings
from contactsync.sandbox.requests.latency import Latency
from contactsync.sandbox.requests.quotas import Quotas
from contactsync.sandbox.requests.wire import (
    WireCall,
    WireError,
    error_response,
    name_the_request,
    read_call,
    read_error,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

logger = logging.getLogger(__name__)

MwaaResponder = Callable[[Request, str], Response | None]
_THROTTLED = "TooManyRequestsException"
_RATE_EXCEEDED = WireError(_THROTTLED, "Rate exceeded")
_ORGANIZATIONS_RATE_EXCEEDED = WireError(
    _THROTTLED, "You have sent too many requests in too short a period of time. Try again later."
)
_APPLIED = "contactsync.applied"
_MOTO_USER = re.compile(rb"arn:[a-z-]+:sts::[0-9]{12}:user/moto")
"""The ARN that moto's STS returns for every key that moto has not created; CloudTrail's records have another one."""
_CONTROL = "/_sandbox"
_MOTO_RESET = "/moto-api/reset"


class ConnectionDroppedError(ConnectionError):
    """A scripted fault: the connection is closed without an answer."""


@dataclass
class Conditions:
    """The conditions that apply to every call; they can be changed while the sandbox runs."""

    quotas: Quotas
    faults: Faults
    latency: Latency
    authorization: Authorization = field(default_factory=EverythingAllowed)


class Middleware:
    """The WSGI application of the sandbox: moto behind the scenario's conditions, and the control API beside it."""

    def __init__(
        self,
        moto: "WSGIApplication",
        *,
        control: "WSGIApplication",
        callers: Callers,
        conditions: Conditions,
        call_log: CallLog,
        mwaa: MwaaResponder | None = None,
    ) -> None:
        self._moto = moto
        self._control = control
        self._callers = callers
        self._conditions = conditions
        self._call_log = call_log
        self._mwaa = mwaa
        self._stopping = threading.Event()
        # moto's tables have no locks, so another thread could run within a conditional write or a transaction.
        self._dynamodb = threading.RLock()

    def start(self) -> None:
        """Allow waits again, after an earlier `stop`."""
        self._stopping.clear()

    def stop(self) -> None:
        """End all waits at once, so that threads end."""
        self._stopping.set()

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request; raises ConnectionDroppedError when a scripted fault wants no answer at all."""
        path = environ.get("PATH_INFO", "")
        if path == _CONTROL or path.startswith(f"{_CONTROL}/"):
            return self._control(environ, start_response)
        if path.rstrip("/") == _MOTO_RESET:
            refusal = "This would take the organization away; stop the sandbox and start another one."
            return Response(refusal, status=403, content_type="text/plain")(environ, start_response)
        request = Request(environ)
        request.get_data(cache=True, parse_form_data=False)
        call = read_call(request)
        if call is None:
            return self._moto(environ, start_response)
        return self._answer(request, call)(environ, start_response)

    def _answer(self, request: Request, call: WireCall) -> Response:
        caller = self._callers.caller_of(call.access_key)
        request.environ["HTTP_X_MOTO_ACCOUNT_ID"] = caller.account
        arrived, started = datetime.now(UTC), time.monotonic()
        record = _Record(self._call_log, request, call, caller, arrived, started)
        try:
            response = self._respond(request, call, caller)
        except ConnectionDroppedError:
            record.dropped()
            raise
        record.answered(response)
        return response

    def _respond(self, request: Request, call: WireCall, caller: Caller) -> Response:
        self._wait(self._conditions.latency.seconds(call.operation))
        if not self._conditions.quotas.take(call.service, call.operation, caller.account):
            error = _ORGANIZATIONS_RATE_EXCEEDED if call.service == "organizations" else _RATE_EXCEEDED
            return error_response(request, call.service, call.operation, error, status=None)
        account = call.target_account or caller.account
        fault = self._conditions.faults.strike(call.service, call.operation, account, caller.account, call.parameters)
        if fault is None:
            return self._carry_out(request, call, caller)
        if fault.stage == "after":
            response = self._carry_out(request, call, caller)
            self._wait(fault.delay)
            return _struck(fault, request, call) or response
        self._wait(fault.delay)
        return _struck(fault, request, call) or self._carry_out(request, call, caller)

    def _carry_out(self, request: Request, call: WireCall, caller: Caller) -> Response:
        if refusal := self._conditions.authorization.refusal(call, caller):
            return _refused(refusal, request, call)
        response = self._mwaa(request, caller.account) if self._mwaa else None
        if response is None:
            response = self._from_moto(request, call)
        if (call.service, call.operation) == ("sts", "GetCallerIdentity"):
            response.set_data(_MOTO_USER.sub(caller.arn.encode(), response.get_data()))
        if response.status_code >= HTTPStatus.BAD_REQUEST and (hidden := self._hidden(response, call, caller)):
            return _refused(hidden, request, call)
        if not _request_id(response.headers):
            response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
        name_the_request(response, call.service)
        request.environ[_APPLIED] = response.status_code < HTTPStatus.BAD_REQUEST
        return response

    def _hidden(self, response: Response, call: WireCall, caller: Caller) -> Refusal | None:
        error = read_error(response.status_code, response.headers, response.get_data())  # type: ignore[arg-type] # werkzeug's headers are a mapping in all but name
        return self._conditions.authorization.refusal_afterwards(call, caller, error.code if error else None)

    def _from_moto(self, request: Request, call: WireCall) -> Response:
        request.environ["wsgi.input"].seek(0)
        alone = self._dynamodb if call.service == "dynamodb" else contextlib.nullcontext()
        try:
            with alone:
                return Response.from_app(self._moto, request.environ, buffered=True)
        except Exception as error:  # the edge of moto: what it cannot do must reach the client as an AWS error
            # One line for people who watch the sandbox; the traceback is logged at level DEBUG.
            logger.error("The sandbox cannot do %s %s in %s: %r", call.service, call.operation, call.region, error)  # noqa: TRY400 -- the traceback follows below
            logger.debug("Where it came from", exc_info=True)
            failure = WireError("InternalFailure", f"The sandbox cannot do this: {type(error).__name__}")
            # AWS clients repeat a call after 500, and wait in between; another try cannot help here.
            status = HTTPStatus.NOT_IMPLEMENTED if isinstance(error, NotImplementedError) else 500
            return error_response(request, call.service, call.operation, failure, status=status)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._stopping.wait(seconds)


@dataclass(frozen=True)
class _Record:
    """The entry of one request in the call log."""

    call_log: CallLog
    request: Request
    call: WireCall
    caller: Caller
    arrived: datetime
    started: float

    def answered(self, response: Response) -> None:
        error = read_error(response.status_code, response.headers, response.get_data())  # type: ignore[arg-type] # werkzeug's headers are a mapping in all but name
        self._append(response.status_code, error, _request_id(response.headers))

    def dropped(self) -> None:
        self._append(0, WireError(CONNECTION_DROPPED, "The connection was closed without an answer"), "")

    def _append(self, status: int, error: WireError | None, request_id: str) -> None:
        self.call_log.append(
            ApiCall(
                sequence=0,
                time=self.arrived,
                service=self.call.service,
                operation=self.call.operation,
                caller_account=self.caller.account,
                caller_arn=self.caller.arn,
                source_ip=self.request.remote_addr or "",
                user_agent=self.request.headers.get("User-Agent", ""),
                region=self.call.region,
                target_account=self.call.target_account,
                parameters=self.call.parameters,
                status=status,
                error_code=error.code if error else None,
                error_message=error.message if error else None,
                duration=time.monotonic() - self.started,
                request_id=request_id,
                applied=bool(self.request.environ.get(_APPLIED)),
            )
        )


def _refused(refusal: Refusal, request: Request, call: WireCall) -> Response:
    return error_response(request, call.service, call.operation, refusal.error, refusal.status)


def _struck(fault: FaultSettings, request: Request, call: WireCall) -> Response | None:
    """Return an answer with the fault's error; None for a fault that is only a delay."""
    if fault.error is None:
        return None
    if fault.error == CONNECTION_DROPPED:
        raise ConnectionDroppedError
    message = fault.message or f"{fault.error} scripted by the sandbox"
    return error_response(request, call.service, call.operation, WireError(fault.error, message), fault.status)


def _request_id(headers: Mapping[str, str] | Any) -> str:  # noqa: ANN401 - werkzeug's Headers is no Mapping
    return headers.get("x-amzn-requestid") or headers.get("x-amz-request-id") or ""
