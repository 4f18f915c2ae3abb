"""Partitions of AWS, as botocore knows them: separate clouds with their own regions, endpoints and accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.endpoint_provider import RuleSetStandardLibrary
from botocore.exceptions import UnknownRegionError
from botocore.loaders import Loader

from contactsync.errors import SettingsError

DEFAULT_REGION: Final = "us-east-1"
"""The region that configurations name by default; in another partition its main region is used instead."""


@dataclass(frozen=True)
class Partition:
    """One partition, such as aws, aws-cn, aws-us-gov or aws-eusc."""

    name: str
    global_region: str
    """The region of services that a partition has only once: Account Management and AWS Organizations."""
    loader: Loader

    def check(self, variable: str, arn: str) -> None:
        """Raise SettingsError when a variable holds an ARN of another partition: that one has other credentials."""
        partition = arn.split(":")[1] if arn.startswith("arn:") else self.name
        if partition != self.name:
            problem = f"is an ARN of partition {partition}, and the deployment's region belongs to {self.name}"
            raise SettingsError(variable=variable, problem=problem)

    def region(self, name: str) -> str:
        """Return the region that a setting names; raise UnknownRegionError for one of another partition."""
        if _partition_of(name, self.loader)["name"] == self.name:
            return name
        if name == DEFAULT_REGION:
            return self.global_region
        message = f"This region belongs to another partition than the deployment's region ({self.name})"
        raise UnknownRegionError(region_name=name, error_msg=message)


def partition_of(region: str, loader: Loader) -> Partition:
    """Return a region's partition; a region of unknown form counts as partition aws, as everywhere in botocore."""
    partition = _partition_of(region, loader)
    return Partition(str(partition["name"]), str(partition["implicitGlobalRegion"]), loader)


def _partition_of(region: str, loader: Loader) -> Mapping[str, Any]:
    known: Mapping[str, Any] = RuleSetStandardLibrary(loader.load_data("partitions")).aws_partition(region)
    return known
