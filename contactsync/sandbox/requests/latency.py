"""How long the sandbox takes to answer: a default for every operation and values for single ones."""

import random
import threading

from pydantic import Field, NonNegativeFloat, field_validator

from contactsync.sandbox.operation_names import check_operation
from contactsync.sandbox.settings_model import SettingsModel


class LatencySettings(SettingsModel):
    """Seconds to wait before a call is carried out; up to `jitter` seconds are added at random."""

    default: NonNegativeFloat = 0.0
    operations: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    jitter: NonNegativeFloat = 0.0
    seed: int = 1

    @field_validator("operations")
    @classmethod
    def _are_operations(cls, operations: dict[str, NonNegativeFloat]) -> dict[str, NonNegativeFloat]:
        for operation in operations:
            check_operation(operation)
        return operations


class Latency:
    """The current waits; many threads may ask for them."""

    def __init__(self, settings: LatencySettings | None = None) -> None:
        self._lock = threading.Lock()
        self.settings = settings or LatencySettings()

    @property
    def settings(self) -> LatencySettings:
        """The current settings; setting them restarts the jitter from its seed."""
        return self._settings

    @settings.setter
    def settings(self, settings: LatencySettings) -> None:
        with self._lock:
            self._settings = settings
            self._jitter = random.Random(settings.seed)  # noqa: S311 - repeatable, nothing secret

    def seconds(self, operation: str) -> float:
        """Return how many seconds to wait before this call."""
        with self._lock:
            settings = self._settings
            wait = settings.operations.get(operation, settings.default)
            return wait + self._jitter.uniform(0, settings.jitter) if settings.jitter else wait
