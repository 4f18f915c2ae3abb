"""CloudFormation types that moto lacks and our templates use, and those that are accepted without effect."""

import json
from collections.abc import Mapping
from typing import Any

from moto.awslambda.models import EventInvokeConfig
from moto.awslambda.utils import get_backend
from moto.cloudformation import parsing
from moto.cloudtrail.models import cloudtrail_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import LogGroup
from moto.secretsmanager.models import secretsmanager_backends
from moto.secretsmanager.utils import random_password
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from contactsync.sandbox.handover import Attribute, Entry, Handover
from contactsync.sandbox.stacks.added_resource import AddedResource

# type -> why it needs no effect in the sandbox
WITHOUT_EFFECT: Mapping[str, str] = {
    "AWS::ApiGateway::Stage": "the sandbox has no HTTP endpoint for an API; its function is invoked directly",
    "AWS::S3::BucketPolicy": "restricts by TLS and by caller; the sandbox speaks HTTP, and lets every caller in",
    "AWS::Logs::MetricFilter": "makes metrics of log lines; nothing reads them in the sandbox",
}


class QueuePolicy(AddedResource):
    """AWS::SQS::QueuePolicy: replaces the policy of each queue it names."""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name of the type."""
        return "AWS::SQS::QueuePolicy"

    @classmethod
    def apply(cls, name: str, properties: Mapping[str, Any], account: str, region: str) -> str:
        """Set the policy; queues are given by URL, which is what Ref of a queue returns."""
        for url in properties["Queues"]:
            queue = sqs_backends[account][region].get_queue(url.rpartition("/")[2])
            queue.policy = _document(properties["PolicyDocument"])
        return name


class FunctionEventInvokeConfig(AddedResource):
    """AWS::Lambda::EventInvokeConfig: retries, maximum age and destinations of asynchronous invocations."""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name of the type."""
        return "AWS::Lambda::EventInvokeConfig"

    @classmethod
    def apply(cls, name: str, properties: Mapping[str, Any], account: str, region: str) -> str:
        """Replace the function's configuration; moto's own call would keep the first one."""
        function = get_backend(account, region).get_function(properties["FunctionName"])
        known = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
        config = {key: properties[key] for key in known if key in properties}
        for key in known[:2]:
            if key in config:
                config[key] = int(config[key])
        function.event_invoke_config = [EventInvokeConfig(function.function_arn, function.last_modified, config)]
        return name


class MetricAlarm(AddedResource):
    """AWS::CloudWatch::Alarm: an alarm on one metric; moto stores its state, but never computes it."""

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return the name of the property that names the alarm."""
        return "AlarmName"

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name of the type."""
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Return whether the attribute is the ARN, the only one that Fn::GetAtt can read."""
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:  # noqa: ARG002 - has_cfn_attr lets only Arn pass
        """Return the ARN."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{self.physical_resource_id}"

    @classmethod
    def apply(cls, name: str, properties: Mapping[str, Any], account: str, region: str) -> str:
        """Create or replace the alarm; properties about several metrics are ignored."""
        cloudwatch_backends[account][region].put_metric_alarm(
            name=name,
            namespace=properties.get("Namespace", ""),
            metric_name=properties.get("MetricName", ""),
            comparison_operator=properties["ComparisonOperator"],
            evaluation_periods=int(properties["EvaluationPeriods"]),
            period=int(properties.get("Period", 60)),
            threshold=float(properties.get("Threshold", 0)),
            statistic=properties.get("Statistic", ""),
            description=properties.get("AlarmDescription", ""),
            dimensions=properties.get("Dimensions", []),
            alarm_actions=properties.get("AlarmActions", []),
            ok_actions=properties.get("OKActions", []),
            insufficient_data_actions=properties.get("InsufficientDataActions", []),
            treat_missing_data=properties.get("TreatMissingData"),
        )
        return name


class CloudTrailTrail(AddedResource):
    """AWS::CloudTrail::Trail: moto stores it; the sandbox's events of contact changes come without one."""

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return the name of the property that names the trail."""
        return "TrailName"

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name of the type."""
        return "AWS::CloudTrail::Trail"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Return whether the attribute is the ARN, the only one that Fn::GetAtt can read."""
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:  # noqa: ARG002 - has_cfn_attr lets only Arn pass
        """Return the ARN."""
        return str(cloudtrail_backends[self.account][self.region].get_trail(self.physical_resource_id).arn)

    @classmethod
    def apply(cls, name: str, properties: Mapping[str, Any], account: str, region: str) -> str:
        """Create or replace the trail."""
        backend = cloudtrail_backends[account][region]
        trail = backend.create_trail(
            name,
            bucket_name=properties["S3BucketName"],
            s3_key_prefix=properties.get("S3KeyPrefix", ""),
            sns_topic_name=properties.get("SnsTopicName", ""),
            is_global=_is_true(properties.get("IncludeGlobalServiceEvents")),
            is_multi_region=_is_true(properties.get("IsMultiRegionTrail")),
            log_validation=_is_true(properties.get("EnableLogFileValidation")),
            is_org_trail=_is_true(properties.get("IsOrganizationTrail")),
            cw_log_group_arn=properties.get("CloudWatchLogsLogGroupArn", ""),
            cw_role_arn=properties.get("CloudWatchLogsRoleArn", ""),
            kms_key_id=properties.get("KMSKeyId", ""),
            tags_list=properties.get("Tags", []),
        )
        trail.put_event_selectors(properties.get("EventSelectors", []), properties.get("AdvancedEventSelectors", []))
        if _is_true(properties["IsLogging"]):
            trail.start_logging()
        return name

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Delete the trail."""
        del cloudformation_json
        cloudtrail_backends[account_id][region_name].delete_trail(resource_name)


