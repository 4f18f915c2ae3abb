"""The account service's request quotas: token buckets for each caller account and operation (FACTS.md 1.7)."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Preset = Literal["commercial", "china"]


class Quota(BaseModel):
    """How many calls a second are refilled, and how many can come at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: float = Field(gt=0, description="calls per second")
    burst: int = Field(ge=1, description="calls at once after a pause")


def _quotas(**quotas: tuple[float, int]) -> dict[str, Quota]:
    return {operation: Quota(rate=rate, burst=burst) for operation, (rate, burst) in quotas.items()}


# Where AWS states no burst (GetAccountInformation and later rows), a second's worth of calls is taken.
PRESETS: Mapping[str, Mapping[str, Quota]] = {
    "commercial": _quotas(
        GetAlternateContact=(10, 15),
        GetContactInformation=(10, 15),
        PutAlternateContact=(5, 8),
        PutContactInformation=(5, 8),
        DeleteAlternateContact=(1, 6),
        GetAccountInformation=(3, 3),
        StartPrimaryEmailUpdate=(1, 1),
        AcceptPrimaryEmailUpdate=(1, 1),
    ),
    "china": _quotas(
        GetAlternateContact=(3, 5),
        GetContactInformation=(3, 5),
        PutAlternateContact=(1, 6),
        PutContactInformation=(1, 2),
        DeleteAlternateContact=(1, 6),
    ),
}


class QuotaSettings(BaseModel):
    """Which quotas are in force: a preset, with single operations changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    preset: Preset = "commercial"
    operations: dict[str, Quota] = Field(default_factory=dict)

    def in_force(self) -> dict[str, Quota]:
        """Merge the preset with the operations that were changed; nothing when quotas are off."""
        return {**PRESETS[self.preset], **self.operations} if self.enabled else {}

    def as_json(self) -> dict[str, Any]:
        """Describe the settings with every quota in force."""
        in_force = {operation: quota.model_dump() for operation, quota in self.in_force().items()}
        return {"enabled": self.enabled, "preset": self.preset, "operations": in_force}


class Quotas:
    """The buckets; many threads take from them."""

    def __init__(self, settings: QuotaSettings | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with full buckets."""
        self._clock = clock
        self._lock = threading.Lock()
        self.settings = settings or QuotaSettings()

    @property
    def settings(self) -> QuotaSettings:
        """What is in force; setting it fills all buckets."""
        return self._settings

    @settings.setter
    def settings(self, settings: QuotaSettings) -> None:
        with self._lock:
            self._settings = settings
            self._quotas = settings.in_force()
            self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, service: str, operation: str, caller_account: str) -> bool:
        """Tell whether the caller may make this call now, and count it when it may."""
        if service != "account":
            return True
        with self._lock:
            quota = self._quotas.get(operation)
            if quota is None:
                return True
            now = self._clock()
            tokens, since = self._buckets.get((caller_account, operation), (float(quota.burst), now))
            tokens = min(quota.burst, tokens + (now - since) * quota.rate)
            allowed = tokens >= 1
            self._buckets[caller_account, operation] = (tokens - 1 if allowed else tokens, now)
            return allowed
