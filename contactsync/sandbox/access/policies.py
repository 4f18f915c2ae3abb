"""Identity policies: read from their JSON, and asked whether they allow what a request needs.

IAM user guide, "Policy evaluation logic": an explicit Deny wins, then an Allow is needed, and all else is denied.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from contactsync.sandbox.access.conditions import Condition, Context
from contactsync.sandbox.access.patterns import arn_matcher, is_arn_pattern, text_matcher

_MOST_DECIDED: Final = 50_000
_ALLOW, _DENY = "Allow", "Deny"
NOT_LISTED: Final = "not listed"
"""The line of a Grant by NotAction or NotResource."""

_KEYS: Final = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})


class PolicyError(Exception):
    """A policy that cannot be read; the message says where, and what is wrong."""


@dataclass(frozen=True)
class Need:
    """One permission that a request needs: an action on a resource."""

    action: str
    resources: tuple[str, ...] = ("*",)
    """One of them is enough; most needs have one only. `*` where the action knows no resources."""
    context: Context | Callable[[], Context] = field(default_factory=dict, hash=False)
    """The values of condition keys, or what finds them when a condition asks for them."""

    @property
    def values(self) -> Context:
        """The values of condition keys."""
        return self.context() if callable(self.context) else self.context

    @property
    def resource(self) -> str:
        """The resource that an error names."""
        return self.resources[0]


@dataclass(frozen=True)
class Grant:
    """The lines of a statement that allow a need."""

    policy: str
    statement: str
    action: str
    resource: str


@dataclass(frozen=True)
class Statement:
    """One statement; `name` is its Sid, or else its number."""

    policy: str
    name: str
    allows: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    conditions: tuple[Condition, ...]

    def grant(self, need: Need) -> Grant | None:
        """Return what in this statement speaks of the need, whether it allows or denies it."""
        found = self.grant_without_conditions(need)
        return found if found and (not self.conditions or self._conditions_hold(need.values)) else None

    def grant_without_conditions(self, need: Need) -> Grant | None:
        """Return the same as if the statement had no conditions."""
        action = _first(self.actions, need.action, action=True)
        if (action is None) != self.not_actions:
            return None
        for resource in need.resources:
            on = _first(self.resources, resource, action=False)
            if (on is None) == self.not_resources:
                return Grant(self.policy, self.name, action or NOT_LISTED, on or NOT_LISTED)
        return None

    def _conditions_hold(self, context: Context) -> bool:
        """Return whether all hold; what is unknown keeps an Allow from allowing, and a Deny denies."""
        held = [condition.holds(context) for condition in self.conditions]
        return False not in held and (not self.allows or None not in held)


@dataclass(frozen=True)
class Decision:
    """What the policies say of a need."""

    allowed: bool
    denied_explicitly: bool = False
    grants: tuple[Grant, ...] = ()
    """All that allows it."""


def decide(statements: Iterable[Statement], need: Need) -> Decision:
    """Return whether the statements of all of a role's policies, taken together, allow the need."""
    known = tuple(statements)
    denials = [statement for statement in known if not statement.allows]
    # A resource that is denied does not count among those of which one is enough.
    left = [one for one in need.resources if not any(denial.grant(_on(need, one)) for denial in denials)]
    if not left:
        return Decision(allowed=False, denied_explicitly=True)
    rest = _on(need, *left)
    grants = tuple(grant for statement in known if statement.allows and (grant := statement.grant(rest)))
    return Decision(allowed=bool(grants), grants=grants)


class Rights:
    """The statements of a role, and those decisions about them that no condition can change."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self.statements = tuple(statements)
        self._decided: dict[tuple[str, tuple[str, ...]], Decision] = {}

    def decide(self, need: Need) -> Decision:
        """Return whether they allow the need."""
        place = (need.action, need.resources)
        known = self._decided.get(place)
        if known is not None:
            return known
        decision = decide(self.statements, need)
        if not any(one.conditions and one.grant_without_conditions(need) for one in self.statements):
            if len(self._decided) >= _MOST_DECIDED:
                self._decided.clear()
            self._decided[place] = decision
        return decision


def _on(need: Need, *resources: str) -> Need:
    return need if need.resources == resources else Need(need.action, resources, need.context)


def _first(patterns: tuple[str, ...], text: str, *, action: bool) -> str | None:
    for pattern in patterns:
        matcher = text_matcher(pattern, any_case=True) if action else arn_matcher(pattern)
        if matcher(text):
            return pattern
    return None


@lru_cache(maxsize=1024)
def parsed(policy: str, document: str) -> tuple[Statement, ...]:
    """Return the statements of a policy that is JSON text; raise PolicyError when it cannot be read."""
    try:
        content = json.loads(document)
    except ValueError as error:
        raise PolicyError(f"{policy}: it is not JSON") from error
    return statements_of(policy, content)


def statements_of(policy: str, content: object) -> tuple[Statement, ...]:
    """Return the statements of a policy document; raise PolicyError for what is wrong or not known here."""
    if not isinstance(content, Mapping) or "Statement" not in content:
        raise PolicyError(f"{policy}: it has no Statement")
    listed = content["Statement"]
    return tuple(
        _statement(policy, number, one)
        for number, one in enumerate(listed if isinstance(listed, list) else [listed], start=1)
    )


def _statement(policy: str, number: int, content: object) -> Statement:
    where = f"{policy}: statement {number}"
    if not isinstance(content, Mapping):
        raise PolicyError(f"{where} is no object")
    if unknown := content.keys() - _KEYS:
        raise PolicyError(f"{where}: {min(map(str, unknown))} does not belong into an identity policy")
    if content.get("Effect") not in (_ALLOW, _DENY):
        raise PolicyError(f"{where}: Effect is Allow or Deny")
    actions, not_actions = _either(where, content, "Action")
    resources, not_resources = _either(where, content, "Resource")
    for resource in resources:
        if not is_arn_pattern(resource):
            raise PolicyError(f"{where}: {resource} is neither an ARN nor *")
    for text in (*actions, *resources):
        if "${" in text:
            raise PolicyError(f"{where}: {text} has a policy variable, which the sandbox does not know")
    return Statement(
        policy,
        str(content.get("Sid") or number),
        content["Effect"] == _ALLOW,
        actions,
        not_actions,
        resources,
        not_resources,
        tuple(_conditions(where, content.get("Condition", {}))),
    )


def _either(where: str, content: Mapping[str, Any], name: str) -> tuple[tuple[str, ...], bool]:
    """Return the list under a name or its opposite, and whether it is the opposite."""
    opposite = f"Not{name}"
    if (name in content) == (opposite in content):
        raise PolicyError(f"{where}: it has {name} or {opposite}, and not both")
    found = content.get(name, content.get(opposite))
    return _texts(where, name, found), opposite in content


def _texts(where: str, name: str, found: object) -> tuple[str, ...]:
    texts = found if isinstance(found, list) else [found]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise PolicyError(f"{where}: {name} is a text or a list of texts")
    return tuple(texts)


def _conditions(where: str, content: object) -> Iterable[Condition]:
    if not isinstance(content, Mapping):
        raise PolicyError(f"{where}: Condition is no object")
    for operator, keys in content.items():
        if not isinstance(keys, Mapping):
            raise PolicyError(f"{where}: Condition.{operator} is no object")
        for key, values in keys.items():
            listed = values if isinstance(values, list) else [values]
            texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in listed]
            if any("${" in text for text in texts):
                raise PolicyError(f"{where}: {key} has a policy variable, which the sandbox does not know")
            yield Condition(str(operator), str(key), tuple(texts))
