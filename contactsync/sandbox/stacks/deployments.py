"""What CloudFormation does with the resources of one stack: create, change, replace and delete them, and roll back."""

import json
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from contactsync.sandbox.scenario.stack_settings import ResourceAction
from contactsync.sandbox.stacks import moto_resources
from contactsync.sandbox.stacks.found_resources import found
from contactsync.sandbox.stacks.moto_resources import ResourceFailedError
from contactsync.sandbox.stacks.resource_rules import NAMES
from contactsync.sandbox.stacks.stack_operations import CancelledError, Operation, Scripts
from contactsync.sandbox.stacks.stack_plans import is_there, replaced_properties
from contactsync.sandbox.stacks.stack_records import Design, Resource, Stack, StackError
from contactsync.sandbox.stacks.template_values import Exports, TemplateValues, plain, same

_REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."
_INITIATED = "Resource creation Initiated"


class StepFailedError(Exception):
    """The deployment cannot go on, because of the named resource."""

    def __init__(self, logical_id: str, verb: str) -> None:
        self.logical_id = logical_id
        self.verb = verb
        super().__init__(f"The following resource(s) failed to {verb}: [{logical_id}]. ")


@dataclass
class Step:
    """A change that a rollback undoes; `before` is the resource as it was, None if it was not there."""

    resource: Resource
    before: Resource | None = None
    is_replaced: bool = False
    is_imported: bool = False
    is_attribute: bool = False
    """Whether only an attribute such as DeletionPolicy has changed, which is no action on the resource."""


