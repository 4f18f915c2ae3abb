"""What is wrong with a configuration, in sentences that name the field and the nearest valid key or value."""

import difflib
import re
from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

KEY_OF_MAP: Final = "[key]"
"""How pydantic marks that a map's key is wrong, not its value."""

LONGEST: Final = 80
"""Characters of a key that are shown, and up to which a similar one is searched for."""

ACCOUNT_ID_PATTERN: Final = "^[0-9]{12}$"
ID_DIGITS: Final = 12

_OF_IDS: Final = re.compile(r"accounts\.[0-9]+\Z")

# pydantic uses the names of Python's types; operators write JSON.
JSON_WORDS: Final = {
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "string_unicode": "is not valid Unicode text",
}


def problems_of(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """Yield every problem as `field: problem`, without the values that were given."""
    problems = error.errors(include_url=False)
    within = {problem["loc"][:length] for problem in problems for length in range(len(problem["loc"]))}
    for problem in problems:
        # A list whose only items are wrong is also reported as too short.
        if problem["type"] != "too_short" or problem["loc"] not in within:
            yield _sentence(problem, model)


def _sentence(problem: Any, model: type[BaseModel]) -> str:  # noqa: ANN401 -- pydantic's ErrorDetails needs pydantic_core at run time
    location, kind = problem["loc"], problem["type"]
    wrong_key = bool(location) and location[-1] == KEY_OF_MAP and kind != "extra_forbidden"
    path = _path(location[:-1] if wrong_key else location)
    expected = re.findall(r"'([^']*)'", problem.get("ctx", {}).get("expected", ""))
    if kind == "extra_forbidden":
        return f"{path}: unknown key{_nearest_key(location[-1], _keys_at(model, location[:-1]))}"
    if wrong_key and expected:
        return f"{path}: unknown key{_nearest_key(problem['input'], expected)}"
    if about_id := _about_id(problem, path):
        return f"{path}: {about_id}"
    message = JSON_WORDS.get(kind) or _lower_first(problem["msg"].removeprefix("Value error, "))
    return f"{path}: {'the key: ' if wrong_key else ''}{message}{_nearest_value(problem['input'], expected)}"


def _about_id(problem: Any, path: str) -> str | None:  # noqa: ANN401 -- as _sentence
    """Return what is wrong with an account id, or with a number in place of a text."""
    kind, given = problem["type"], problem["input"]
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if kind == "string_type" and is_number:
        text = "is a number; write it in quotes"
        return (
            f"{text}: an account id is text, and as a number it loses leading zeros" if _OF_IDS.search(path) else text
        )
    if kind == "string_type" and isinstance(given, bool) and not _OF_IDS.search(path):
        return "is true or false; write it in quotes"
    if kind == "string_pattern_mismatch" and problem["ctx"]["pattern"] == ACCOUNT_ID_PATTERN:
        count = len(given)
        lost = "; leading zeros may have been lost" if given.isascii() and given.isdigit() and count < ID_DIGITS else ""
        return f"must be an account id of {ID_DIGITS} digits{lost}"
    return None


def _path(location: Iterable[int | str]) -> str:
    return ".".join(_shown(part) for part in location) or "configuration"


def _shown(part: int | str) -> str:
    text = str(part) if str(part).isprintable() else ascii(part)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _nearest_key(given: object, valid: Iterable[str]) -> str:
    keys = sorted(valid)
    near = _near(given, keys)
    if near:
        return f"; did you mean {near}?"
    return f"; valid keys are {', '.join(keys)}" if keys else ""


def _nearest_value(given: object, valid: Iterable[str]) -> str:
    near = _near(given, valid)
    return f"; did you mean '{near}'?" if near else ""


def _near(given: object, valid: Iterable[str]) -> str | None:
    """Return the most similar valid word, in upper or lower case."""
    if not isinstance(given, str) or len(given) > LONGEST:
        return None
    words = {word.lower(): word for word in valid}
    nearest = difflib.get_close_matches(given.lower(), words, n=1, cutoff=0.5)
    return words[nearest[0]] if nearest else None


def _keys_at(model: type[BaseModel], path: Iterable[int | str]) -> Iterable[str]:
    """Return the valid keys of the section at a path, which may go through maps and lists."""
    annotation: Any = model
    for part in path:
        annotation = _within(annotation, part)
    return next((option.model_fields for option in _options(annotation) if _is_model(option)), ())


def _within(annotation: Any, part: int | str) -> Any:  # noqa: ANN401 -- any annotation may stand at a field
    for option in _options(annotation):
        if _is_model(option) and part in option.model_fields:
            return option.model_fields[part].annotation
        if get_origin(option) in (tuple, list):
            return get_args(option)[0]
        if get_origin(option) is dict:
            return get_args(option)[1]
    return None


def _options(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 -- as _within
    """Yield the types that an annotation allows, without `Annotated` and unions."""
    if get_origin(annotation) is Annotated:
        yield from _options(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for option in get_args(annotation):
            yield from _options(option)
    else:
        yield annotation


def _is_model(option: Any) -> bool:  # noqa: ANN401 -- as _within
    return isinstance(option, type) and issubclass(option, BaseModel)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