class TopicSubscription(AddedResource):
    """AWS::SNS::Subscription, with its filter policy, raw delivery and dead-letter queue."""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name of the type."""
        return "AWS::SNS::Subscription"

    @classmethod
    def apply(cls, name: str, properties: Mapping[str, Any], account: str, region: str) -> str:  # noqa: ARG003 - the interface of all types
        """Subscribe the endpoint and set the attributes."""
        backend = sns_backends[account][region]
        subscription = backend.subscribe(properties["TopicArn"], properties["Endpoint"], properties["Protocol"])
        # moto reads the filter policy by its scope, so the scope is set first
        for attribute in ("FilterPolicyScope", "FilterPolicy", "RedrivePolicy"):
            if attribute in properties:
                backend.set_subscription_attributes(subscription.arn, attribute, _document(properties[attribute]))
        subscription.attributes["RawMessageDelivery"] = str(properties.get("RawMessageDelivery")).lower() == "true"
        return str(subscription.arn)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Unsubscribe; the topic stays, because it can belong to another stack."""
        del cloudformation_json
        sns_backends[account_id][region_name].unsubscribe(resource_name)


class TopicPolicy(AddedResource):
    """AWS::SNS::TopicPolicy: replaces the policy of each topic it names."""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name of the type."""
        return "AWS::SNS::TopicPolicy"

    @classmethod
    def apply(cls, name: str, properties: Mapping[str, Any], account: str, region: str) -> str:
        """Set the policy."""
        for arn in properties["Topics"]:
            backend = sns_backends[account][region]
            backend.set_topic_attribute(arn, "Policy", _document(properties["PolicyDocument"]))
        return name


class Secret(AddedResource):
    """AWS::SecretsManager::Secret: with a string that is given, or a password that is generated once."""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the name of the type."""
        return "AWS::SecretsManager::Secret"

    @classmethod
    def apply(cls, name: str, properties: Mapping[str, Any], account: str, region: str) -> str:
        """Create the secret, and return its ARN, which is what Ref gives; one that is there keeps its string."""
        backend = secretsmanager_backends[account][region]
        secret_name = properties.get("Name", name)
        if secret_name in backend.secrets:
            return str(backend.secrets[secret_name].arn)
        created = backend.create_secret(
            name=secret_name,
            secret_string=properties.get("SecretString") or _generated(properties.get("GenerateSecretString", {})),
            secret_binary=None,
            description=properties.get("Description"),
            tags=properties.get("Tags"),
            kms_key_id=properties.get("KmsKeyId"),
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        return str(json.loads(created)["ARN"])


def _inert(type_name: str) -> type[AddedResource]:
    def cloudformation_type() -> str:
        return type_name

    members = {"cloudformation_type": staticmethod(cloudformation_type), "__module__": __name__}
    return type(type_name.replace("::", ""), (AddedResource,), members)


ADDED: list[type[AddedResource]] = [
    QueuePolicy,
    FunctionEventInvokeConfig,
    MetricAlarm,
    CloudTrailTrail,
    TopicSubscription,
    TopicPolicy,
    Secret,
]
_original_attribute_of_log_group = LogGroup.get_cfn_attribute


def _attribute_of_log_group(group: LogGroup, name: str) -> str:
    """Return the ARN as CloudFormation does: it ends with `:*`, so that policies reach the group's streams."""
    value = str(_original_attribute_of_log_group(group, name))
    return f"{value}:*" if name == "Arn" else value


_INERT = [_inert(type_name) for type_name in WITHOUT_EFFECT]

handover: Handover[None] = Handover(
    *(Entry(parsing.get_model_map, model.cloudformation_type(), model) for model in [*ADDED, *_INERT]),
    Entry(parsing.get_name_type_map, "AWS::CloudWatch::Alarm", "AlarmName"),
    Attribute(LogGroup, "get_cfn_attribute", _attribute_of_log_group),
)
"""Registers the types with moto's CloudFormation, which by itself finds only direct subclasses of its model."""


def is_known(type_name: str) -> bool:
    """Return whether a resource of this type can be created, or at least accepted."""
    known = type_name in parsing.get_model_map() or type_name in parsing.NULL_MODELS
    return known or type_name.startswith("Custom::")


def _generated(wanted: Mapping[str, Any]) -> str:
    """Return a password with the rules of GenerateSecretString, as far as our templates use them."""
    return str(
        random_password(
            int(wanted.get("PasswordLength", 32)),
            str(wanted.get("ExcludeCharacters", "")),
            *(_is_true(wanted.get(key)) for key in ("ExcludeNumbers", "ExcludePunctuation")),
            *(_is_true(wanted.get(key)) for key in ("ExcludeUppercase", "ExcludeLowercase", "IncludeSpace")),
            _is_true(wanted.get("RequireEachIncludedType", True)),
        )
    )


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _document(policy: object) -> str:
    return policy if isinstance(policy, str) else json.dumps(policy)
