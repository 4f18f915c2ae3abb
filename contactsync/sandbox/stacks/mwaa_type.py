"""The CloudFormation type of MWAA's environments, in front of the environments of the running sandbox."""

from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException

from contactsync.sandbox.handover import Entry, Handover
from contactsync.sandbox.stacks.added_resource import AddedResource
from contactsync.sandbox.stacks.mwaa_environments import Environment, Environments
from contactsync.sandbox.stacks.stack_records import Place, StackError

TYPE = "AWS::MWAA::Environment"


class MwaaEnvironment(AddedResource):
    """AWS::MWAA::Environment: creating, changing and deleting it take time, which `settle` ends."""

    takes_time = True

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name of the type."""
        return TYPE

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return the name of the property that names the environment."""
        return "Name"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_: object,
    ) -> "MwaaEnvironment":
        """Begin to create the environment."""
        _environments().create(resource_name, cloudformation_json["Properties"], Place(account_id, region_name))
        return cls(resource_name, account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: AddedResource | None,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> AddedResource:
        """Begin to update the environment."""
        found = _environments().find(new_resource_name, Place(account_id, region_name))
        if found is None or original_resource is None:
            raise StackError(f"Environment {new_resource_name} not found")
        _environments().update(found, cloudformation_json["Properties"])
        return original_resource

    def delete(self, account: str, region: str) -> None:
        """Delete the environment."""
        environment = _environments().find(self.physical_resource_id, Place(account, region))
        if environment is not None:
            _environments().remove(environment)

    def settle(self, error: str | None) -> None:
        """End what is in progress, well or with an error."""
        _environments().settle(self._environment(), error)

    def begin_deletion(self) -> None:
        """Show that the environment is being deleted."""
        self._environment().status = "DELETING"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Return whether Fn::GetAtt may read the attribute."""
        return attr in ("Arn", "WebserverUrl", "CeleryExecutorQueue") or attr.startswith("LoggingConfiguration.")

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """Return an attribute."""
        environment = self._environment()
        known = {
            "Arn": environment.arn,
            "WebserverUrl": environment.web_server,
            "CeleryExecutorQueue": environment.queue,
            **{
                f"LoggingConfiguration.{name}.CloudWatchLogGroupArn": log["CloudWatchLogGroupArn"]
                for name, log in environment.logs.items()
            },
        }
        if attribute_name not in known:
            raise UnformattedGetAttTemplateException
        return str(known[attribute_name])

    def _environment(self) -> Environment:
        environment = _environments().find(self.physical_resource_id, Place(self.account, self.region))
        if environment is None:
            raise StackError(f"Environment {self.physical_resource_id} not found")
        return environment


handover: Handover[Environments] = Handover(Entry(parsing.get_model_map, TYPE, MwaaEnvironment))
"""Registers the type with moto's classes of resources."""


def _environments() -> Environments:
    current = handover.part
    if current is None:
        raise StackError("no sandbox runs that could have environments")
    return current
