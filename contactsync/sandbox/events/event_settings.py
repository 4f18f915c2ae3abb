"""How events are written and delivered: a scenario's `events`, which can be changed while the sandbox runs."""

from typing import Literal

from pydantic import Field

from contactsync.sandbox.settings_model import SettingsModel


class EventSettings(SettingsModel):
    """The form of CloudTrail's records and the faults of delivery; the keys of `events` in a scenario file."""

    casing: Literal["camel", "pascal"] = "pascal"
    redacted: bool = True
    copies: int = Field(default=1, ge=1, le=100, description="how often each event is delivered")
    delay: float = Field(default=0.2, ge=0, le=86_400, description="seconds between the call and the delivery")
    shuffle: bool = Field(default=False, description="spread deliveries over up to five delays, so that they overtake")
    drop: float = Field(default=0.0, ge=0, le=1, description="share of the events that never reach the bus")
    seed: int = 1
    time_scale: float = Field(default=1.0, gt=0, le=1, description="shrinks the waits and ages of AWS's retry rules")
    delivery_errors: int = Field(default=0, ge=0, description="deliveries to a target that fail before one is accepted")
