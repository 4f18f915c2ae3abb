"""Amazon MWAA's environments that CloudFormation makes: their statuses, and what is checked before one is created."""

import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from contactsync.sandbox.stacks.stack_records import Place, StackError, now

Properties = Mapping[str, Any]
NAME = re.compile(r"[a-zA-Z][0-9a-zA-Z\-_]{0,79}", re.ASCII)
USABLE = ("AVAILABLE", "UPDATING", "UPDATE_FAILED", "MAINTENANCE")
"""The statuses in which Airflow can be reached."""
_LOGS = {
    "DagProcessingLogs": "DAGProcessing",
    "SchedulerLogs": "Scheduler",
    "TaskLogs": "Task",
    "WebserverLogs": "WebServer",
    "WorkerLogs": "Worker",
}
_CODE = (
    ("PluginsS3Path", "PluginsS3ObjectVersion"),
    ("RequirementsS3Path", "RequirementsS3ObjectVersion"),
    ("StartupScriptS3Path", "StartupScriptS3ObjectVersion"),
)
_DEFAULTS: Properties = {
    "AirflowVersion": "3.3.1",
    "EnvironmentClass": "mw1.small",
    "MinWorkers": 1,
    "MaxWorkers": 10,
    "MinWebservers": 2,
    "MaxWebservers": 2,
    "Schedulers": 2,
    "WebserverAccessMode": "PRIVATE_ONLY",
    "EndpointManagement": "SERVICE",
    "WeeklyMaintenanceWindowStart": "SUN:03:30",
}
_NUMBERS = ("MinWorkers", "MaxWorkers", "MinWebservers", "MaxWebservers", "Schedulers")
_NOT_READABLE = ("WorkerReplacementStrategy",)
_SUBNETS, _LONGEST_OPTION = 2, 64
_FAILED = "INCORRECT_CONFIGURATION"


@dataclass
class Environment:
    """One environment, and what its last update did."""

    name: str
    place: Place
    properties: Properties
    status: str = "CREATING"
    created: datetime = field(default_factory=now)
    last_update: dict[str, Any] = field(default_factory=dict)
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))
    before: Properties | None = None
    """The properties that a failed update sets again."""

    @property
    def arn(self) -> str:
        """The ARN."""
        place = self.place
        partition = get_partition(place.region)
        return f"arn:{partition}:airflow:{place.region}:{place.account}:environment/{self.name}"

    @property
    def web_server(self) -> str:
        """The host of the Airflow UI; the sandbox does not answer there."""
        return f"{self.identifier}.c1.{self.place.region}.airflow.amazonaws.com"

    def as_json(self) -> dict[str, Any]:
        """Describe the environment as GetEnvironment does."""
        shown = {name: value for name, value in {**_DEFAULTS, **self.properties}.items() if name not in _NOT_READABLE}
        numbers = {name: int(shown[name]) for name in _NUMBERS}
        return {
            **shown,
            **numbers,
            "Arn": self.arn,
            "Status": self.status,
            "CreatedAt": self.created.timestamp(),
            "WebserverUrl": self.web_server,
            "CeleryExecutorQueue": self.queue,
            "AirflowConfigurationOptions": _texts(self.properties.get("AirflowConfigurationOptions")),
            "LoggingConfiguration": self.logs,
            "Tags": _texts(self.properties.get("Tags")),
            **({"LastUpdate": self.last_update} if self.last_update else {}),
        }

    @property
    def queue(self) -> str:
        """The queue of the CeleryExecutor, which belongs to AWS."""
        place = self.place
        return f"arn:{get_partition(place.region)}:sqs:{place.region}:000000000000:airflow-celery-{self.identifier}"

    @property
    def logs(self) -> dict[str, dict[str, Any]]:
        """The log groups, as GetEnvironment shows them."""
        given = self.properties.get("LoggingConfiguration") or {}
        return {
            name: {
                "Enabled": str((given.get(name) or {}).get("Enabled", "false")).lower() == "true",
                "LogLevel": str((given.get(name) or {}).get("LogLevel", "INFO")),
                "CloudWatchLogGroupArn": self.log_group(group),
            }
            for name, group in _LOGS.items()
        }

    def log_group(self, group: str) -> str:
        """Return the ARN of a log group."""
        place = self.place
        prefix = f"arn:{get_partition(place.region)}:logs:{place.region}:{place.account}"
        return f"{prefix}:log-group:airflow-{self.name}-{group}:*"


