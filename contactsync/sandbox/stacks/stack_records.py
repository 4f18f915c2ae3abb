"""What CloudFormation knows of a stack: its designs, resources, events and change sets."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError

STACK_TYPE = "AWS::CloudFormation::Stack"
IN_PROGRESS = "_IN_PROGRESS"


def now() -> datetime:
    """Return the time, as CloudFormation's answers give it."""
    return datetime.now(UTC)


class StackError(CloudFormationError):  # type: ignore[misc] # moto has no types for us
    """A refused request, with AWS's code and words."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(code, message)


@dataclass(frozen=True)
class Place:
    """The account and the region of a stack."""

    account: str
    region: str


@dataclass(frozen=True)
class Design:
    """What a stack is to be: a template with values for all its parameters, and tags."""

    text: str
    template: Mapping[str, Any]
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()


NOTHING = Design("", {"Resources": {}})


@dataclass
class Resource:
    """A resource of a stack; `model` is moto's object, and `definition` its part of the template."""

    logical_id: str
    type: str
    definition: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    physical_id: str = ""
    name: str = ""
    model: Any = None
    status: str = ""
    reason: str = ""
    changed: datetime = field(default_factory=now)
    drift: str = "NOT_CHECKED"


@dataclass(frozen=True)
class Event:
    """One line of a stack's history."""

    id: str
    operation: str
    operation_type: str
    time: datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    properties: str
    token: str


@dataclass(frozen=True)
class ValidationProblem:
    """What the validation before a deployment has found wrong with a resource."""

    logical_id: str
    type: str
    physical_id: str
    reason: str
    path: str
    name: str = "NAME_CONFLICT_VALIDATION"


@dataclass
class ChangeSet:
    """A change set: a design that a stack can get, and what would change."""

    id: str
    name: str
    kind: str
    design: Design
    description: str = ""
    changes: list[Any] = field(default_factory=list)
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution: str = "AVAILABLE"
    on_failure: str | None = None
    imports_existing: bool = False
    imports: Mapping[str, str] = field(default_factory=dict)  # physical ids by logical id
    problems: list[ValidationProblem] = field(default_factory=list)
    created: datetime = field(default_factory=now)
    operation: str = field(default_factory=lambda: str(uuid.uuid4()))
    notification_arns: tuple[str, ...] = ()


@dataclass
class Stack:
    """A stack, with everything that happened to it."""

    id: str
    name: str
    place: Place
    description: str = ""
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    created: datetime = field(default_factory=now)
    updated: datetime | None = None
    deleted: datetime | None = None
    design: Design = NOTHING
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: list[dict[str, str]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    executed: str = ""
    is_protected: bool = False
    disables_rollback: bool = False
    notification_arns: tuple[str, ...] = ()
    role: str = ""
    drift: str = "NOT_CHECKED"
    drift_checked: datetime | None = None
    operation: str = ""
    operation_type: str = ""
    token: str = ""

    @property
    def is_busy(self) -> bool:
        """Whether an operation is in progress; a review is none."""
        return self.status.endswith(IN_PROGRESS) and self.status != "REVIEW_IN_PROGRESS"

    def begin(self, kind: str, token: str = "") -> None:
        """Begin an operation, to which the following events belong."""
        self.operation, self.operation_type, self.token = str(uuid.uuid4()), kind, token

    def enter(self, status: str, reason: str = "") -> None:
        """Change the status of the stack, and record it."""
        self.status, self.reason = status, reason
        self._record(self.name, self.id, STACK_TYPE, status, reason)

    def mark(self, resource: Resource, status: str, reason: str = "", properties: str = "") -> None:
        """Change the status of a resource, and record it."""
        resource.status, resource.reason, resource.changed = status, reason, now()
        self._record(resource.logical_id, resource.physical_id, resource.type, status, reason, properties)

    def _record(
        self, logical_id: str, physical_id: str, type_name: str, status: str, reason: str, properties: str = ""
    ) -> None:
        identifier = str(uuid.uuid4())
        event = Event(
            id=identifier if type_name == STACK_TYPE else f"{logical_id}-{status}-{identifier}",
            operation=self.operation,
            operation_type=self.operation_type,
            time=now(),
            logical_id=logical_id,
            physical_id=physical_id,
            type=type_name,
            status=status,
            reason=reason,
            properties=properties,
            token=self.token,
        )
        self.events.append(event)
