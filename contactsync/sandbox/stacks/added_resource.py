"""The base class of the CloudFormation types that the sandbox adds to moto's."""

from collections.abc import Mapping
from typing import Any, ClassVar

from moto.core.common_models import CloudFormationModel


class AddedResource(CloudFormationModel):  # type: ignore[misc] # moto has no types for us
    """An added type of resource: it has a physical id, and by default deleting its stack undoes nothing."""

    takes_time: ClassVar[bool] = False
    """Whether an action begins at once, and ends when `settle` is called."""

    def __init__(self, physical_resource_id: str, account: str, region: str) -> None:
        self.physical_resource_id = physical_resource_id
        self.account = account
        self.region = region

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return the name of the property that names the resource; most types have none."""
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:  # noqa: ARG003 - moto's interface
        """Return whether Fn::GetAtt may read the attribute; by default it may read none."""
        return False

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: object,
    ) -> "AddedResource":
        """Create the resource."""
        applied = cls.apply(resource_name, cloudformation_json.get("Properties", {}), account_id, region_name)
        return cls(applied, account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: "AddedResource | None",
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> "AddedResource":
        """Apply the changed properties to the resource."""
        name = original_resource.physical_resource_id if original_resource else new_resource_name
        return cls.create_from_cloudformation_json(name, cloudformation_json, account_id, region_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> None:
        """Do nothing: what an added type has changed is deleted together with the changed resource."""

    @classmethod
    def apply(cls, name: str, properties: Mapping[str, Any], account: str, region: str) -> str:  # noqa: ARG003 - the interface of all types
        """Do what the properties say, and return the physical id; by default, only return it."""
        return name
