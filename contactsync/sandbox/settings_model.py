"""What scenario files and control API documents share: unknown keys are refused, and errors are clear sentences."""

import difflib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

_READ_AS = ((bool, "true or false"), (int, "a number"), (float, "a number"), (date, "a date"), (type(None), "nothing"))
_WANTED = {"model_type": "mapping", "dict_type": "mapping", "mapping_type": "mapping", "tuple_type": "list"}
_UNKNOWN_KEY = "unknown_key"
_LISTED = 12
"""How many known names an error lists at most when none of them is near."""


class SettingsModel(BaseModel):
    """A document whose mistakes, such as an unknown key, are refused and never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _has_known_keys(cls, content: object) -> object:
        unknown = [key for key in content if key not in cls.model_fields] if isinstance(content, Mapping) else []
        if unknown:
            hint = nearest(str(unknown[0]), cls.model_fields, "the keys are")
            raise PydanticCustomError(
                _UNKNOWN_KEY, "{key} is not a known key; {hint}", {"key": unknown[0], "hint": hint}
            )
        return content

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_numbers(cls, value: object, info: Any) -> object:  # noqa: ANN401 - pydantic has no public type for it
        annotation = cls.model_fields[info.field_name].annotation
        if isinstance(value, bool) and annotation in (int, float, int | None):
            message = f"a number is expected, and YAML reads this as {str(value).lower()}"
            raise ValueError(message)
        return value


def nearest(name: str, names: Iterable[str], otherwise: str) -> str:
    """Return a hint for an unknown name: the nearest known one; or all of them after `otherwise`, if they are few."""
    known = sorted(names)
    lowered = {item.lower(): item for item in known}
    nearest = difflib.get_close_matches(name.lower(), lowered, n=1)
    if nearest:
        return f"the nearest is {lowered[nearest[0]]}"
    return f"{otherwise} {', '.join(known)}" if len(known) <= _LISTED else "see docs/sandbox.md"


def first_sentence(error: ValidationError) -> str:
    """Return a sentence about the first mistake, without the value, which can be a contact value."""
    first = _most_telling(error.errors(include_url=False))
    place = _place(first)
    return _ended(f"{place}.{first['msg']}" if first["type"] == _UNKNOWN_KEY and place else _sentence(place, first))


def all_problems(error: ValidationError) -> str:
    """Return one sentence about all mistakes, without the values."""
    problems = (_sentence(_place(item) or "document", item) for item in error.errors(include_url=False))
    return _ended("; ".join(dict.fromkeys(problems)))


def _account_number(value: str) -> str:
    if value != "*" and not (value.isascii() and value.isdecimal() and len(value) == len("111122223333")):
        message = "an account id has twelve digits"
        raise ValueError(message)
    return value


AnyAccount = Annotated[str, AfterValidator(_account_number), Field(description="an account id, or * for all")]


def _sentence(place: str, error: Mapping[str, Any]) -> str:
    problem = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "string_type":
        read_as = next((words for kind, words in _READ_AS if isinstance(error["input"], kind)), "something else")
        problem = f"write it in quotes, or YAML reads it as {read_as}"
        if isinstance(error["input"], list | dict | tuple):
            problem = "a text is expected here"
    if error["type"] in _WANTED:
        problem = f"a {_WANTED[error['type']]} is expected here"
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        problem = f"{problem}; {nearest(error['input'], _literals(error), 'there are')}"
    return f"{place}: {problem}" if place else problem


def _literals(error: Mapping[str, Any]) -> list[str]:
    return str(error["ctx"]["expected"]).replace(" or ", ", ").replace("'", "").split(", ")


def _most_telling(errors: list[Any]) -> Any:  # noqa: ANN401 - pydantic's error details
    """Return the first error; for a text, prefer the error that lists the allowed words to one that wants a mapping."""
    first = errors[0]
    others = [item for item in errors if item["type"] == "literal_error" and _place(item) == _place(first)]
    return others[0] if others and isinstance(first["input"], str) else first


def _place(error: Mapping[str, Any]) -> str:
    return ".".join(str(part) for part in error["loc"] if not _is_union_branch(part))


def _is_union_branch(part: object) -> bool:
    return isinstance(part, str) and ("[" in part or part == "constrained-str")


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