@dataclass
class Deployment:
    """The work on one stack; its journal holds what a rollback still has to undo."""

    stack: Stack
    scripts: Scripts
    operation: Operation
    exports: Exports = field(default_factory=dict)
    imports: Mapping[str, str] = field(default_factory=dict)
    deletes_retained: bool = False
    """Whether a rollback also deletes what it has created with DeletionPolicy Retain."""
    journal: list[Step] = field(default_factory=list)
    leftover: list[Resource] = field(default_factory=list)
    """What a rollback deletes at its end."""

    def apply(self, design: Design) -> None:
        """Bring all resources to the design, or raise StepFailedError; what is removed stays until the cleanup."""
        values = self.values(design)
        for logical_id in values.active():
            definition = design.template["Resources"][logical_id]
            current = self.stack.resources.get(logical_id)
            wanted = Resource(logical_id, str(definition["Type"]), definition)
            try:
                wanted.properties = values.properties(logical_id)
            except StackError as error:
                self._refuse(current or wanted, error.message)
            if current is None or not is_there(current):
                self._add(wanted)
            else:
                self._change(current, wanted)

    def values(self, design: Design) -> TemplateValues:
        """Return the values of the design with the stack's resources as they are."""
        stack = self.stack
        return TemplateValues(
            design,
            stack.place,
            stack_name=stack.name,
            stack_id=stack.id,
            resources=stack.resources,
            exports=self.exports,
        )

    def clean_up(self, design: Design) -> None:
        """Delete what the design no longer has, and what was replaced; a failure here fails nothing else."""
        active = set(self.values(design).active())
        gone = [self.stack.resources[name] for name in self.order() if name not in active]
        replaced = [step.before for step in reversed(self.journal) if step.is_replaced and step.before]
        for resource in replaced:
            self.remove(resource, attribute="UpdateReplacePolicy")
        for resource in gone:
            self.remove(resource)
            del self.stack.resources[resource.logical_id]

    def order(self) -> list[str]:
        """Return the stack's resources in the order in which they can be deleted."""
        present = list(self.stack.resources)
        try:
            active = self.values(self.stack.design).active()
        except StackError:
            active = []
        known = [name for name in reversed(active) if name in present]
        return [name for name in reversed(present) if name not in known] + known

    def remove(self, resource: Resource, *, attribute: str = "DeletionPolicy", is_own: bool = False) -> bool:
        """Delete a resource or keep it, as its policy says; return False when that failed.

        `is_own` says that the operation that is rolled back has created it.
        """
        if self._is_kept(resource, attribute, is_own=is_own):
            self.stack.mark(resource, "DELETE_SKIPPED")
            return True
        if not resource.physical_id:
            self.stack.mark(resource, "DELETE_COMPLETE")
            return True
        self.stack.mark(resource, "DELETE_IN_PROGRESS")
        if moto_resources.takes_time(resource.type) and resource.model is not None:
            resource.model.begin_deletion()
        try:
            self._take(resource, "delete")
            moto_resources.delete(resource, self.stack)
        except ResourceFailedError as error:
            self.stack.mark(resource, "DELETE_FAILED", str(error))
            return False
        self.stack.mark(resource, "DELETE_COMPLETE")
        return True

    def undo(self, skipped: AbstractSet[str] = frozenset()) -> None:
        """Undo the journal from its end; what is left to delete is then in `leftover`.

        Raises StepFailedError when a resource cannot be changed back; the journal then still has it.
        """
        while self.journal:
            step = self.journal[-1]
            if step.is_imported:
                self.stack.resources.pop(step.resource.logical_id, None)
            elif step.before is None:
                self.leftover.append(step.resource)
            elif step.is_attribute:
                step.resource.definition = step.before.definition
            elif step.resource.logical_id not in skipped:
                self._undo_change(step, step.before)
            self.journal.pop()

    def remove_leftover(self) -> list[str]:
        """Delete what the operation had created, and return the logical ids of what could not be deleted."""
        failed = []
        for resource in self.leftover:
            if not self.remove(resource, is_own=True):
                failed.append(resource.logical_id)
            elif self.stack.resources.get(resource.logical_id) is resource:
                del self.stack.resources[resource.logical_id]
        self.leftover = []
        return failed

    def delete_all(self, retained: AbstractSet[str]) -> list[str]:
        """Delete all resources, and return the logical ids of those that could not be deleted."""
        failed = []
        for name in self.order():
            resource = self.stack.resources[name]
            if not is_there(resource) and resource.status != "CREATE_FAILED":
                continue
            if name in retained:
                self.stack.mark(resource, "DELETE_SKIPPED")
            elif not self.remove(resource):
                failed.append(name)
        return failed

    def _add(self, wanted: Resource) -> None:
        stale = self.stack.resources.get(wanted.logical_id)
        if stale is not None and stale.physical_id and stale.status == "CREATE_FAILED":
            moto_resources.delete(stale, self.stack)
        self.stack.resources[wanted.logical_id] = wanted
        if wanted.logical_id in self.imports:
            self._import(wanted, self.imports[wanted.logical_id])
            return
        self.journal.append(Step(wanted))
        self.stack.mark(wanted, "CREATE_IN_PROGRESS", properties=_text(wanted))
        try:
            self._make(wanted, "CREATE_IN_PROGRESS")
        except (ResourceFailedError, CancelledError) as error:
            self.stack.mark(wanted, "CREATE_FAILED", str(error) or "Resource creation cancelled", _text(wanted))
            raise StepFailedError(wanted.logical_id, "create") from error
        self.stack.mark(wanted, "CREATE_COMPLETE", properties=_text(wanted))

    def _make(self, resource: Resource, status: str) -> None:
        """Create the resource; a scripted failure comes first, or at the end for a type that takes its time."""
        scripted = self.scripts.take(self.stack.name, resource.logical_id, resource.type, "create")
        if scripted.error and not moto_resources.takes_time(resource.type):
            self.operation.pause(scripted.seconds)
            raise ResourceFailedError(scripted.error)
        moto_resources.create(resource, self.stack)
        self.stack.mark(resource, status, _INITIATED, _text(resource))
        self.operation.pause(scripted.seconds)
        _settle(resource, scripted.error)

    def _import(self, wanted: Resource, identifier: str) -> None:
        self.journal.append(Step(wanted, is_imported=True))
        self.stack.mark(wanted, "IMPORT_IN_PROGRESS", "Resource import started.")
        model = found(wanted.type, identifier, self.stack.place)
        if model is None:
            self.stack.mark(wanted, "IMPORT_FAILED", f"Resource {identifier} does not exist.")
            raise StepFailedError(wanted.logical_id, "import")
        wanted.name = moto_resources.name_for(wanted, self.stack)
        moto_resources.import_found(wanted, model, self.stack)
        self.stack.mark(wanted, "IMPORT_COMPLETE", "Resource import completed.")
        tags = "Apply stack-level tags to imported resource if applicable."
        self.stack.mark(wanted, "UPDATE_IN_PROGRESS", tags)
        self.stack.mark(wanted, "UPDATE_COMPLETE")

    def _change(self, current: Resource, wanted: Resource) -> None:
        if same(current.properties, wanted.properties):
            self.journal.append(Step(current, replace(current), is_attribute=True))
            current.definition = wanted.definition
            return
        if replaced_properties(current.type, current.properties, wanted.properties):
            self._replace(current, wanted)
            return
        self.journal.append(Step(current, replace(current)))
        self.stack.mark(current, "UPDATE_IN_PROGRESS", properties=_text(wanted))
        try:
            self._modify(current, wanted.properties, "update")
        except (ResourceFailedError, CancelledError) as error:
            self.stack.mark(current, "UPDATE_FAILED", str(error) or "Resource update cancelled", _text(wanted))
            raise StepFailedError(current.logical_id, "update") from error
        current.definition = wanted.definition
        self.stack.mark(current, "UPDATE_COMPLETE", properties=_text(wanted))

    def _modify(self, resource: Resource, properties: Mapping[str, Any], action: ResourceAction) -> None:
        scripted = self.scripts.take(self.stack.name, resource.logical_id, resource.type, action)
        if scripted.error and not moto_resources.takes_time(resource.type):
            self.operation.pause(scripted.seconds, can_be_cancelled=action != "rollback")
            raise ResourceFailedError(scripted.error)
        moto_resources.update(resource, properties, self.stack)
        self.operation.pause(scripted.seconds, can_be_cancelled=action != "rollback")
        _settle(resource, scripted.error)

    def _replace(self, current: Resource, wanted: Resource) -> None:
        self.stack.mark(current, "UPDATE_IN_PROGRESS", _REPLACING, _text(wanted))
        if current.type in NAMES and wanted.properties.get(NAMES[current.type]) == current.name:
            self._refuse(
                current,
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
                f"{current.name} and update the stack again.",
            )
        self.stack.resources[wanted.logical_id] = wanted
        self.journal.append(Step(wanted, current, is_replaced=True))
        try:
            self._make(wanted, "UPDATE_IN_PROGRESS")
        except (ResourceFailedError, CancelledError) as error:
            self.stack.mark(wanted, "UPDATE_FAILED", str(error) or "Resource update cancelled", _text(wanted))
            raise StepFailedError(wanted.logical_id, "update") from error
        self.stack.mark(wanted, "UPDATE_COMPLETE", properties=_text(wanted))

    def _undo_change(self, step: Step, before: Resource) -> None:
        resource = before if step.is_replaced else step.resource
        self.stack.mark(resource, "UPDATE_IN_PROGRESS", properties=_text(before))
        try:
            if step.is_replaced:
                self._take(resource, "rollback")
                self.leftover.append(step.resource)
                self.stack.resources[before.logical_id] = before
            else:
                self._modify(resource, before.properties, "rollback")
                resource.definition = before.definition
        except ResourceFailedError as error:
            self.stack.mark(resource, "UPDATE_FAILED", str(error))
            raise StepFailedError(resource.logical_id, "update") from error
        self.stack.mark(resource, "UPDATE_COMPLETE", properties=_text(before))

    def _take(self, resource: Resource, action: ResourceAction) -> None:
        scripted = self.scripts.take(self.stack.name, resource.logical_id, resource.type, action)
        self.operation.pause(scripted.seconds, can_be_cancelled=False)
        if scripted.error:
            raise ResourceFailedError(scripted.error)

    def _refuse(self, resource: Resource, reason: str) -> None:
        verb = "update" if resource.logical_id in self.stack.resources and resource.physical_id else "create"
        self.stack.resources.setdefault(resource.logical_id, resource)
        self.stack.mark(resource, f"{verb.upper()}_FAILED", reason)
        raise StepFailedError(resource.logical_id, verb)

    def _is_kept(self, resource: Resource, attribute: str, *, is_own: bool) -> bool:
        policy = resource.definition.get(attribute, "Delete")
        if policy == "RetainExceptOnCreate":
            return not is_own
        return policy == "Retain" and not (is_own and self.deletes_retained)


def failed_to(verb: str, names: Iterable[str]) -> str:
    """Return the reason of a stack's status for resources that failed."""
    return f"The following resource(s) failed to {verb}: [{', '.join(names)}]. "


def _settle(resource: Resource, error: str | None) -> None:
    settle = getattr(resource.model, "settle", None)
    if settle is not None:
        settle(error)
    if error:
        raise ResourceFailedError(error)


def _text(resource: Resource) -> str:
    return json.dumps(plain(resource.properties))
