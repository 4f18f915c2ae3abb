"""Change sets: what a request would change, checked before anything is done."""

import uuid
from collections.abc import Mapping
from typing import Any

from moto.utilities.utils import get_partition

from contactsync.sandbox.stacks.found_resources import found, import_identifier
from contactsync.sandbox.stacks.resource_rules import IMPORT_IDENTIFIERS, KEEPING, NAMES
from contactsync.sandbox.stacks.stack_plans import ResourceChange, changes_of, is_no_update
from contactsync.sandbox.stacks.stack_records import ChangeSet, Design, Place, Stack, StackError, ValidationProblem
from contactsync.sandbox.stacks.template_values import KNOWN_AFTER_APPLY, Exports, TemplateValues

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
_INVALID = (
    "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early "
    "Validation errors, use the DescribeEvents API for detailed failure information."
)
Params = Mapping[str, Any]


def build(stack: Stack, design: Design, params: Params, exports: Exports) -> ChangeSet:
    """Return the change set of a request; one that cannot be executed has the status FAILED and a reason."""
    place = stack.place
    name, kind = str(params["ChangeSetName"]), str(params.get("ChangeSetType") or "UPDATE")
    prefix = f"arn:{get_partition(place.region)}:cloudformation:{place.region}:{place.account}"
    change_set = ChangeSet(
        id=f"{prefix}:changeSet/{name}/{uuid.uuid4()}",
        name=name,
        kind=kind,
        design=design,
        description=str(params.get("Description") or ""),
        on_failure=params.get("OnStackFailure"),
        imports_existing=bool(params.get("ImportExistingResources")),
        notification_arns=tuple(params.get("NotificationARNs") or ()),
    )
    check_design(stack, design, exports)
    change_set.imports = _imports(stack, design, params, exports)
    if change_set.imports_existing:
        reason = _unretained(change_set)
        if reason:
            return _failed(change_set, reason)
    change_set.changes = changes_of(stack, design, exports, change_set.imports)
    if kind == "IMPORT":
        _check_import(change_set)
    elif is_no_update(stack, design, change_set.changes, exports) and kind != "CREATE":
        return _failed(change_set, NO_CHANGES)
    if not params.get("DisableValidation"):
        change_set.problems = _conflicts(place, change_set.changes)
        if change_set.problems:
            return _failed(change_set, _INVALID)
    return change_set


def check_design(stack: Stack, design: Design, exports: Exports) -> None:
    """Raise StackError for a template that names what it does not have, or whose rules do not hold."""
    try:
        TemplateValues(
            design, stack.place, stack_name=stack.name, stack_id=stack.id, resources=stack.resources, exports=exports
        ).check()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise StackError(f"Template error: a function has not the arguments that it needs ({error})") from error


def _failed(change_set: ChangeSet, reason: str) -> ChangeSet:
    change_set.status, change_set.reason, change_set.execution = "FAILED", reason, "UNAVAILABLE"
    return change_set


def _imports(stack: Stack, design: Design, params: Params, exports: Exports) -> dict[str, str]:
    """Return the identifiers of the resources to import, by logical id."""
    named = {
        str(item["LogicalResourceId"]): str(next(iter(item["ResourceIdentifier"].values())))
        for item in params.get("ResourcesToImport") or ()
    }
    for logical_id, identifier in named.items():
        _check_named(design, logical_id, identifier, stack.place)
    if not params.get("ImportExistingResources"):
        return named
    return named | {
        change.logical_id: name
        for change in changes_of(stack, design, exports, named)
        if change.action == "Add" and (name := _taken_name(change, stack.place))
    }


def _check_named(design: Design, logical_id: str, identifier: str, place: Place) -> None:
    definition = design.template["Resources"].get(logical_id)
    if definition is None:
        raise StackError(f"Resources [{logical_id}] do not exist in the template")
    type_name = str(definition["Type"])
    if import_identifier(type_name) is None:
        raise StackError(f"ResourceTypes [{type_name}] are not supported for Import")
    if definition.get("DeletionPolicy") not in KEEPING:
        raise StackError(
            f"Resources [{logical_id}] must have DeletionPolicy attribute specified in the template for import."
        )
    if found(type_name, identifier, place) is None:
        key = IMPORT_IDENTIFIERS[type_name]
        raise StackError(f"Resource {type_name} with identifier {{{key}={identifier}}} does not exist.")


def _taken_name(change: ResourceChange, place: Place) -> str:
    """Return the name of a new resource when there is one of that name already."""
    name = str(change.after.get(NAMES.get(change.type, ""), ""))
    if not name or KNOWN_AFTER_APPLY in name:
        return ""
    return name if found(change.type, name, place) is not None else ""


def _unretained(change_set: ChangeSet) -> str:
    declared = change_set.design.template["Resources"]
    affected = [name for name in change_set.imports if declared[name].get("DeletionPolicy") not in KEEPING]
    if not affected:
        return ""
    described = ", ".join(
        f"{name} ({{{NAMES[declared[name]['Type']]}={change_set.imports[name]}}})" for name in affected
    )
    return (
        "CloudFormation is attempting to import some resources because they already exist in your account. The "
        "resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in the template "
        f"for successful import. The affected resources are {described}"
    )


def _check_import(change_set: ChangeSet) -> None:
    others = [change for change in change_set.changes if change.action != "Import"]
    if not change_set.imports:
        raise StackError("ResourcesToImport must be specified for a change set of type IMPORT")
    if others:
        raise StackError(
            "As part of the import operation, you cannot modify or add "
            f"[{'Outputs' if not others else others[0].logical_id}]"
        )


def _conflicts(place: Place, changes: list[ResourceChange]) -> list[ValidationProblem]:
    """Return the new resources whose name is taken."""
    problems = []
    for change in changes:
        name = _taken_name(change, place) if change.action == "Add" else ""
        if name:
            reason = f"Resource of type '{change.type}' with identifier '{name}' already exists."
            path = f"/Resources/{change.logical_id}"
            problems.append(ValidationProblem(change.logical_id, change.type, name, reason, path))
    return problems
