"""What all sections of the configuration have in common."""

from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from contactsync.sections.problems import ACCOUNT_ID_PATTERN

AccountId = Annotated[str, Field(pattern=ACCOUNT_ID_PATTERN)]

LEAST: Final = 1e-9
"""Smaller numbers are useless here, and DynamoDB cannot store all of them."""

Value = TypeVar("Value")


class Section(BaseModel):
    """A part of the configuration: frozen, without unknown keys, and with errors that do not show values."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Value) -> Value:
        if isinstance(value, float) and 0 < abs(value) < LEAST:
            message = f"is too small; the smallest number is {LEAST:g}"
            raise ValueError(message)
        return value
