"""EventBridge in the sandbox: events are matched against the deployed rules, and delivered to targets at least once."""

import json
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from moto.events.models import Rule

from contactsync.sandbox.events.buses import Target, bus_exists, bus_rules, rendered_input, targets_of
from contactsync.sandbox.events.event_settings import EventSettings
from contactsync.sandbox.functions.functions import Functions
from contactsync.sandbox.functions.invocations import AsyncInvocations
from contactsync.sandbox.queues import dead_letters
from contactsync.sandbox.queues.delayed_calls import DelayedCalls
from contactsync.sandbox.queues.resource_policy import allows

_KEPT_EVENTS = 20_000
ENTRY_LIMIT = 1024 * 1024  # bytes of one event on a bus
_SHUFFLE_SPREAD = 5  # times the delay
_BACKOFF_FIRST, _BACKOFF_LONGEST = 1.0, 300.0  # seconds; EventBridge documents backoff with jitter, but no numbers


@dataclass
class EventRecord:
    """An event, and what happened to it."""

    event: Mapping[str, Any]
    origin: str
    rules: list[str] = field(default_factory=list)
    dropped: bool = False
    deliveries: list[Mapping[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Describe the record for the control API."""
        detail = self.event.get("detail")
        name = detail.get("eventName") if isinstance(detail, Mapping) else None
        return {
            "id": self.event.get("id"),
            "event_id": detail.get("eventID") if isinstance(detail, Mapping) else None,
            "event_name": name,
            "account": self.event.get("account"),
            "origin": self.origin,
            "matched": bool(self.rules),
            "rules": self.rules,
            "dropped": self.dropped,
            "deliveries": list(self.deliveries),
            "event": self.event,
        }


@dataclass(frozen=True)
class TargetError:
    """Why a target did not accept an event: EventBridge's error code, a sentence, and whether a retry can help."""

    code: str
    message: str
    retriable: bool


@dataclass
class _Attempt:
    """One copy of an event on its way to one target."""

    record: EventRecord
    rule: Rule
    target: Target
    copy: int
    since: float
    """The time of the first try, in seconds of time.monotonic()."""
    retries: int = 0


class Delivery:
    """The delivery of events: it matches them against deployed rules, and retries by EventBridge's rules."""

    def __init__(
        self,
        functions: Functions,
        invocations: AsyncInvocations,
        calls: DelayedCalls,
        settings: EventSettings,
        *,
        on_event: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> None:
        """Keep the parts; `on_event` is called once for every event that reaches the default bus of its account."""
        self._on_event = on_event
        self._functions = functions
        self._invocations = invocations
        self._calls = calls
        self._lock = threading.Lock()
        self._records: deque[EventRecord] = deque(maxlen=_KEPT_EVENTS)
        self._settings = settings
        self._random = random.Random(settings.seed)  # noqa: S311 - scripted accidents, repeatable by seed
        self._delivery_errors = settings.delivery_errors

    @property
    def settings(self) -> EventSettings:
        """The current settings; setting them restarts the random choices from the seed."""
        return self._settings

    @settings.setter
    def settings(self, settings: EventSettings) -> None:
        with self._lock:
            self._settings = settings
            self._random = random.Random(settings.seed)  # noqa: S311 - scripted accidents, repeatable by seed
            self._delivery_errors = settings.delivery_errors

    def records(self) -> list[EventRecord]:
        """List the events, oldest first."""
        with self._lock:
            return list(self._records)

    def find(self, event_id: str) -> EventRecord | None:
        """Return the event with this id, the envelope's or CloudTrail's."""
        wanted = (record for record in self.records() if event_id in (record.event.get("id"), _trail_id(record.event)))
        return next(wanted, None)

    def clear(self) -> None:
        """Forget the recorded events; running deliveries go on."""
        with self._lock:
            self._records.clear()

    def put(self, event: Mapping[str, Any], *, origin: str) -> EventRecord:
        """Put an event on the default bus of its account and region, with the configured drops, copies and delays."""
        record = EventRecord(event, origin)
        with self._lock:
            self._records.append(record)
            record.dropped = self._random.random() < self._settings.drop
            delays = [self._delay() for _ in range(self._settings.copies)]
        if record.dropped:
            return record
        self._on_event(event)
        matching = bus_rules(event, str(event.get("account")), str(event.get("region")))
        record.rules = [rule.arn for rule in matching]
        for rule in matching:
            for copy, delay in enumerate(delays, start=1):
                self._send(record, rule, copy, delay)
        return record

    def deliver(self, event: Mapping[str, Any], rule: Rule) -> None:
        """Deliver an event of PutEvents to the targets of a rule that matched it."""
        record = next((known for known in self.records() if known.event.get("id") == event.get("id")), None)
        if record is None:
            record = EventRecord(event, "PutEvents")
            with self._lock:
                self._records.append(record)
        record.rules.append(rule.arn)
        self._send(record, rule, 1, 0)

    def redeliver(self, record: EventRecord) -> int:
        """Deliver a recorded event again to the rules that match it now, and return how many there are."""
        matching = bus_rules(record.event, str(record.event.get("account")), str(record.event.get("region")))
        for rule in matching:
            self._send(record, rule, len(record.deliveries) + 1, 0)
        return len(matching)

    def _delay(self) -> float:
        delay = self._settings.delay
        return self._random.uniform(delay, _SHUFFLE_SPREAD * delay) if self._settings.shuffle else delay

    def _send(self, record: EventRecord, rule: Rule, copy: int, delay: float) -> None:
        for target in targets_of(rule):
            attempt = _Attempt(record, rule, target, copy, time.monotonic())
            self._calls.after(delay, partial(self._try, attempt))

    def _try(self, attempt: _Attempt) -> None:
        error = self._scripted_error() or self._to_target(attempt)
        self._report(
            attempt,
            {
                "step": "deliver",
                "attempt": attempt.retries + 1,
                "result": "accepted" if error is None else "error",
                "error_code": None if error is None else error.code,
                "message": None if error is None else error.message,
            },
        )
        if error is not None:
            self._after_error(attempt, error)

    def _scripted_error(self) -> TargetError | None:
        with self._lock:
            if not self._delivery_errors:
                return None
            self._delivery_errors -= 1
        return TargetError("INTERNAL_ERROR", "scripted: the target's service answered with an error", retriable=True)

    def _after_error(self, attempt: _Attempt, error: TargetError) -> None:
        scale = self._settings.time_scale
        delay = min(_BACKOFF_FIRST * 2**attempt.retries, _BACKOFF_LONGEST) * scale
        delay *= self._random.uniform(0.5, 1.0)
        if not error.retriable:
            self._give_up(attempt, error, None)
        elif attempt.retries >= attempt.target.maximum_retries:
            self._give_up(attempt, error, "MaximumRetryAttempts")
        elif time.monotonic() + delay - attempt.since > attempt.target.maximum_age * scale:
            self._give_up(attempt, error, "MaximumEventAgeInSeconds")
        else:
            attempt.retries += 1
            self._calls.after(delay, lambda: self._try(attempt))

    def _give_up(self, attempt: _Attempt, error: TargetError, exhausted: str | None) -> None:
        queue = attempt.target.dead_letter_queue
        if queue is None:
            self._report(attempt, {"step": "give-up", "result": "dropped", "condition": exhausted})
            return
        attributes: dict[str, str | int] = {
            "RULE_ARN": attempt.rule.arn,
            "TARGET_ARN": attempt.target.arn,
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": error.message,
            "EXHAUSTED_RETRY_CONDITION": exhausted or "",
            "RETRY_ATTEMPTS": str(attempt.retries),
        }
        refusal = dead_letters.send(queue, attempt.record.event, attributes, rule_arn=attempt.rule.arn)
        self._report(
            attempt,
            {
                "step": "dead-letter",
                "destination": queue,
                "result": "sent" if refusal is None else "refused",
                "message": None if refusal is None else refusal.message,
            },
        )

    def _report(self, attempt: _Attempt, note: Mapping[str, Any]) -> None:
        place = {"rule": attempt.rule.name, "target": attempt.target.arn, "copy": attempt.copy}
        with self._lock:
            attempt.record.deliveries.append(place | {"time": datetime.now(UTC).isoformat()} | dict(note))

    def _to_target(self, attempt: _Attempt) -> TargetError | None:
        service = attempt.target.arn.split(":")[2]
        senders: Mapping[str, Callable[[_Attempt], TargetError | None]] = {
            "lambda": self._to_function,
            "sqs": _to_queue,
            "events": self._to_bus,
        }
        if service not in senders:
            return TargetError("INVALID_PARAMETER", f"the sandbox does not deliver to {service}", retriable=False)
        return senders[service](attempt)

    def _to_function(self, attempt: _Attempt) -> TargetError | None:
        _, _, _, region, account, _, name, *_ = attempt.target.arn.split(":")
        function = self._functions.find(name, account, region)
        if function is None:
            return TargetError("NO_RESOURCE", f"The function {attempt.target.arn} does not exist", retriable=False)
        if not allows(
            function.policy.statements,
            service="events.amazonaws.com",
            action="lambda:InvokeFunction",
            source_arn=attempt.rule.arn,
            source_account=attempt.rule.account_id,
        ):
            message = f"events.amazonaws.com may not invoke {attempt.target.arn} for {attempt.rule.arn}"
            return TargetError("NO_PERMISSIONS", message, retriable=False)
        self._invocations.accept(
            function, rendered_input(attempt.target, attempt.record.event), lambda note: self._report(attempt, note)
        )
        return None

    def _to_bus(self, attempt: _Attempt) -> TargetError | None:
        _, _, _, region, account, resource = attempt.target.arn.split(":", 5)
        bus = resource.removeprefix("event-bus/")
        if not bus_exists(bus, account, region):
            return TargetError("NO_RESOURCE", f"The event bus {attempt.target.arn} does not exist", retriable=False)
        for rule in bus_rules(attempt.record.event, account, region, bus):
            attempt.record.rules.append(rule.arn)
            self._send(attempt.record, rule, attempt.copy, 0)
        return None


def _to_queue(attempt: _Attempt) -> TargetError | None:
    refusal = dead_letters.send(
        attempt.target.arn,
        rendered_input(attempt.target, attempt.record.event),
        {},
        rule_arn=attempt.rule.arn,
        group=attempt.target.message_group,
    )
    return None if refusal is None else TargetError(refusal.code, refusal.message, retriable=False)


def custom_event(entry: Mapping[str, Any], account: str) -> dict[str, Any]:
    """Add the missing members of the envelope to a posted event; raise ValueError for one that no bus would accept."""
    if not isinstance(entry.get("source"), str) or not isinstance(entry.get("detail-type"), str):
        message = "an event needs the strings source and detail-type"
        raise ValueError(message)  # noqa: TRY004 - one error for every event that is refused
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [],
        "detail": {},
    } | dict(entry)
    if len(json.dumps(event).encode()) > ENTRY_LIMIT:
        message = f"an event may have {ENTRY_LIMIT} bytes"
        raise ValueError(message)
    return event


def _trail_id(event: Mapping[str, Any]) -> object:
    detail = event.get("detail")
    return detail.get("eventID") if isinstance(detail, Mapping) else None
