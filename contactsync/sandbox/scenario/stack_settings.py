"""How long the sandbox's CloudFormation takes for a resource, and which resources fail; `stacks` of a scenario file."""

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from contactsync.sandbox.settings_model import SettingsModel

ResourceAction = Literal["create", "update", "delete", "rollback"]


class ResourceScript(SettingsModel):
    """What happens to the resources that it selects; without a key that selects, it is for all of them."""

    stack: str = Field(default="*", description="name of the stack; * stands for any text")
    logical_id: str = Field(default="*", description="name of the resource in its template; * stands for any text")
    type: str = Field(default="*", description="such as AWS::DynamoDB::Table; * stands for any text")
    action: ResourceAction | None = Field(
        default=None, description="rollback is the update back to the old properties; every action by default"
    )
    seconds: float = Field(default=0.0, ge=0, le=86_400, description="how long the action takes")
    error: str | None = Field(default=None, min_length=1, description="the reason with which the action fails")
    count: int | None = Field(default=None, ge=1, description="how many failures there are; no end by default")

    def selects(self, stack: str, logical_id: str, type_name: str, action: ResourceAction) -> bool:
        """Return whether the script is about this action on this resource."""
        return (
            self.action in (None, action)
            and fnmatchcase(stack, self.stack)
            and fnmatchcase(logical_id, self.logical_id)
            and fnmatchcase(type_name, self.type)
        )


class EnvironmentStatus(SettingsModel):
    """A status that an MWAA environment gets by itself, as when AWS maintains it or cannot restore it."""

    status: Literal[
        "AVAILABLE", "CREATE_FAILED", "CREATING", "CREATING_SNAPSHOT", "DELETING", "MAINTENANCE", "PENDING",
        "ROLLING_BACK", "UNAVAILABLE", "UPDATE_FAILED", "UPDATING",
    ]  # fmt: skip
    error: str | None = Field(default=None, min_length=1, description="what LastUpdate says about its failure")


class StackSettings(SettingsModel):
    """The scripts for resources, and the length of CloudFormation's pages."""

    page_size: int = Field(default=100, ge=1, le=100, description="items in one page of CloudFormation's answers")
    resources: tuple[ResourceScript, ...] = ()
