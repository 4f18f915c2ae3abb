"""Stacks, change sets and events as CloudFormation has them, in plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

REVIEW: Final = "REVIEW_IN_PROGRESS"
"""The status of a stack that has a change set and nothing else."""


class Rest(StrEnum):
    """What can be done with a stack next, as its status says."""

    ABSENT = "absent"
    """It is not there, or it has no more than a change set: it is created."""
    MOVING = "moving"
    """CloudFormation is at work: wait."""
    USABLE = "usable"
    """It can be updated."""
    USELESS = "useless"
    """Its creation or deletion failed, so it can only be deleted."""
    STUCK = "stuck"
    """The rollback of an update failed; it can be continued."""


_USELESS: Final = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
_STUCK: Final = frozenset({"UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED"})
_FAILED: Final = frozenset({"UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"})


@dataclass(frozen=True)
class LiveStack:
    """A stack that CloudFormation has."""

    name: str
    stack_id: str
    status: str
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    is_protected: bool = False
    """Whether CloudFormation refuses to delete it."""

    @property
    def rest(self) -> Rest:
        """What can be done with it next."""
        if self.status in {REVIEW, "DELETE_COMPLETE"}:
            return Rest.ABSENT
        if self.status in _USELESS:
            return Rest.USELESS
        if self.status in _STUCK:
            return Rest.STUCK
        return Rest.MOVING if self.status.endswith("_IN_PROGRESS") else Rest.USABLE

    @property
    def has_failed(self) -> bool:
        """Whether what was done last with it has failed."""
        return self.status in _FAILED | _USELESS | _STUCK


@dataclass(frozen=True)
class PropertyChange:
    """One property of a resource that changes; a value that is not known or not shown is empty."""

    name: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Change:
    """What a change set does to one resource."""

    action: str
    """CloudFormation's word: Add, Modify, Remove, Import or Dynamic."""
    logical_id: str
    resource_type: str
    replacement: str = ""
    """CloudFormation's word: True, False or Conditional; empty if it is no modification."""
    properties: tuple[PropertyChange, ...] = ()


@dataclass(frozen=True)
class ChangeSet:
    """What would happen to a stack."""

    set_id: str
    stack: str
    changes: tuple[Change, ...] = ()
    is_empty: bool = False
    """Whether CloudFormation found nothing to do; then it cannot be executed."""


@dataclass(frozen=True)
class StackEvent:
    """Something that CloudFormation did, or could not do, with a resource."""

    event_id: str
    time: datetime
    stack: str
    logical_id: str
    resource_type: str
    status: str
    reason: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether it says that something failed."""
        return self.status.endswith("_FAILED")

    @property
    def is_of_stack(self) -> bool:
        """Whether it is about the stack itself."""
        return self.resource_type == "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class AirflowEnvironment:
    """The MWAA environment at one moment."""

    status: str
    error: str = ""
    """What MWAA says about its last update that failed."""
