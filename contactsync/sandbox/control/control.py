"""The control API under /_sandbox: JSON requests of tests and people to the sandbox itself."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from werkzeug.wrappers import Request, Response

from contactsync.sandbox.requests.call_log import CallLog
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.requests.latency import LatencySettings
from contactsync.sandbox.requests.middleware import Conditions
from contactsync.sandbox.requests.quotas import QuotaSettings
from contactsync.sandbox.settings_model import all_problems

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

PREFIX = "/_sandbox"
MARK = "X-Contactsync-Sandbox"
"""A header of every answer; commands recognize a sandbox by it."""
Query = Mapping[str, str]
Reply = tuple[int, dict[str, Any]]
Handler = Callable[[Mapping[str, str], Query, Any], Reply]
_CALL_FILTERS = ("service", "operation", "account", "caller", "since", "error")


class ControlError(Exception):
    """The control API refuses a request; the message is a sentence for the client."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


@dataclass(frozen=True)
class _Route:
    method: str
    path: str
    pattern: re.Pattern[str]
    handler: Handler


class Control:
    """The registry of routes, and the WSGI application that serves them."""

    def __init__(self) -> None:
        self._routes: list[_Route] = []

    def route(self, method: str, path: str, handler: Handler) -> None:
        """Offer a path below /_sandbox; the handler gets its {name} parts, the query and the body."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        self._routes.append(_Route(method, path, re.compile(PREFIX + pattern), handler))

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Every method and path that is offered."""
        return [(route.method, route.path) for route in self._routes]

    def respond(self, method: str, path: str, query: Query, body: object) -> Reply:
        """Answer a request to a path under /_sandbox."""
        known = [(route, match) for route in self._routes if (match := route.pattern.fullmatch(path))]
        for route, match in known:
            if route.method == method:
                return route.handler(match.groupdict(), query, body)
        if known:
            raise ControlError(405, f"{method} is not offered for {path}.")
        raise ControlError(404, f"There is no {path}; GET {PREFIX}/status shows what the sandbox is.")

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Serve one request."""
        status, document = self._reply(Request(environ))
        text = json.dumps(document, default=str)
        response = Response(text, status=status, content_type="application/json")
        response.headers[MARK] = "1"
        return response(environ, start_response)

    def _reply(self, request: Request) -> Reply:
        try:
            path = request.path.rstrip("/")
            return self.respond(request.method, path, request.args.to_dict(), _body(request))
        except ControlError as error:
            return error.status, {"error": error.message}
        except ValidationError as error:
            return 400, {"error": all_problems(error)}


def offer_calls(control: Control, call_log: CallLog) -> None:
    """Offer the call log, which never shows contact values."""

    def calls(_: Mapping[str, str], query: Query, __: object) -> Reply:
        filters, limit = _call_filters(query)
        return 200, {"calls": [call.as_json() for call in call_log.query(**filters)[-limit:]]}

    def clear(_: Mapping[str, str], __: Query, ___: object) -> Reply:
        call_log.clear()
        return 200, {}

    control.route("GET", "/calls", calls)
    control.route("DELETE", "/calls", clear)


def offer_conditions(control: Control, conditions: Conditions) -> None:
    """Offer faults, quotas and latency."""
    faults = conditions.faults

    def list_faults(_: Mapping[str, str], __: Query, ___: object) -> Reply:
        return 200, {"faults": [fault.as_json() for fault in faults.all()]}

    def add_faults(_: Mapping[str, str], __: Query, body: object) -> Reply:
        wanted = [FaultSettings.model_validate(item) for item in (body if isinstance(body, list) else [body])]
        return 201, {"faults": [faults.add(settings).as_json() for settings in wanted]}

    def clear_faults(_: Mapping[str, str], __: Query, ___: object) -> Reply:
        faults.clear()
        return 200, {"faults": []}

    def remove_fault(groups: Mapping[str, str], _: Query, __: object) -> Reply:
        if not faults.remove(groups["id"]):
            raise ControlError(404, f"There is no fault {groups['id']}.")
        return 200, {}

    control.route("GET", "/faults", list_faults)
    control.route("POST", "/faults", add_faults)
    control.route("DELETE", "/faults", clear_faults)
    control.route("DELETE", "/faults/{id}", remove_fault)
    _offer_settings(control, "/latency", conditions.latency, LatencySettings)
    _offer_quotas(control, conditions)


def _offer_quotas(control: Control, conditions: Conditions) -> None:
    def show(_: Mapping[str, str], __: Query, ___: object) -> Reply:
        return 200, conditions.quotas.settings.as_json()

    def change(_: Mapping[str, str], __: Query, body: object) -> Reply:
        conditions.quotas.settings = QuotaSettings.model_validate(body)
        return show({}, {}, None)

    control.route("GET", "/quotas", show)
    control.route("PUT", "/quotas", change)


def _offer_settings(control: Control, path: str, holder: Any, model: type[BaseModel]) -> None:  # noqa: ANN401 - whatever keeps these settings
    def show(_: Mapping[str, str], __: Query, ___: object) -> Reply:
        return 200, holder.settings.model_dump()

    def change(_: Mapping[str, str], __: Query, body: object) -> Reply:
        holder.settings = model.model_validate(body)
        return show({}, {}, None)

    control.route("GET", path, show)
    control.route("PUT", path, change)


def _call_filters(query: Query) -> tuple[dict[str, Any], int]:
    """Return the filters, and how many of the latest calls are wanted (0: all of them)."""
    filters: dict[str, Any] = dict(filters_of(query, (*_CALL_FILTERS, "limit")))
    limit = limit_of(filters, "calls")
    filters.pop("limit", None)
    if "since" in filters:
        filters["since"] = since_of(filters["since"])
    return filters, limit


def filters_of(query: Query, names: Sequence[str]) -> Query:
    """Return the query, or refuse it when it has other names than these."""
    unknown = sorted(set(query) - set(names))
    if unknown:
        raise ControlError(400, f"{', '.join(unknown)}: no such filter; there are {', '.join(names)}.")
    return query


def limit_of(query: Query, what: str) -> int:
    """Return how many of the latest items are wanted; 0 means all of them."""
    limit = query.get("limit", "0")
    if not limit.isdecimal():
        raise ControlError(400, f"limit: a number of {what} is expected.")
    return int(limit)


def since_of(text: str) -> int | datetime:
    """Return a sequence number or a time, or refuse the text."""
    if text.isdecimal():
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ControlError(
            400, "since: a sequence number or a time such as 2026-01-31T12:00:00Z is expected."
        ) from error
    return time if time.tzinfo else time.astimezone()


def _body(request: Request) -> object:
    data = request.get_data()
    if not data:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ControlError(400, "The body is not JSON.") from error
