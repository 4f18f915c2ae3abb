"""The values of a template's functions: for the properties of resources, for conditions, rules and outputs."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from moto.utilities.utils import get_partition

from contactsync.sandbox.stacks.stack_records import Design, Place, Resource, StackError

KNOWN_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
"""What a change set shows for a value that only the deployment will give."""
_NO_VALUE = object()
_VARIABLE = re.compile(r"\$\{(!?)([^}]+)\}")
_ZONES = "abcd"
_LISTS = ("CommaDelimitedList", "List<")
Exports = Mapping[str, str]


class TemplateValues:
    """Evaluates one design against the resources that are there."""

    def __init__(
        self,
        design: Design,
        place: Place,
        *,
        stack_name: str,
        stack_id: str,
        resources: Mapping[str, Resource],
        exports: Exports | None = None,
        unknown: AbstractSet[str] = frozenset(),
    ) -> None:
        """Evaluate for a stack; the resources named in `unknown` give KNOWN_AFTER_APPLY."""
        self._template = design.template
        self._place = place
        self._resources = resources
        self._exports = exports or {}
        self._unknown = unknown
        self._declared: Mapping[str, Any] = design.template.get("Resources") or {}
        self._conditions: Mapping[str, Any] = design.template.get("Conditions") or {}
        self._known_conditions: dict[str, bool] = {}
        self._names: dict[str, Any] = {
            "AWS::AccountId": place.account,
            "AWS::Region": place.region,
            "AWS::Partition": get_partition(place.region),
            "AWS::URLSuffix": "amazonaws.com.cn" if place.region.startswith("cn-") else "amazonaws.com",
            "AWS::StackName": stack_name,
            "AWS::StackId": stack_id,
            "AWS::NotificationARNs": [],
            "AWS::NoValue": _NO_VALUE,
            **_typed(design),
        }
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
            "Fn::Join": lambda given: str(given[0]).join(map(_text, self.value(given[1]))),
            "Fn::Split": self._split,
            "Fn::Select": self._select,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAZs": lambda given: [f"{self.value(given) or place.region}{zone}" for zone in _ZONES],
            "Fn::Base64": lambda given: base64.b64encode(_text(self.value(given)).encode()).decode(),
            "Fn::ToJsonString": lambda given: json.dumps(self.value(given)),
            "Fn::ImportValue": self._import,
            "Fn::Equals": lambda given: _text(self.value(given[0])) == _text(self.value(given[1])),
            "Fn::And": lambda given: all(self._holds(item) for item in given),
            "Fn::Or": lambda given: any(self._holds(item) for item in given),
            "Fn::Not": lambda given: not self._holds(given[0]),
            "Fn::Contains": lambda given: _text(self.value(given[1])) in map(_text, self.value(given[0])),
        }

    def value(self, given: Any) -> Any:  # noqa: ANN401 - a template's JSON
        """Return what is given with every function replaced by its value."""
        if isinstance(given, list):
            return [value for item in given if (value := self.value(item)) is not _NO_VALUE]
        if not isinstance(given, dict):
            return given
        if len(given) == 1:
            ((name, argument),) = given.items()
            if name in self._functions:
                return self._called(name, argument)
            if str(name).startswith("Fn::"):
                raise StackError(f"Template error: the sandbox does not know the function {name}")
        return {key: value for key, item in given.items() if (value := self.value(item)) is not _NO_VALUE}

    def _called(self, name: str, argument: Any) -> Any:  # noqa: ANN401 - a template's JSON
        try:
            return self._functions[name](argument)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise StackError(f"Template error: every {name} object must have what the function needs") from error

    def properties(self, logical_id: str) -> dict[str, Any]:
        """Return the properties of a resource."""
        values = self.value(self._declared[logical_id].get("Properties") or {})
        return dict(values) if isinstance(values, dict) else {}

    def active(self) -> list[str]:
        """Return the logical ids of the resources whose condition holds, each after those that it depends on."""
        wanted = [name for name, declared in self._declared.items() if self.holds(declared.get("Condition"))]
        needed = {name: self.dependencies(name) & set(wanted) - {name} for name in wanted}
        ordered: list[str] = []
        while needed:
            free = next((name for name, others in needed.items() if others.isdisjoint(needed)), None)
            if free is None:
                raise StackError(f"Circular dependency between resources: [{', '.join(needed)}]")
            ordered.append(free)
            del needed[free]
        return ordered

    def holds(self, condition: str | None) -> bool:
        """Return whether a named condition holds; no condition always does."""
        if condition is None:
            return True
        if condition not in self._conditions:
            raise StackError(f"Template format error: Unresolved condition dependency {condition}")
        if condition not in self._known_conditions:
            self._known_conditions[condition] = self._holds(self._conditions[condition])
        return self._known_conditions[condition]

    def dependencies(self, logical_id: str) -> set[str]:
        """Return the logical ids that the resource names, in functions or in DependsOn."""
        declared = self._declared[logical_id]
        listed = declared.get("DependsOn") or []
        return {*([listed] if isinstance(listed, str) else listed), *self.named(declared.get("Properties"))}

    def named(self, given: Any) -> set[str]:  # noqa: ANN401 - a template's JSON
        """Return the names that Ref, Fn::GetAtt and Fn::Sub use; of Fn::If, those of the chosen part."""
        if isinstance(given, list):
            return set().union(*map(self.named, given))
        if not isinstance(given, dict):
            return set()
        if "Fn::If" in given and len(given) == 1:
            condition, yes, no = given["Fn::If"]
            return self.named(yes if self.holds(condition) else no)
        return self._named_in_function(given)

    def _named_in_function(self, given: Mapping[str, Any]) -> set[str]:
        if set(given) == {"Ref"}:
            return {str(given["Ref"])}
        if set(given) == {"Fn::GetAtt"}:
            return {str(_attribute(given["Fn::GetAtt"])[0])}
        if set(given) == {"Fn::Sub"}:
            return self._named_in_text(given["Fn::Sub"])
        return set().union(*map(self.named, given.values()))

    def outputs(self) -> list[dict[str, str]]:
        """Return the outputs whose condition holds, as DescribeStacks shows them."""
        outputs = []
        for name, declared in self._active_outputs().items():
            output = {"OutputKey": name, "OutputValue": _text(self.value(declared.get("Value")))}
            if "Description" in declared:
                output["Description"] = str(declared["Description"])
            if "Export" in declared:
                output["ExportName"] = _text(self.value(declared["Export"]["Name"]))
            outputs.append(output)
        return outputs

    def _active_outputs(self) -> dict[str, Any]:
        outputs = self._template.get("Outputs") or {}
        return {name: output for name, output in outputs.items() if self.holds(output.get("Condition"))}

    def check(self) -> None:
        """Raise StackError for a name that the template does not have, a circle, or a rule that is broken."""
        known = {*self._names, *self._declared}
        missing = {name for logical_id in self._declared for name in self.dependencies(logical_id)} - known
        if missing:
            listed = ", ".join(sorted(missing))
            raise StackError(
                f"Template format error: Unresolved resource dependencies [{listed}] in the Resources block of the "
                "template"
            )
        for condition in self._conditions:
            self.holds(condition)
        in_outputs = {name for output in self._active_outputs().values() for name in self.named(output.get("Value"))}
        if in_outputs - known:
            listed = ", ".join(sorted(in_outputs - known))
            raise StackError(
                f"Template format error: Unresolved resource dependencies [{listed}] in the Outputs block of the "
                "template"
            )
        self.active()
        for name, rule in (self._template.get("Rules") or {}).items():
            if "RuleCondition" not in rule or self._holds(rule["RuleCondition"]):
                self._check_rule(str(name), rule)

    def _check_rule(self, name: str, rule: Mapping[str, Any]) -> None:
        for assertion in rule.get("Assertions", []):
            if not self._holds(assertion["Assert"]):
                raise StackError(f"Rule {name} failed: {assertion.get('AssertDescription', 'an assertion is false')}")

    def _holds(self, given: Any) -> bool:  # noqa: ANN401 - a template's JSON
        if isinstance(given, dict) and set(given) == {"Condition"}:
            return self.holds(given["Condition"])
        return bool(self.value(given))

    def _ref(self, name: str) -> Any:  # noqa: ANN401 - a parameter can be a list
        if name in self._names:
            return self._names[name]
        if name in self._unknown:
            return KNOWN_AFTER_APPLY
        if name not in self._resources:
            raise StackError(f"Template format error: Unresolved resource dependencies [{name}]")
        return self._resources[name].physical_id

    def _get_att(self, given: Any) -> Any:  # noqa: ANN401 - moto's value
        name, attribute = _attribute(given)
        if name in self._unknown:
            return KNOWN_AFTER_APPLY
        if name not in self._resources:
            raise StackError(f"Template error: instance of Fn::GetAtt references undefined resource {name}")
        try:
            return self._resources[name].model.get_cfn_attribute(self.value(attribute))
        except Exception as error:  # moto has errors of several trees for an attribute that a type lacks
            raise StackError(
                f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
            ) from error

    def _sub(self, given: Any) -> str:  # noqa: ANN401 - a template's JSON
        text, own = (given, {}) if isinstance(given, str) else given

        def replaced(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in own:
                return _text(self.value(own[name]))
            return _text(self._get_att(name.split(".", 1)) if "." in name else self._ref(name))

        return _VARIABLE.sub(replaced, text)

    def _named_in_text(self, given: Any) -> set[str]:  # noqa: ANN401 - a template's JSON
        text, own = (given, {}) if isinstance(given, str) else given
        names = {name.partition(".")[0] for literal, name in _VARIABLE.findall(text) if not literal and name not in own}
        return names | self.named(own)

    def _if(self, given: Any) -> Any:  # noqa: ANN401 - a template's JSON
        condition, yes, no = given
        return self.value(yes if self.holds(condition) else no)

    def _split(self, given: Any) -> Any:  # noqa: ANN401 - a list, or a value that is not known yet
        text = _text(self.value(given[1]))
        return KNOWN_AFTER_APPLY if KNOWN_AFTER_APPLY in text else text.split(given[0])

    def _select(self, given: Any) -> Any:  # noqa: ANN401 - an item of any list
        items = self.value(given[1])
        if items == KNOWN_AFTER_APPLY:
            return items
        try:
            return items[int(self.value(given[0]))]
        except (IndexError, ValueError, TypeError) as error:
            raise StackError("Template error: Fn::Select cannot select nonexistent value at index") from error

    def _find_in_map(self, given: Any) -> Any:  # noqa: ANN401 - a value of any mapping
        found: Any = self._template.get("Mappings") or {}
        for key in map(self.value, given[:3]):
            if key not in found:
                listed = "::".join(map(str, map(self.value, given[:3])))
                raise StackError(f"Template error: Unable to get mapping for {listed}")
            found = found[key]
        return found

    def _import(self, given: Any) -> str:  # noqa: ANN401 - a template's JSON
        name = _text(self.value(given))
        if name not in self._exports:
            raise StackError(f"No export named {name} found.")
        return self._exports[name]


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 - a template's JSON
    """Return whether two values are equal for CloudFormation, to which 1 and "1" are the same."""
    return bool(plain(one) == plain(other))


def plain(given: Any) -> Any:  # noqa: ANN401 - a template's JSON
    """Return the value with every scalar as text."""
    if isinstance(given, Mapping):
        return {str(key): plain(item) for key, item in given.items()}
    if isinstance(given, list | tuple):
        return [plain(item) for item in given]
    return _text(given)


def _text(value: Any) -> str:  # noqa: ANN401 - a template's JSON
    return str(value).lower() if isinstance(value, bool) else str(value)


def _attribute(given: Any) -> tuple[str, Any]:  # noqa: ANN401 - a template's JSON
    name, attribute = given.split(".", 1) if isinstance(given, str) else given
    return str(name), attribute


def _typed(design: Design) -> dict[str, Any]:
    """Return the parameters' values: lists as lists, and numbers as numbers, which moto's types expect."""
    declared = design.template.get("Parameters") or {}
    return {name: _typed_value(str(declared[name].get("Type")), value) for name, value in design.parameters.items()}


def _typed_value(type_name: str, value: str) -> Any:  # noqa: ANN401 - of the parameter's type
    if type_name.startswith(_LISTS):
        return [part.strip() for part in value.split(",")]
    if type_name == "Number":
        try:
            return int(value)
        except ValueError:
            return float(value)
    return value
