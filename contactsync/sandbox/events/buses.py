"""The event buses and rules that are deployed in moto, matched by our own patterns."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from moto.events.models import Rule, events_backends
from moto.events.utils import EventTemplateParser

from contactsync.sandbox.events.rules import EventPattern

_DEFAULT_RETRIES = 185
_DEFAULT_AGE = 86_400.0  # seconds
_READ_CALLS_TOO = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


@dataclass(frozen=True)
class Target:
    """A rule's target, with EventBridge's defaults where the rule says nothing."""

    id: str
    arn: str
    maximum_retries: int
    maximum_age: float
    """In seconds."""
    dead_letter_queue: str | None
    message_group: str | None
    settings: Mapping[str, Any]


def bus_exists(bus: str, account: str, region: str) -> bool:
    """Return whether the account has such a bus."""
    return bus in events_backends[account][region].event_buses


def bus_rules(event: Mapping[str, Any], account: str, region: str, bus: str = "default") -> list[Rule]:
    """List the enabled rules of a bus that select the event; an account or region without a bus has none."""
    try:
        buses = events_backends[account][region].event_buses
    except KeyError:  # an event from the control API can name a region that moto does not know
        return []
    return [rule for rule in list(buses[bus].rules.values()) if selects(rule, event)] if bus in buses else []


def selects(rule: Rule, event: Mapping[str, Any]) -> bool:
    """Return whether the rule is enabled for this event and its pattern matches; without a pattern it never does."""
    pattern = rule.event_pattern.dump()
    if not pattern or rule.state not in ("ENABLED", _READ_CALLS_TOO):
        return False
    if rule.state == "ENABLED" and _is_read_call(event):
        return False
    return _compiled(pattern).matches(event)


def targets_of(rule: Rule) -> list[Target]:
    """List the targets of a rule."""
    return [_target(settings) for settings in list(rule.targets)]


def rendered_input(target: Target, event: Mapping[str, Any]) -> object:
    """Return what the target receives: the event, or what Input, InputPath or InputTransformer make of it."""
    if "Input" in target.settings:
        return json.loads(target.settings["Input"])
    if "InputPath" in target.settings:
        return _at(target.settings["InputPath"], event)
    transformer = target.settings.get("InputTransformer")
    if not transformer:
        return event
    return EventTemplateParser.parse(
        input_template=transformer.get("InputTemplate"),
        input_paths_map=transformer.get("InputPathsMap", {}),
        event=copy.deepcopy(dict(event)),
    )


def _at(path: str, event: Mapping[str, Any]) -> object:
    value: object = event
    for name in path.removeprefix("$").strip(".").split("."):
        if name:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> EventPattern:
    return EventPattern(pattern)


def _is_read_call(event: Mapping[str, Any]) -> bool:
    detail = event.get("detail")
    through_trail = event.get("detail-type") == "AWS API Call via CloudTrail"
    return through_trail and isinstance(detail, Mapping) and detail.get("readOnly") is True


def _target(settings: Mapping[str, Any]) -> Target:
    retry = settings.get("RetryPolicy") or {}
    return Target(
        id=settings["Id"],
        arn=settings["Arn"],
        maximum_retries=int(retry.get("MaximumRetryAttempts", _DEFAULT_RETRIES)),
        maximum_age=float(retry.get("MaximumEventAgeInSeconds", _DEFAULT_AGE)),
        dead_letter_queue=(settings.get("DeadLetterConfig") or {}).get("Arn"),
        message_group=(settings.get("SqsParameters") or {}).get("MessageGroupId"),
        settings=settings,
    )
