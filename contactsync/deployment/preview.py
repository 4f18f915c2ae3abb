"""What a deployment changes, as rows, and what it must not change without being told to."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contactsync.deployment.blueprint import WantedStack
from contactsync.deployment.live import Change, ChangeSet
from contactsync.deployment.uploads import PENDING
from contactsync.errors import ReplacementRefusedError

STACK_TYPE: Final = "AWS::CloudFormation::Stack"
ENVIRONMENT_TYPE: Final = "AWS::MWAA::Environment"
GUARDED: Final = frozenset(
    {
        ENVIRONMENT_TYPE,
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::KMS::Key",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
    }
)
"""Types that are replaced or removed only if somebody names the resource."""

SECRET_TYPES: Final = frozenset({"AWS::SecretsManager::Secret"})
UPLOADED: Final = "(after the upload)"
HIDDEN: Final = "(not shown)"
LATER: Final = "a value of another stack"
LONGEST: Final = 60
"""Characters of a value in a row; a policy or a dashboard would fill the screen."""

_ACTIONS: Final = {
    "Add": "add",
    "Modify": "change",
    "Remove": "remove",
    "Import": "adopt",
    "Dynamic": "change, perhaps",
}
_REPLACEMENTS: Final = {"True": "replace", "Conditional": "replace, perhaps"}


@dataclass(frozen=True)
class Row:
    """A line of the preview."""

    stack: str
    action: str
    """add, change, replace, remove, adopt, or one of them with `perhaps`."""
    resource: str
    type: str
    name: str = ""
    """The property."""
    old: str = ""
    new: str = ""

    @property
    def is_alarming(self) -> bool:
        """Whether something is replaced or removed."""
        return self.action.startswith(("replace", "remove"))


def rows_of(stack: str, change_set: ChangeSet) -> Iterator[Row]:
    """Yield a row for each property that changes, and one for each resource that changes as a whole."""
    if not (change_set.is_empty or change_set.changes):
        yield Row(stack, "change", "(the stack)", STACK_TYPE, "outputs or descriptions")
    for change in change_set.changes:
        for name, old, new in _properties(change):
            yield Row(stack, action_of(change), change.logical_id, change.resource_type, name, old, new)


def rows_of_new(stack: WantedStack, values: Mapping[str, str | None], later: Iterable[str] = ()) -> Iterator[Row]:
    """Yield the resources of a stack that does not exist yet, as its template says.

    `later` are parameters that get a value when the stacks before it are there.
    """
    declared = stack.template.get("Parameters") or {}
    defaults = {name: str(one["Default"]) for name, one in declared.items() if "Default" in one}
    known = {
        **defaults,
        **dict.fromkeys(later, LATER),
        **{name: value for name, value in values.items() if value is not None},
    }
    conditions = stack.template.get("Conditions") or {}
    for name, resource in stack.resources.items():
        condition = resource.get("Condition")
        if condition is None or _holds({"Condition": condition}, known, conditions) is not False:
            yield Row(stack.name, "add", name, str(resource.get("Type", "")))


def action_of(change: Change) -> str:
    """Return in a word what happens to a resource."""
    if change.action == "Modify" and change.replacement in _REPLACEMENTS:
        return _REPLACEMENTS[change.replacement]
    return _ACTIONS.get(change.action, change.action.lower())


def check_replacements(change_sets: Iterable[ChangeSet], allowed: Collection[str]) -> None:
    """Raise ReplacementRefusedError when a guarded resource that nobody named is replaced or removed."""
    refused = [
        (f"{one.stack}: {change.logical_id} ({change.resource_type}) {_happens(change)}", change.logical_id)
        for one in change_sets
        for change in one.changes
        if change.resource_type in GUARDED and _happens(change) and change.logical_id not in allowed
    ]
    if refused:
        raise ReplacementRefusedError([sentence for sentence, _ in refused], [name for _, name in refused])


def updates_environment(change_sets: Iterable[ChangeSet]) -> bool:
    """Return whether an MWAA environment is updated or replaced."""
    return any(
        change.resource_type == ENVIRONMENT_TYPE and change.action == "Modify"
        for one in change_sets
        for change in one.changes
    )


def _happens(change: Change) -> str:
    if change.action == "Remove":
        return "is removed"
    return {"True": "is replaced", "Conditional": "may be replaced"}.get(change.replacement, "")


def _properties(change: Change) -> Iterator[tuple[str, str, str]]:
    if change.action != "Modify" or not change.properties:
        yield "", "", ""
    elif change.resource_type in SECRET_TYPES:
        yield from ((one.name, HIDDEN, HIDDEN) for one in change.properties)
    else:
        yield from ((one.name, _cut(one.before), _cut(one.after)) for one in change.properties)


def _cut(text: str) -> str:
    if text.startswith(PENDING):
        return UPLOADED
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def _holds(condition: Any, known: Mapping[str, str], conditions: Mapping[str, Any]) -> bool | None:  # noqa: ANN401 -- a template's data
    """Return whether a template's condition holds; None if that depends on what is not known."""
    if not isinstance(condition, dict) or len(condition) != 1:
        return None
    ((name, argument),) = condition.items()
    if name == "Condition":
        return _holds(conditions.get(argument), known, conditions)
    if name == "Fn::Equals":
        left, right = (_value(one, known) for one in argument)
        return None if left is None or right is None else left == right
    parts: list[bool | None] = [_holds(one, known, conditions) for one in argument]
    if name == "Fn::Not":
        return None if parts[0] is None else not parts[0]
    decisive: bool = name == "Fn::Or"  # else Fn::And
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _value(part: Any, known: Mapping[str, str]) -> str | None:  # noqa: ANN401 -- as above
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and set(part) == {"Ref"}:
        return known.get(part["Ref"])
    if isinstance(part, dict) and set(part) == {"Fn::Join"}:
        separator, joined = part["Fn::Join"]
        value = _value(joined, known)
        return None if value is None else value.replace(",", separator)
    return None
