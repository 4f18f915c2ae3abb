"""What every CloudFormation type has that the sandbox adds to moto's."""

from collections.abc import Mapping
from typing import Any

from moto.core.common_models import CloudFormationModel


class AddedResource(CloudFormationModel):  # type: ignore[misc] # moto has no types for us
    """What every added type has: a physical id, and nothing to undo when its stack is deleted."""

    def __init__(self, physical_resource_id: str, account: str, region: str) -> None:
        """Take the id, and where the resource is."""
        self.physical_resource_id = physical_resource_id
        self.account = account
        self.region = region

    @staticmethod
    def cloudformation_name_type() -> str:
        """Name the property that names the resource; most have none."""
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:  # noqa: ARG003 - moto's interface
        """Allow an attribute for Fn::GetAtt."""
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
        """Put the changed properties in the place of the earlier ones."""
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
        """Leave things as they are: what the added types change goes with the resource they change."""

    @classmethod
    def apply(cls, name: str, properties: Mapping[str, Any], account: str, region: str) -> str:  # noqa: ARG003 - the interface of all types
        """Do what the properties say, and return the physical id."""
        return name
