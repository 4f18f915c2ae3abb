"""What a design would change in a stack, as a change set shows it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contactsync.sandbox.stacks.resource_rules import CREATE_ONLY, WITHOUT_TAGS
from contactsync.sandbox.stacks.stack_records import Design, Resource, Stack, StackError
from contactsync.sandbox.stacks.template_values import KNOWN_AFTER_APPLY, Exports, TemplateValues, plain, same

_ATTRIBUTES = ("DeletionPolicy", "UpdateReplacePolicy", "Metadata", "CreationPolicy", "UpdatePolicy")
_MISSING: Any = object()
Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Detail:
    """One changed property or attribute of a resource."""

    attribute: str
    name: str
    path: str
    before: Any
    after: Any
    recreation: str
    evaluation: str
    source: str
    causing: str | None = None

    @property
    def kind(self) -> str:
        """Whether the property is added, removed or modified."""
        if self.before is _MISSING:
            return "Add"
        return "Remove" if self.after is _MISSING else "Modify"


@dataclass(frozen=True)
class ResourceChange:
    """What happens to one resource."""

    action: str
    logical_id: str
    type: str
    physical_id: str = ""
    replacement: str | None = None
    details: tuple[Detail, ...] = ()
    before: Properties = field(default_factory=dict)
    after: Properties = field(default_factory=dict)
    policy_action: str | None = None


def changes_of(stack: Stack, design: Design, exports: Exports, imports: Mapping[str, str]) -> list[ResourceChange]:
    """Return the changes that the design makes, each after those it depends on, removals at the end."""
    unknown: set[str] = set()
    values = TemplateValues(
        design,
        stack.place,
        stack_name=stack.name,
        stack_id=stack.id,
        resources=stack.resources,
        exports=exports,
        unknown=unknown,
    )
    declared = design.template["Resources"]
    present = {name: resource for name, resource in stack.resources.items() if is_there(resource)}
    _refuse_other_types(present, declared)
    active = values.active()
    changes = []
    for logical_id in active:
        change = _change(stack, design, values, logical_id, imports)
        if change is not None:
            changes.append(change)
            if change.action in ("Add", "Import") or change.replacement == "True":
                unknown.add(logical_id)
    removed = [present[name] for name in present if name not in active]
    return changes + [_removal(resource) for resource in removed]


def is_there(resource: Resource) -> bool:
    """Return whether the resource exists for its stack."""
    return resource.status not in ("CREATE_FAILED", "DELETE_COMPLETE", "DELETE_SKIPPED")


def is_no_update(stack: Stack, design: Design, changes: Iterable[ResourceChange], exports: Exports) -> bool:
    """Return whether the design changes nothing, the outputs and the stack's tags included."""
    if list(changes) or dict(stack.design.tags) != dict(design.tags):
        return False
    values = TemplateValues(
        design, stack.place, stack_name=stack.name, stack_id=stack.id, resources=stack.resources, exports=exports
    )
    return values.outputs() == stack.outputs


def replaced_properties(type_name: str, before: Properties, after: Properties) -> list[str]:
    """Return the paths of the changed properties that cannot change without a replacement."""
    return [path for path in CREATE_ONLY.get(type_name, ()) if not same(_at(before, path), _at(after, path))]


def _change(
    stack: Stack, design: Design, values: TemplateValues, logical_id: str, imports: Mapping[str, str]
) -> ResourceChange | None:
    definition = design.template["Resources"][logical_id]
    type_name = str(definition["Type"])
    after = values.properties(logical_id)
    current = stack.resources.get(logical_id)
    if current is None or not is_there(current):
        is_import = logical_id in imports
        return ResourceChange(
            "Import" if is_import else "Add", logical_id, type_name, imports.get(logical_id, ""), after=after
        )
    details = [
        *_property_details(stack, design, values, current, after),
        *_attribute_details(current, definition),
        *_tag_details(stack, design, type_name),
    ]
    if not details:
        return None
    return ResourceChange(
        action="Modify",
        logical_id=logical_id,
        type=type_name,
        physical_id=current.physical_id,
        replacement=_replacement(details),
        details=tuple(details),
        before=current.properties,
        after=after,
        policy_action=_policy_action(details, definition),
    )


def _replacement(details: Iterable[Detail]) -> str:
    recreating = [detail for detail in details if detail.recreation == "Always"]
    if any(detail.evaluation == "Static" for detail in recreating):
        return "True"
    return "Conditional" if recreating else "False"


def _policy_action(details: Iterable[Detail], definition: Mapping[str, Any]) -> str | None:
    if _replacement(details) == "False":
        return None
    return "ReplaceAndRetain" if definition.get("UpdateReplacePolicy") == "Retain" else "ReplaceAndDelete"


def _removal(resource: Resource) -> ResourceChange:
    is_kept = str(resource.definition.get("DeletionPolicy", "Delete")).startswith("Retain")
    return ResourceChange(
        action="Remove",
        logical_id=resource.logical_id,
        type=resource.type,
        physical_id=resource.physical_id,
        before=resource.properties,
        policy_action="Retain" if is_kept else "Delete",
    )


