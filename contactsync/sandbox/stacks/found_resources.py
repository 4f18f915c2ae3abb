"""Finds the resource of a type that has a name, so that a second one is refused, or the first one is imported."""

from collections.abc import Callable, Mapping
from typing import Any

from moto.awslambda.utils import get_backend
from moto.cloudtrail.models import cloudtrail_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.exceptions import ServiceException
from moto.dynamodb.models import dynamodb_backends
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.utilities.utils import get_partition
from werkzeug.exceptions import HTTPException

from contactsync.sandbox.stacks import mwaa_type
from contactsync.sandbox.stacks.resource_rules import IMPORT_IDENTIFIERS
from contactsync.sandbox.stacks.stack_records import Place

Finder = Callable[[Place, str], Any]
_NOT_FOUND = (KeyError, ServiceException, HTTPException)


def found(type_name: str, name: str, place: Place) -> Any:  # noqa: ANN401 - moto's object
    """Return moto's object of this type and name, or None; always None for types that are not found by a name."""
    finder = FINDERS.get(type_name)
    if finder is None or not name:
        return None
    try:
        return finder(place, name)
    except _NOT_FOUND:
        return None


def import_identifier(type_name: str) -> str | None:
    """Return the property by which an import names a resource of the type; None when it cannot be imported."""
    return IMPORT_IDENTIFIERS.get(type_name) if type_name in FINDERS else None


def _queue(place: Place, name: str) -> Any:  # noqa: ANN401 - moto's object
    return sqs_backends[place.account][place.region].queues.get(name.rpartition("/")[2])


def _topic(place: Place, name: str) -> Any:  # noqa: ANN401 - moto's object
    arn = f"arn:{get_partition(place.region)}:sns:{place.region}:{place.account}:{name.rpartition(':')[2]}"
    return sns_backends[place.account][place.region].topics.get(arn)


def _secret(place: Place, name: str) -> Any:  # noqa: ANN401 - moto's object
    return secretsmanager_backends[place.account][place.region].secrets.get(name)


def _managed_policy(place: Place, name: str) -> Any:  # noqa: ANN401 - moto's object
    partition = get_partition(place.region)
    arn = name if name.startswith("arn:") else f"arn:{partition}:iam::{place.account}:policy/{name}"
    return iam_backends[place.account][partition].managed_policies.get(arn)


def _environment(place: Place, name: str) -> Any:  # noqa: ANN401 - of any type
    environments = mwaa_type.handover.part
    return environments.find(name, place) if environments else None


FINDERS: Mapping[str, Finder] = {
    "AWS::CloudTrail::Trail": lambda place, name: cloudtrail_backends[place.account][place.region].trails.get(name),
    "AWS::MWAA::Environment": _environment,
    "AWS::CloudWatch::Alarm": lambda place, name: cloudwatch_backends[place.account][place.region].alarms.get(name),
    "AWS::CloudWatch::Dashboard": lambda place, name: cloudwatch_backends[place.account][place.region].dashboards.get(
        name
    ),
    "AWS::DynamoDB::Table": lambda place, name: dynamodb_backends[place.account][place.region].tables.get(name),
    "AWS::Events::Rule": lambda place, name: events_backends[place.account][place.region].describe_rule(name, None),
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::Role": lambda place, name: iam_backends[place.account][get_partition(place.region)].get_role(name),
    "AWS::KMS::Key": lambda place, name: kms_backends[place.account][place.region].keys.get(name),
    "AWS::Lambda::Function": lambda place, name: get_backend(place.account, place.region).get_function(name),
    "AWS::Logs::LogGroup": lambda place, name: logs_backends[place.account][place.region].groups.get(name),
    "AWS::S3::Bucket": lambda place, name: s3_backends[place.account][get_partition(place.region)].buckets.get(name),
    "AWS::SecretsManager::Secret": _secret,
    "AWS::SNS::Topic": _topic,
    "AWS::SQS::Queue": _queue,
}
