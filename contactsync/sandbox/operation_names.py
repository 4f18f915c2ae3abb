"""The names of AWS services and operations: a fault, quota or latency for an unknown name would have no effect."""

import functools
from collections.abc import Iterable
from typing import Final

from contactsync.isolation import isolated_session
from contactsync.sandbox.settings_model import nearest

SIMULATED: Final = (
    "account", "organizations", "dynamodb", "dynamodbstreams", "sts", "sns", "sqs", "lambda", "mwaa", "events",
    "cloudtrail", "cloudformation", "cloudwatch", "logs", "iam", "s3", "ssm", "kms", "secretsmanager",
    "notifications", "notificationscontacts", "chatbot",
)  # fmt: skip
"""The services that are searched when an operation is named without its service."""


def check_service(service: str) -> None:
    """Raise ValueError, with the nearest name, for a service that the SDK does not have."""
    services = _services()
    if service not in services:
        message = f"{service} is no service of the SDK; {nearest(service, services, 'there are')}"
        raise ValueError(message)


def check_operation(operation: str, services: Iterable[str] = SIMULATED) -> None:
    """Raise ValueError, with the nearest name, for an operation that none of the services has."""
    wanted = tuple(services)
    if any(operation in operations_of(service) for service in wanted):
        return
    names = {name for service in wanted for name in operations_of(service)}
    owner = wanted[0] if len(wanted) == 1 else "any simulated service"
    message = f"{operation} is no operation of {owner}; {nearest(operation, names, 'there are')}"
    raise ValueError(message)


@functools.cache
def operations_of(service: str) -> frozenset[str]:
    """Return the names of the service's operations in the installed SDK."""
    model = isolated_session().get_service_model(service)
    return frozenset(map(str, model.operation_names))


@functools.cache
def _services() -> frozenset[str]:
    return frozenset(isolated_session().get_available_services())