def _refuse_other_types(present: Mapping[str, Resource], declared: Mapping[str, Any]) -> None:
    changed = [
        name for name, resource in present.items() if declared.get(name, {}).get("Type", "") not in ("", resource.type)
    ]
    if changed:
        raise StackError(
            "Update of resource type is not permitted. The new template modifies resource type of the following "
            f"resources: [{', '.join(changed)}]"
        )


def _property_details(
    stack: Stack, design: Design, values: TemplateValues, current: Resource, after: Properties
) -> list[Detail]:
    before = current.properties
    names = [name for name in {**before, **after} if not same(before.get(name, _MISSING), after.get(name, _MISSING))]
    recreating = {path.partition("/")[0] for path in replaced_properties(current.type, before, after)}
    details = []
    for name in names:
        raw = design.template["Resources"][current.logical_id].get("Properties", {}).get(name)
        is_known = KNOWN_AFTER_APPLY not in json.dumps(after.get(name), default=str)
        source, causing = _cause(stack, design, values, current, name, raw)
        details.append(
            Detail(
                attribute="Properties",
                name=name,
                path=f"/Properties/{name}",
                before=before.get(name, _MISSING),
                after=after.get(name, _MISSING),
                recreation="Always" if name in recreating else "Never",
                evaluation="Static" if is_known else "Dynamic",
                source=source,
                causing=causing,
            )
        )
    return details


def _cause(
    stack: Stack, design: Design, values: TemplateValues, current: Resource, name: str, raw: object
) -> tuple[str, str | None]:
    """Return why a property changes: the template, a parameter, or another resource."""
    if not same(current.definition.get("Properties", {}).get(name), raw):
        return "DirectModification", None
    named = sorted(values.named(raw))
    old = stack.design.parameters
    changed = [item for item in named if item in design.parameters and design.parameters[item] != old.get(item)]
    if changed:
        return "ParameterReference", changed[0]
    resources = [item for item in named if item in design.template["Resources"]]
    return ("ResourceReference", resources[0]) if resources else ("DirectModification", None)


def _attribute_details(current: Resource, definition: Mapping[str, Any]) -> list[Detail]:
    return [
        Detail(
            attribute=name,
            name="",
            path=f"/{name}",
            before=current.definition.get(name, _MISSING),
            after=definition.get(name, _MISSING),
            recreation="Never",
            evaluation="Static",
            source="DirectModification",
        )
        for name in _ATTRIBUTES
        if not same(current.definition.get(name, _MISSING), definition.get(name, _MISSING))
    ]


def _tag_details(stack: Stack, design: Design, type_name: str) -> list[Detail]:
    if type_name in WITHOUT_TAGS or dict(stack.design.tags) == dict(design.tags):
        return []
    before, after = (json.dumps(dict(tags)) for tags in (stack.design.tags, design.tags))
    return [Detail("Tags", "", "/Tags", before, after, "Never", "Static", "DirectModification")]


def _at(properties: Properties, path: str) -> object:
    value: Any = properties
    for part in path.split("/"):
        value = value.get(part, _MISSING) if isinstance(value, Mapping) else _MISSING
    return value


def shown(change: ResourceChange, *, with_values: bool) -> dict[str, Any]:
    """Return the change as DescribeChangeSet shows it."""
    answer: dict[str, Any] = {
        "Action": change.action,
        "LogicalResourceId": change.logical_id,
        "ResourceType": change.type,
        "Scope": list(dict.fromkeys(detail.attribute for detail in change.details)),
        "Details": [_shown_detail(detail, with_values=with_values) for detail in change.details],
    }
    optional = {
        "PhysicalResourceId": change.physical_id,
        "Replacement": change.replacement,
        "PolicyAction": change.policy_action,
    }
    answer |= {name: value for name, value in optional.items() if value}
    if with_values:
        answer |= _contexts(change)
    return {"Type": "Resource", "ResourceChange": answer}


def _contexts(change: ResourceChange) -> dict[str, str]:
    sides = {"BeforeContext": change.before, "AfterContext": change.after}
    return {name: json.dumps({"Properties": plain(side)}) for name, side in sides.items() if side}


def _shown_detail(detail: Detail, *, with_values: bool) -> dict[str, Any]:
    target: dict[str, Any] = {"Attribute": detail.attribute, "RequiresRecreation": detail.recreation}
    if detail.name:
        target["Name"] = detail.name
    if with_values:
        target |= {"Path": detail.path, "AttributeChangeType": detail.kind}
        sides = {"BeforeValue": detail.before, "AfterValue": detail.after}
        target |= {name: _shown_value(value) for name, value in sides.items() if value is not _MISSING}
    answer = {"Target": target, "Evaluation": detail.evaluation, "ChangeSource": detail.source}
    return answer | ({"CausingEntity": detail.causing} if detail.causing else {})


def _shown_value(value: Any) -> str:  # noqa: ANN401 - a template's JSON
    text = plain(value)
    return text if isinstance(text, str) else json.dumps(text)
