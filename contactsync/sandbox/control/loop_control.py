"""The control API's routes for events, functions and the local Airflow."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from contactsync.sandbox.events.delivery import EventRecord, custom_event
from contactsync.sandbox.events.event_settings import EventSettings
from contactsync.sandbox.loop.loop import Loop
from contactsync.sandbox.loop.mwaa import AirflowEnvironment

Query = Mapping[str, str]
Reply = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Route:
    """A method and a path under /_sandbox; groups of the path, the query and the JSON body go to the handler."""

    method: str
    path: re.Pattern[str]
    handler: Callable[[Mapping[str, str], Query, Any], Reply]


class LoopControl:
    """Answers what the control API is asked about the loop."""

    def __init__(self, loop: Loop) -> None:
        """Offer the routes of this loop."""
        self._loop = loop
        self.routes = [
            _route("GET", "/events", self._events),
            _route("POST", "/events", self._put_event),
            _route("DELETE", "/events", self._clear_events),
            _route("POST", "/events/(?P<id>[^/]+)/redeliver", self._redeliver),
            _route("GET", "/event-settings", self._settings),
            _route("PUT", "/event-settings", self._change_settings),
            _route("GET", "/airflow", self._airflow),
            _route("PUT", "/airflow", self._register_airflow),
            _route("GET", "/functions", self._functions),
            _route("GET", "/functions/(?P<name>[^/]+)/logs", self._logs),
        ]

    def respond(self, method: str, path: str, query: Query, body: object) -> Reply | None:
        """Answer a request to a path under /_sandbox, or return nothing when it is none of these routes."""
        known = [(route, found) for route in self.routes if (found := route.path.fullmatch(path))]
        for route, found in known:
            if route.method == method:
                return self._answer(route, found.groupdict(), query, body)
        return (405, {"error": f"{method} is not offered for {path}"}) if known else None

    def _answer(self, route: Route, groups: Mapping[str, str], query: Query, body: object) -> Reply:
        try:
            return route.handler(groups, query, body)
        except ValidationError as error:
            return 400, {"error": "; ".join(f"{_place(item)}: {item['msg']}" for item in error.errors())}
        except (ValueError, TypeError, RecursionError) as error:
            return 400, {"error": str(error)}

    def _events(self, _: Mapping[str, str], query: Query, __: object) -> Reply:
        events = [record.as_json() for record in self._loop.delivery.records() if _is_wanted(record, query)]
        return 200, {"events": events}

    def _put_event(self, _: Mapping[str, str], __: Query, body: Any) -> Reply:  # noqa: ANN401 - any JSON
        if not isinstance(body, Mapping):
            return 400, {"error": "an event is a JSON object"}
        event = custom_event(body, self._loop.management_account)
        return 200, self._loop.delivery.put(event, origin="control API").as_json()

    def _clear_events(self, _: Mapping[str, str], __: Query, ___: object) -> Reply:
        self._loop.delivery.clear()
        return 200, {}

    def _redeliver(self, groups: Mapping[str, str], _: Query, __: object) -> Reply:
        record = self._loop.delivery.find(groups["id"])
        if record is None:
            return 404, {"error": f"there is no event {groups['id']}"}
        return 200, {"rules": self._loop.delivery.redeliver(record)}

    def _settings(self, _: Mapping[str, str], __: Query, ___: object) -> Reply:
        return 200, self._loop.delivery.settings.model_dump()

    def _change_settings(self, _: Mapping[str, str], __: Query, body: Any) -> Reply:  # noqa: ANN401 - any JSON
        changed = self._loop.delivery.settings.model_dump() | dict(body or {})
        self._loop.delivery.settings = EventSettings.model_validate(changed)
        return self._settings({}, {}, None)

    def _airflow(self, _: Mapping[str, str], __: Query, ___: object) -> Reply:
        environments = self._loop.mwaa.registered()
        return 200, {"environments": [item.model_dump(exclude={"password"}) for item in environments]}

    def _register_airflow(self, _: Mapping[str, str], __: Query, body: object) -> Reply:
        self._loop.mwaa.register(AirflowEnvironment.model_validate(body))
        return self._airflow({}, {}, None)

    def _functions(self, _: Mapping[str, str], __: Query, ___: object) -> Reply:
        functions = self._loop.functions
        counts = {name: len(functions.invocations(name)) for name in functions.names()}
        return 200, {"functions": counts, "processes": functions.process_ids()}

    def _logs(self, groups: Mapping[str, str], query: Query, _: object) -> Reply:
        invocations = self._loop.functions.invocations(groups["name"])
        limit = int(query.get("limit", len(invocations) or 1))
        return 200, {"invocations": [invocation.as_json() for invocation in invocations[-limit:]]}


def _route(method: str, path: str, handler: Callable[[Mapping[str, str], Query, Any], Reply]) -> Route:
    return Route(method, re.compile(f"/_sandbox{path}"), handler)


def _is_wanted(record: EventRecord, query: Query) -> bool:
    described = {
        "account": str(record.event.get("account")),
        "matched": str(bool(record.rules)).lower(),
        "id": str(record.event.get("id")),
    }
    return all(described.get(name) == value for name, value in query.items() if name in described)


def _place(item: Any) -> str:  # noqa: ANN401 - pydantic's error details
    return ".".join(str(part) for part in item["loc"]) or "body"