class Environments:
    """The environments of all accounts and regions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._environments: dict[tuple[Place, str], Environment] = {}

    def find(self, name: str, place: Place) -> Environment | None:
        """Return the environment of this name."""
        return self._environments.get((place, name))

    def names(self, place: Place) -> list[str]:
        """Return the names of the environments of an account in a region."""
        return [name for where, name in list(self._environments) if where == place]

    def all(self) -> list[Environment]:
        """Return every environment."""
        return list(self._environments.values())

    def change(self, environment: Environment, status: str, error: str | None = None) -> None:
        """Give an environment another status, as AWS can at any time; `error` is what its last update says."""
        environment.status = status
        if error is not None:
            failure = {"ErrorCode": _FAILED, "ErrorMessage": error}
            environment.last_update = environment.last_update | {"Status": "FAILED", "Error": failure}

    def create(self, name: str, properties: Properties, place: Place) -> Environment:
        """Begin to create an environment; its status says so until it is settled."""
        check(name, properties, place)
        environment = Environment(name, place, dict(properties))
        with self._lock:
            self._environments[place, name] = environment
        return environment

    def update(self, environment: Environment, properties: Properties) -> None:
        """Begin to update an environment, which keeps its properties when that fails."""
        check(environment.name, properties, environment.place)
        environment.before, environment.properties = environment.properties, dict(properties)
        environment.status = "UPDATING"
        environment.last_update = {
            "Status": "PENDING",
            "CreatedAt": now().timestamp(),
            "Source": "CloudFormation",
            "WorkerReplacementStrategy": str(properties.get("WorkerReplacementStrategy", "FORCED")),
        }

    def settle(self, environment: Environment, error: str | None) -> None:
        """End the creation or the update that is in progress; `error` says why it failed."""
        is_new = environment.status == "CREATING"
        if error is None:
            environment.status = "AVAILABLE"
        else:
            environment.status = "CREATE_FAILED" if is_new else "UPDATE_FAILED"
            environment.properties = environment.before or environment.properties
        environment.before = None
        environment.last_update = {
            "CreatedAt": now().timestamp(),
            **environment.last_update,
            "Status": "FAILED" if error else "SUCCESS",
            **({"Error": {"ErrorCode": _FAILED, "ErrorMessage": error}} if error else {}),
        }

    def remove(self, environment: Environment) -> None:
        """Forget an environment."""
        environment.status = "DELETED"
        with self._lock:
            self._environments.pop((environment.place, environment.name), None)


def check(name: str, properties: Properties, place: Place) -> None:
    """Raise StackError for what MWAA refuses when an environment is created or updated."""
    if not NAME.fullmatch(name):
        raise StackError(f"Environment name {name} must match ^[a-zA-Z][0-9a-zA-Z-_]*$ and have at most 80 characters")
    merged = {**_DEFAULTS, **properties}
    if int(merged["MinWorkers"]) > int(merged["MaxWorkers"]):
        raise StackError("MinWorkers must be less than or equal to MaxWorkers")
    for option in properties.get("AirflowConfigurationOptions") or {}:
        if len(str(option)) > _LONGEST_OPTION:
            raise StackError(f"The Airflow configuration option {option} has more than {_LONGEST_OPTION} characters")
    _check_network(properties.get("NetworkConfiguration") or {}, place)
    _check_role(str(properties.get("ExecutionRoleArn", "")), place)
    _check_code(properties, place)


def _check_network(network: Properties, place: Place) -> None:
    backend = ec2_backends[place.account][place.region]
    subnets = [str(subnet) for subnet in network.get("SubnetIds") or ()]
    if len(subnets) != _SUBNETS:
        raise StackError(f"NetworkConfiguration must have {_SUBNETS} SubnetIds")
    try:
        zones = {backend.get_subnet(subnet).availability_zone for subnet in subnets}
    except ServiceException as error:
        raise StackError(str(error.message)) from error
    if len(zones) != _SUBNETS:
        raise StackError("The two subnets must be in different availability zones")
    for group in network.get("SecurityGroupIds") or ():
        if backend.get_security_group_from_id(str(group)) is None:
            raise StackError(f"The security group '{group}' does not exist")


def _check_role(arn: str, place: Place) -> None:
    roles = iam_backends[place.account][get_partition(place.region)].get_roles()
    if arn not in {str(role.arn) for role in roles}:
        raise StackError(f"The execution role {arn} does not exist")


def _check_code(properties: Properties, place: Place) -> None:
    backend = s3_backends[place.account][get_partition(place.region)]
    bucket = backend.buckets.get(str(properties.get("SourceBucketArn", "")).rpartition(":::")[2])
    if bucket is None:
        raise StackError(f"The source bucket {properties.get('SourceBucketArn')} does not exist")
    if bucket.region_name != place.region:
        raise StackError(f"The bucket {bucket.name} is in {bucket.region_name}; it must be in {place.region}")
    if bucket.versioning_status != "Enabled":
        raise StackError(f"The bucket {bucket.name} must have versioning enabled")
    for path, version in _CODE:
        key = properties.get(path)
        if key and backend.get_object(bucket.name, str(key), version_id=_version(properties, version)) is None:
            wanted = properties.get(version)
            raise StackError(f"Unable to read {key} in bucket {bucket.name}, version {wanted}: it does not exist")


def _version(properties: Properties, name: str) -> str | None:
    return str(properties[name]) if name in properties else None


def _texts(given: Any) -> dict[str, str]:  # noqa: ANN401 - a template's JSON
    return {
        str(key): str(value).lower() if isinstance(value, bool) else str(value) for key, value in (given or {}).items()
    }
