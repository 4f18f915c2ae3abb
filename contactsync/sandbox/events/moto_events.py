"""The corrections of moto's EventBridge and Lambda: targets of rules, checks of patterns, and how functions run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction
from moto.events.exceptions import InvalidEventPatternException
from moto.events.models import EventPatternParser, EventsBackend, Rule

from contactsync.sandbox.events.buses import selects
from contactsync.sandbox.events.rules import EventPattern, InvalidPatternError
from contactsync.sandbox.functions import event_source_mappings
from contactsync.sandbox.handover import Attribute, Handover

_OWN_TARGETS = frozenset({"lambda", "sqs", "events"})


class Connected(Protocol):
    """The part of a running sandbox that moto's classes call."""

    def deliver(self, event: Mapping[str, Any], rule: Rule) -> None:
        """Deliver an event that a rule selected to the rule's targets."""

    def invoke(self, function: LambdaFunction, body: str, headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """Run a function for Invoke, and return the body and the headers of the answer."""


_original_send = Rule.send_to_targets
_original_put_events = EventsBackend.put_events
_original_invoke = LambdaFunction.invoke
_original_map = LambdaBackend.create_event_source_mapping
_original_change_map = LambdaBackend.update_event_source_mapping
_original_create = LambdaFunction.create_from_cloudformation_json.__func__


def _validate(_: EventPatternParser, pattern: dict[str, Any]) -> None:
    try:
        EventPattern(pattern)
    except InvalidPatternError as error:
        raise InvalidEventPatternException(reason=str(error)) from error


def _send_to_targets(rule: Rule, original_event: Any, transform_input: bool = True) -> None:  # noqa: ANN401, FBT001, FBT002 - moto's signature
    targets = [str(target["Arn"]).split(":")[2] for target in rule.targets]
    is_archive = any("archive" in str(target.get("InputTransformer", "")) for target in rule.targets)
    connected = handover.part
    if connected is None or is_archive or not _OWN_TARGETS.issuperset(targets):
        _original_send(rule, original_event, transform_input)
        return
    event = dict(original_event) | {"time": _iso(original_event.get("time"))}
    event.pop("ingestion-time", None)
    if selects(rule, event):
        connected.deliver(event, rule)


def _iso(time: object) -> object:
    if isinstance(time, str) and not time.replace(".", "", 1).isdigit():
        return time
    return datetime.fromtimestamp(float(str(time or 0)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _put_events(backend: EventsBackend, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Refuse events with a source of AWS, as the service does, and let moto handle the others."""
    answers = iter(_original_put_events(backend, [event for event in events if not _is_reserved(event)]))
    refusal = {
        "ErrorCode": "NotAuthorizedForSourceException",
        "ErrorMessage": "Not authorized for the source.",
    }
    return [refusal if _is_reserved(event) else next(answers) for event in events]


def _is_reserved(event: Mapping[str, Any]) -> bool:
    return str(event.get("Source") or "").startswith("aws.")


def _invoke(function: LambdaFunction, body: str | bytes, request_headers: Any, response_headers: Any) -> str | bytes:  # noqa: ANN401 - moto's signature
    connected = handover.part
    if connected is None:
        answered: str | bytes = _original_invoke(function, body, request_headers, response_headers)
        return answered
    text = body.decode() if isinstance(body, bytes) else body
    answer, headers = connected.invoke(function, text or "{}", request_headers)
    response_headers.update(headers)
    return answer.encode()


def _map(backend: LambdaBackend, spec: dict[str, Any]) -> EventSourceMapping:
    """Create a mapping whose queue the sandbox polls; moto would run the function inside SendMessage."""
    if handover.part is None:
        return _original_map(backend, spec)
    if not spec.get("EventSourceArn"):
        raise event_source_mappings.MappingRefusedError("Missing EventSourceArn")
    event_source_mappings.check(spec, backend.get_function(str(spec.get("FunctionName"))))
    mapping = _original_map(backend, spec)
    queue = event_source_mappings.queue_at(mapping.event_source_arn)
    if queue is not None:
        queue.lambda_event_source_mappings.pop(mapping.function_arn, None)
    return mapping


def _change_map(backend: LambdaBackend, uuid: str, spec: dict[str, Any]) -> EventSourceMapping | None:
    """Check a changed mapping by the same rules as a new one."""
    mapping = backend.get_event_source_mapping(uuid)
    if handover.part is not None and mapping is not None:
        function = backend.get_function(str(spec.get("FunctionName") or mapping.function_arn))
        kept = {name: value for name, value in spec.items() if name != "UUID"}
        current = {"BatchSize": mapping.batch_size, "MaximumBatchingWindowInSeconds": mapping.max_batch_window}
        event_source_mappings.check(current | {"EventSourceArn": mapping.event_source_arn} | kept, function)
    return _original_change_map(backend, uuid, spec)


def _create(
    cls: type[LambdaFunction],
    /,
    resource_name: str,
    cloudformation_json: Any,  # noqa: ANN401 - moto's signature
    account_id: str,
    region_name: str,
    **kwargs: Any,  # noqa: ANN401 - moto's signature
) -> LambdaFunction:
    """Keep two properties that moto drops; they say where failures and logs go."""
    function: LambdaFunction = _original_create(
        cls, resource_name, cloudformation_json, account_id, region_name, **kwargs
    )
    return _with_destinations(function, cloudformation_json["Properties"])


def _update(
    cls: type[LambdaFunction],
    /,
    original_resource: LambdaFunction,
    new_resource_name: str,
    cloudformation_json: Any,  # noqa: ANN401 - moto's signature
    account_id: str,
    region_name: str,
) -> LambdaFunction:
    """Update all but the code: the sandbox runs the checkout, and moto cannot update code that is in a template."""
    del cls, new_resource_name, account_id, region_name
    original_resource.update_configuration(cloudformation_json["Properties"])
    return _with_destinations(original_resource, cloudformation_json["Properties"])


def _with_destinations(function: LambdaFunction, properties: Mapping[str, Any]) -> LambdaFunction:
    function.dead_letter_config = properties.get("DeadLetterConfig")
    function.logging_config = properties.get("LoggingConfig")
    return function


handover: Handover[Connected] = Handover(
    Attribute(EventPatternParser, "_validate_event_pattern", _validate),
    Attribute(Rule, "send_to_targets", _send_to_targets),
    Attribute(EventsBackend, "put_events", _put_events),
    Attribute(LambdaFunction, "invoke", _invoke),
    Attribute(LambdaBackend, "create_event_source_mapping", _map),
    Attribute(LambdaBackend, "update_event_source_mapping", _change_map),
    Attribute(LambdaFunction, "update_from_cloudformation_json", classmethod(_update)),
    Attribute(LambdaFunction, "create_from_cloudformation_json", classmethod(_create)),
)
