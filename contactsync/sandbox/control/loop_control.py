"""The control API's routes for events, functions and the local Airflow."""

from collections.abc import Mapping

from contactsync.sandbox.control.control import Control, ControlError, Query, Reply, filters_of, limit_of
from contactsync.sandbox.events.delivery import EventRecord, custom_event
from contactsync.sandbox.events.event_settings import EventSettings
from contactsync.sandbox.loop.loop import Loop
from contactsync.sandbox.loop.mwaa import AirflowEnvironment
from contactsync.sandbox.scenario.stack_settings import EnvironmentStatus, StackSettings

_EVENT_FILTERS = ("account", "id", "matched")


def offer_loop(control: Control, loop: Loop) -> None:
    """Offer the events and their deliveries, the functions and their logs, and the Airflow behind MWAA."""
    events, functions = _EventRoutes(loop), _FunctionRoutes(loop)
    control.route("GET", "/events", events.events)
    control.route("POST", "/events", events.put)
    control.route("DELETE", "/events", events.clear)
    control.route("POST", "/events/{id}/redeliver", events.redeliver)
    control.route("GET", "/event-settings", events.settings)
    control.route("PUT", "/event-settings", events.change_settings)
    control.route("GET", "/airflow", functions.airflow)
    control.route("PUT", "/airflow", functions.register_airflow)
    _offer_stacks(control, loop)
    control.route("GET", "/functions", functions.functions)
    control.route("GET", "/functions/{name}/logs", functions.logs)


def _offer_stacks(control: Control, loop: Loop) -> None:
    scripts = loop.stacks.scripts

    def show(_: Mapping[str, str], __: Query, ___: object) -> Reply:
        return 200, scripts.settings.model_dump()

    def change(_: Mapping[str, str], __: Query, body: object) -> Reply:
        scripts.settings = StackSettings.model_validate(body)
        return show({}, {}, None)

    def environments(_: Mapping[str, str], __: Query, ___: object) -> Reply:
        made = loop.environments.all()
        return 200, {
            "environments": [{"name": one.name, "region": one.place.region, "status": one.status} for one in made]
        }

    def change_environment(groups: Mapping[str, str], _: Query, body: object) -> Reply:
        wanted = EnvironmentStatus.model_validate(body)
        found = [one for one in loop.environments.all() if one.name == groups["name"]]
        if not found:
            raise ControlError(404, f"There is no environment {groups['name']} of a stack.")
        for environment in found:
            loop.environments.change(environment, wanted.status, wanted.error)
        return environments({}, {}, None)

    control.route("GET", "/environments", environments)
    control.route("PUT", "/environments/{name}/status", change_environment)
    control.route("GET", "/stack-settings", show)
    control.route("PUT", "/stack-settings", change)


class _EventRoutes:
    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def events(self, _: Mapping[str, str], query: Query, __: object) -> Reply:
        filters = filters_of(query, _EVENT_FILTERS)
        events = [record.as_json() for record in self._loop.delivery.records() if _is_wanted(record, filters)]
        return 200, {"events": events}

    def put(self, _: Mapping[str, str], __: Query, body: object) -> Reply:
        if not isinstance(body, Mapping):
            raise ControlError(400, "An event is a JSON object.")
        try:
            event = custom_event(body, self._loop.management_account)
            return 200, self._loop.delivery.put(event, origin="control API").as_json()
        except (ValueError, TypeError, RecursionError) as error:
            raise ControlError(400, f"No bus would take this event: {error}.") from error

    def clear(self, _: Mapping[str, str], __: Query, ___: object) -> Reply:
        self._loop.delivery.clear()
        return 200, {}

    def redeliver(self, groups: Mapping[str, str], _: Query, __: object) -> Reply:
        record = self._loop.delivery.find(groups["id"])
        if record is None:
            raise ControlError(404, f"There is no event {groups['id']}.")
        return 200, {"rules": self._loop.delivery.redeliver(record)}

    def settings(self, _: Mapping[str, str], __: Query, ___: object) -> Reply:
        return 200, self._loop.delivery.settings.model_dump()

    def change_settings(self, _: Mapping[str, str], __: Query, body: object) -> Reply:
        if not isinstance(body, Mapping | None):
            raise ControlError(400, "The settings to change are a JSON object.")
        changed = self._loop.delivery.settings.model_dump() | dict(body or {})
        self._loop.delivery.settings = EventSettings.model_validate(changed)
        return self.settings({}, {}, None)


class _FunctionRoutes:
    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def airflow(self, _: Mapping[str, str], __: Query, ___: object) -> Reply:
        environments = self._loop.mwaa.registered()
        return 200, {"environments": [item.model_dump(exclude={"password"}) for item in environments]}

    def register_airflow(self, _: Mapping[str, str], __: Query, body: object) -> Reply:
        self._loop.mwaa.register(AirflowEnvironment.model_validate(body))
        return self.airflow({}, {}, None)

    def functions(self, _: Mapping[str, str], __: Query, ___: object) -> Reply:
        functions = self._loop.functions
        counts = {name: len(functions.invocations(name)) for name in functions.names()}
        return 200, {"functions": counts, "processes": functions.process_ids()}

    def logs(self, groups: Mapping[str, str], query: Query, _: object) -> Reply:
        limit = limit_of(filters_of(query, ("limit",)), "invocations")
        invocations = self._loop.functions.invocations(groups["name"])
        return 200, {"invocations": [invocation.as_json() for invocation in invocations[-limit:]]}


def _is_wanted(record: EventRecord, filters: Query) -> bool:
    described = {
        "account": str(record.event.get("account")),
        "matched": str(bool(record.rules)).lower(),
        "id": str(record.event.get("id")),
    }
    return all(described[name] == value for name, value in filters.items())
