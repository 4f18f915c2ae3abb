"""Scripted faults: errors, lost connections and slow answers for chosen operations and accounts."""

import json
import random
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from contactsync.sandbox.operation_names import SIMULATED, check_operation, check_service
from contactsync.sandbox.settings_model import AnyAccount, SettingsModel

CONNECTION_DROPPED = "ConnectionDropped"
ANY = "*"
_BATCHES = {"sns": "PublishBatch", "sqs": "SendMessageBatch"}

Stage = Literal["before", "after", "entry"]


class FaultSettings(SettingsModel):
    """Which calls fail, how, and how often; an item of `faults` in a scenario file."""

    service: str = Field(default="account", description="as in its SDK; * for every service")
    operation: str | None = Field(default=None, description="such as PutAlternateContact; every operation by default")
    account: AnyAccount | None = Field(default=None, description="the account acted on; every account by default")
    caller: AnyAccount | None = Field(default=None, description="the calling account; every account by default")
    containing: str | None = Field(
        default=None, min_length=1, description="text in the call's parameters, such as the key of a DynamoDB item"
    )
    error: str | None = Field(default=None, description="error code, or ConnectionDropped; none for a delay only")
    message: str | None = None
    status: int | None = Field(default=None, ge=400, le=599, description="by default the one AWS has for the code")
    count: int | None = Field(default=None, ge=1, description="how many calls fail; no end by default")
    probability: float = Field(default=1.0, gt=0, le=1)
    seed: int = 1
    delay: float = Field(default=0.0, ge=0, le=900, description="seconds before the answer")
    stage: Stage = Field(
        default="before",
        description="after: the call is carried out, then its answer is replaced; "
        "entry: only entries of a PublishBatch or SendMessageBatch fail, those with the text in `containing`",
    )

    @field_validator("service")
    @classmethod
    def _is_a_service(cls, service: str) -> str:
        if service != ANY:
            check_service(service)
        return service

    @field_validator("operation")
    @classmethod
    def _is_an_operation(cls, operation: str | None, info: Any) -> str | None:  # noqa: ANN401 - pydantic has no public type for it
        service = info.data.get("service")
        if operation not in (None, ANY) and service is not None:
            check_operation(operation, SIMULATED if service == ANY else (service,))
        return operation

    @model_validator(mode="after")
    def _can_strike_an_entry(self) -> Self:
        batches = _BATCHES if self.service == ANY else {self.service: _BATCHES.get(self.service)}
        if self.stage == "entry" and (
            not any(batches.values()) or self.operation not in (None, ANY, *batches.values())
        ):
            message = "stage entry is for PublishBatch of sns and SendMessageBatch of sqs"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.error is None and not self.delay:
            message = "a fault needs an error or a delay"
            raise ValueError(message)
        if self.stage == "entry" and (self.error in (None, CONNECTION_DROPPED) or self.delay):
            message = "a fault of an entry needs an error code and nothing else"
            raise ValueError(message)
        return self


class Fault:
    """A scripted fault, and how many calls it has hit."""

    def __init__(self, identifier: str, settings: FaultSettings) -> None:
        """Start the random choices from the fault's own seed, so that a run can be repeated."""
        self.id = identifier
        self.settings = settings
        self.struck = 0
        self._chances = random.Random(settings.seed)  # noqa: S311 - repeatable, nothing secret

    @property
    def is_spent(self) -> bool:
        """Whether the fault has hit all `count` calls."""
        return self.settings.count is not None and self.struck >= self.settings.count

    def strikes(
        self, service: str, operation: str, account: str, caller: str, parameters: Mapping[str, object]
    ) -> bool:
        """Return whether the fault hits this call, and count it if so."""
        settings = self.settings
        wanted = (
            not self.is_spent
            and settings.service in (ANY, service)
            and settings.operation in (None, ANY, operation)
            and settings.account in (None, ANY, account)
            and settings.caller in (None, ANY, caller)
            and (settings.containing is None or settings.containing in json.dumps(parameters, default=str))
        )
        hit = wanted and self._chances.random() < settings.probability
        self.struck += hit
        return hit

    def as_json(self) -> dict[str, Any]:
        """Describe the fault, and how many calls it has hit."""
        return {"id": self.id, **self.settings.model_dump(), "struck": self.struck, "spent": self.is_spent}


class Faults:
    """The active faults, in the order in which they were added; the first one that hits a call is used."""

    def __init__(self, settings: Iterable[FaultSettings] = ()) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._last = 0
        for item in settings:
            self.add(item)

    def add(self, settings: FaultSettings) -> Fault:
        """Add a fault, which is active at once."""
        with self._lock:
            self._last += 1
            fault = Fault(f"fault-{self._last}", settings)
            self._faults.append(fault)
        return fault

    def all(self) -> list[Fault]:
        """List all faults, also those that hit no more calls."""
        with self._lock:
            return list(self._faults)

    def remove(self, identifier: str) -> bool:
        """Remove a fault, and return whether there was one."""
        with self._lock:
            kept = [fault for fault in self._faults if fault.id != identifier]
            is_known = len(kept) < len(self._faults)
            self._faults = kept
        return is_known

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def strike(
        self, service: str, operation: str, account: str, caller: str, parameters: Mapping[str, object] | None = None
    ) -> FaultSettings | None:
        """Return the fault that hits this call, if one does."""
        return self._first(service, operation, account, caller, parameters or {}, entries=False)

    def strike_entry(
        self, service: str, operation: str, account: str, entry: Mapping[str, object]
    ) -> FaultSettings | None:
        """Return the fault that hits one entry of a batch, if one does."""
        return self._first(service, operation, account, account, entry, entries=True)

    def _first(
        self,
        service: str,
        operation: str,
        account: str,
        caller: str,
        parameters: Mapping[str, object],
        *,
        entries: bool,
    ) -> FaultSettings | None:
        call = (service, operation, account, caller, parameters)
        with self._lock:
            candidates = [fault for fault in self._faults if (fault.settings.stage == "entry") == entries]
            hit = next((fault for fault in candidates if fault.strikes(*call)), None)
        return hit.settings if hit else None
