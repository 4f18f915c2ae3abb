"""The conditions of a statement, as far as our policies use them; what is not known here never helps a request.

IAM user guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from contactsync.sandbox.access.patterns import arn_matcher, text_matcher

Context = Mapping[str, tuple[str, ...]]
"""The values that a request has for condition keys, by the key in small letters."""

LEADING_KEYS: Final = "dynamodb:leadingkeys"
ATTRIBUTES: Final = "dynamodb:attributes"
CONTACT_TYPES: Final = "account:alternatecontacttypes"
NAMESPACE: Final = "cloudwatch:namespace"
VIA_SERVICE: Final = "kms:viaservice"
KNOWN_KEYS: Final = frozenset({LEADING_KEYS, ATTRIBUTES, CONTACT_TYPES, NAMESPACE, VIA_SERVICE})
"""Keys of which the sandbox knows whether a request has them."""

_ANY, _ALL, _ONE = "ForAnyValue", "ForAllValues", ""
_IF_EXISTS: Final = "IfExists"
_NULL: Final = "Null"

_Comparison = Callable[[str, str], bool]


def _equal(wanted: str, given: str) -> bool:
    return wanted == given


def _like(wanted: str, given: str) -> bool:
    return text_matcher(wanted)(given)


def _arn_like(wanted: str, given: str) -> bool:
    return arn_matcher(wanted)(given)


def _same_bool(wanted: str, given: str) -> bool:
    return wanted.lower() == given.lower()


@dataclass(frozen=True)
class _Operator:
    compare: _Comparison
    negated: bool = False


OPERATORS: Final[Mapping[str, _Operator]] = {
    "StringEquals": _Operator(_equal),
    "StringNotEquals": _Operator(_equal, negated=True),
    "StringLike": _Operator(_like),
    "StringNotLike": _Operator(_like, negated=True),
    "ArnEquals": _Operator(_arn_like),
    "ArnLike": _Operator(_arn_like),
    "ArnNotEquals": _Operator(_arn_like, negated=True),
    "ArnNotLike": _Operator(_arn_like, negated=True),
    "Bool": _Operator(_same_bool),
}


@dataclass(frozen=True)
class Condition:
    """One line of a Condition block: an operator, a key, and the values of which one is enough."""

    operator: str
    key: str
    values: tuple[str, ...]

    def holds(self, context: Context) -> bool | None:
        """Return whether it holds; None when its operator or its key is unknown."""
        qualifier, _, name = self.operator.rpartition(":")
        if_exists = name.endswith(_IF_EXISTS)
        name = name.removesuffix(_IF_EXISTS)
        key = self.key.lower()
        if key not in KNOWN_KEYS or qualifier not in (_ANY, _ALL, _ONE):
            return None
        given = context.get(key, ())
        if name == _NULL:
            return None if if_exists or qualifier else self._is_absent(given)
        operator = OPERATORS.get(name)
        if operator is None:
            return None
        if if_exists and not given:
            return True
        return self._compared(operator, qualifier, given)

    def _is_absent(self, given: tuple[str, ...]) -> bool:
        return any((value.lower() == "true") == (not given) for value in self.values)

    def _compared(self, operator: _Operator, qualifier: str, given: tuple[str, ...]) -> bool:
        fits = [operator.negated != any(operator.compare(value, one) for value in self.values) for one in given]
        if qualifier == _ALL:
            return all(fits)
        if qualifier == _ANY:
            return any(fits)
        # For a key with several values AWS asks for a qualifier; without one, all of them must fit here.
        return all(fits) if fits else operator.negated
