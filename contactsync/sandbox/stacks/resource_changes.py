"""What moto's classes leave out when CloudFormation creates, changes or deletes a resource, by type."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.apigateway.models import apigateway_backends
from moto.awslambda.utils import get_backend
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import camelcase_to_underscores
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.cloud_formation import cfn_to_api_encryption
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.utilities.utils import get_partition

from contactsync.sandbox.stacks.stack_records import Place, Resource, StackError

Properties = Mapping[str, Any]
Change = Callable[[Any, Properties, Place], object]
Deletion = Callable[[Resource, Place], object]
_KEY_DAYS = 30  # that a deleted key can still be rescued
_NO_LIST: list[Any] = []


def is_true(value: object) -> bool:
    """Return whether a template's value is true, which can also be a text."""
    return str(value).lower() == "true"


def _table(table: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    backend = dynamodb_backends[place.account][place.region]
    backend.update_table(
        table.name,
        attr_definitions=properties.get("AttributeDefinitions", _NO_LIST),
        global_index=_index_updates(table, properties),
        throughput=properties.get("ProvisionedThroughput"),
        billing_mode=properties.get("BillingMode", "PROVISIONED"),
        stream_spec=properties.get("StreamSpecification"),
        deletion_protection_enabled=is_true(properties.get("DeletionProtectionEnabled")),
        warm_throughput=None,
    )
    recovery = properties.get("PointInTimeRecoverySpecification") or {}
    enabled = is_true(recovery.get("PointInTimeRecoveryEnabled"))
    backend.update_continuous_backups(table.name, {"PointInTimeRecoveryEnabled": enabled})
    if expiry := properties.get("TimeToLiveSpecification"):
        enabled = is_true(expiry.get("Enabled"))
        backend.update_time_to_live(table.name, {"AttributeName": expiry["AttributeName"], "Enabled": enabled})
    if table.sse_specification:  # DescribeTable reads the API's name of it, and templates have another one
        table.sse_specification["Enabled"] = is_true(table.sse_specification.get("SSEEnabled"))


def _index_updates(table: Any, properties: Properties) -> list[dict[str, Any]]:  # noqa: ANN401 - moto's object
    wanted = {str(index["IndexName"]): index for index in properties.get("GlobalSecondaryIndexes") or []}
    present = {str(index.name) for index in table.global_indexes}
    added = [{"Create": index} for name, index in wanted.items() if name not in present]
    return added + [{"Delete": {"IndexName": name}} for name in sorted(present - wanted.keys())]


def _bucket(bucket: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    backend = s3_backends[place.account][get_partition(place.region)]
    versioning = properties.get("VersioningConfiguration") or {}
    if versioning:
        backend.put_bucket_versioning(bucket.name, versioning.get("Status"))
    elif bucket.versioning_status:
        backend.put_bucket_versioning(bucket.name, "Suspended")
    blocked = properties.get("PublicAccessBlockConfiguration")
    if blocked:
        blocked = {key: str(is_true(value)).lower() for key, value in blocked.items()}
        backend.put_public_access_block(bucket.name, blocked)
    if encryption := properties.get("BucketEncryption"):
        backend.put_bucket_encryption(bucket.name, cfn_to_api_encryption(encryption))
    rules = (properties.get("LifecycleConfiguration") or {}).get("Rules") or _NO_LIST
    bucket.set_lifecycle([_lifecycle_rule(rule) for rule in rules])


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    """Return a rule in the form of S3's API."""
    expiration = {
        name: value
        for name, value in (
            ("Days", rule.get("ExpirationInDays")),
            ("Date", rule.get("ExpirationDate")),
            ("ExpiredObjectDeleteMarker", rule.get("ExpiredObjectDeleteMarker")),
        )
        if value is not None
    }
    kept = ("Status", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
    answer = {"ID": rule.get("Id", ""), "Filter": {"Prefix": rule.get("Prefix", "")}}
    answer |= {name: rule[name] for name in kept if name in rule}
    return answer | ({"Expiration": expiration} if expiration else {})


def _log_group(group: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    del place
    days = properties.get("RetentionInDays")
    group.set_retention_policy(None if days is None else int(days))


def _role(role: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    role.assume_role_policy_document = document(properties["AssumeRolePolicyDocument"])
    role.description = properties.get("Description", "")
    role.max_session_duration = int(properties.get("MaxSessionDuration", 3600))
    wanted = {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies") or []}
    for name in set(role.policies) - wanted.keys():
        role.delete_policy(name)
    for name, policy in wanted.items():
        role.put_policy(name, policy)
    _attach(role, properties.get("ManagedPolicyArns") or _NO_LIST, place)


def _attach(role: Any, wanted: list[str], place: Place) -> None:  # noqa: ANN401 - moto's object
    """Attach managed policies; moto does not have those of AWS, which are left out."""
    backend = iam_backends[place.account][get_partition(place.region)]
    for arn in [arn for arn in list(role.managed_policies) if arn not in wanted]:
        backend.detach_role_policy(arn, role.name)
    for arn in wanted:
        if arn in backend.managed_policies and arn not in role.managed_policies:
            backend.attach_role_policy(arn, role.name)


def _managed_policy(policy: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    """Make a new version the only one; a policy can have five."""
    backend = iam_backends[place.account][get_partition(place.region)]
    backend.create_policy_version(policy.arn, document(properties["PolicyDocument"]), set_as_default=True)
    policy.versions = [version for version in policy.versions if version.is_default_version]


def _topic(topic: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    del place
    known = ("DisplayName", "KmsMasterKeyId", "DeliveryPolicy", "ContentBasedDeduplication")
    for name in known:
        if name in properties:
            setattr(topic, camelcase_to_underscores(name), properties[name])
        elif name in ("DisplayName", "KmsMasterKeyId"):
            setattr(topic, camelcase_to_underscores(name), "")


def _queue(queue: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    del place
    attributes = {name: value for name, value in properties.items() if name not in ("QueueName", "Tags")}
    if "RedrivePolicy" in attributes:
        attributes["RedrivePolicy"] = document(attributes["RedrivePolicy"])
    queue._set_attributes(attributes)  # noqa: SLF001 - moto's own SetQueueAttributes calls it


def _function(function: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    function.update_configuration({**properties, "Environment": {"Variables": variables}})
    code = dict(properties["Code"])
    if "ZipFile" in code:
        code["ZipFile"] = base64.b64encode(function._create_zipfile_from_plaintext_code(code["ZipFile"]))  # noqa: SLF001 - as moto does when it creates one
    function.update_function_code(code)
    backend = get_backend(place.account, place.region)
    reserved = properties.get("ReservedConcurrentExecutions")
    if reserved is None:
        backend.delete_function_concurrency(function.function_name)
    else:
        backend.put_function_concurrency(function.function_name, reserved)


def _key(key: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    backend = kms_backends[place.account][place.region]
    backend.put_key_policy(key.id, document(properties["KeyPolicy"]))
    key.description = properties.get("Description", "")
    key.key_rotation_status = is_true(properties.get("EnableKeyRotation"))
    key.enabled = is_true(properties.get("Enabled", True))


def _route(route: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    del route
    ec2_backends[place.account][place.region].replace_route(
        properties["RouteTableId"],
        properties["DestinationCidrBlock"],
        nat_gateway_id=properties.get("NatGatewayId"),
        gateway_id=properties.get("GatewayId"),
    )


def _endpoint(endpoint: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    del place
    endpoint.route_table_ids = list(properties.get("RouteTableIds") or [])
    endpoint.security_group_ids = list(properties.get("SecurityGroupIds") or [])


def _dashboard(dashboard: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    cloudwatch_backends[place.account][place.region].put_dashboard(dashboard.name, properties["DashboardBody"])


def _association(association: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    del association
    backend = ec2_backends[place.account][place.region]
    backend.associate_route_table(properties["RouteTableId"], subnet_id=properties["SubnetId"])


def _nothing(model: Any, properties: Properties, place: Place) -> None:  # noqa: ANN401 - moto's object
    del model, properties, place


def _check_code(properties: Properties, place: Place) -> None:
    """Refuse code in a bucket of another region, from which Lambda does not read."""
    name = str(properties["Code"].get("S3Bucket", ""))
    bucket = s3_backends[place.account][get_partition(place.region)].buckets.get(name)
    if bucket is not None and bucket.region_name != place.region:
        raise StackError(
            "Error occurred while GetObject. S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this "
            f"region: {bucket.region_name}. Please use this region to retry the request"
        )


CHECKED: Mapping[str, Callable[[Properties, Place], None]] = {"AWS::Lambda::Function": _check_code}
"""What AWS refuses and moto's classes do not, before a resource is created or changed."""

APPLIED: Mapping[str, Change] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::EC2::SubnetRouteTableAssociation": _association,
    "AWS::IAM::Role": _role,
    "AWS::S3::Bucket": _bucket,
}
"""Settings that moto's classes ignore when they create a resource, and have no other way to change."""

UPDATED: Mapping[str, Change] = {
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::EC2::Route": _route,
    "AWS::EC2::SecurityGroup": _nothing,  # moto would make another group; what can change without one is not simulated
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::Function": _function,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::SNS::Topic": _topic,
    "AWS::SQS::Queue": _queue,
}
"""Updates in place that moto's classes lack, or do by deleting the resource with its content."""


def _delete_table(resource: Resource, place: Place) -> None:
    backend = dynamodb_backends[place.account][place.region]
    if backend.get_table(resource.name).deletion_protection_enabled:
        raise StackError(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection "
            "first."
        )
    backend.delete_table(resource.name)


def _delete_bucket(resource: Resource, place: Place) -> None:
    backend = s3_backends[place.account][get_partition(place.region)]
    if backend.get_bucket(resource.name).keys:
        raise StackError("The bucket you tried to delete is not empty. You must delete all versions in the bucket.")
    backend.delete_bucket(resource.name)


def _delete_secret(resource: Resource, place: Place) -> None:
    backend = secretsmanager_backends[place.account][place.region]
    backend.delete_secret(resource.physical_id, recovery_window_in_days=None, force_delete_without_recovery=True)


def _delete_permission(resource: Resource, place: Place) -> None:
    function = get_backend(place.account, place.region).get_function(resource.properties["FunctionName"])
    arn, principal = resource.properties.get("SourceArn"), resource.properties.get("Principal")
    kept = [item for item in function.policy.statements if not _is_about(item, arn, principal)]
    function.policy.statements = kept


def _is_about(statement: Mapping[str, Any], arn: object, principal: object) -> bool:
    return (arn is None or json.dumps(arn) in json.dumps(statement)) and str(principal) in json.dumps(statement)


def _ec2(action: Callable[[Any, Resource], object]) -> Deletion:
    return lambda resource, place: action(ec2_backends[place.account][place.region], resource)


def _delete_endpoint(backend: Any, resource: Resource) -> None:  # noqa: ANN401 - moto's backend
    backend.delete_vpc_endpoints([resource.physical_id])


def _delete_association(backend: Any, resource: Resource) -> None:  # noqa: ANN401 - moto's backend
    table, subnet = resource.properties["RouteTableId"], resource.properties["SubnetId"]
    backend.subnet_associations.pop(f"{table}:{subnet}", None)
    associations = backend.get_route_table(table).associations
    for identifier in [item["RouteTableAssociationId"] for item in associations if item.get("SubnetId") == subnet]:
        backend.disassociate_route_table(identifier)


def _delete_ingress(backend: Any, resource: Resource) -> None:  # noqa: ANN401 - moto's backend
    group = backend.get_security_group_from_id(resource.properties["GroupId"])
    source, protocol = resource.properties.get("SourceSecurityGroupId"), str(resource.properties["IpProtocol"])
    if group is not None:
        group.ingress_rules = [rule for rule in group.ingress_rules if not _is_from(rule, source, protocol)]


def _is_from(rule: Any, source: object, protocol: str) -> bool:  # noqa: ANN401 - moto's object
    return str(rule.ip_protocol) == protocol and rule.source_group.get("GroupId") == source


def _delete_group(backend: Any, resource: Resource) -> None:  # noqa: ANN401 - moto's backend
    backend.delete_security_group(group_id=resource.physical_id)


DELETED: Mapping[str, Deletion] = {
    "AWS::ApiGateway::RestApi": lambda resource, place: apigateway_backends[place.account][place.region].apis.pop(
        resource.physical_id, None
    ),
    "AWS::CloudWatch::Alarm": lambda resource, place: cloudwatch_backends[place.account][place.region].delete_alarms(
        [resource.name]
    ),
    "AWS::DynamoDB::Table": _delete_table,
    "AWS::EC2::EIP": _ec2(
        lambda backend, resource: backend.release_address(allocation_id=resource.model.allocation_id)
    ),
    "AWS::EC2::InternetGateway": _ec2(lambda backend, resource: backend.delete_internet_gateway(resource.physical_id)),
    "AWS::EC2::NatGateway": _ec2(lambda backend, resource: backend.delete_nat_gateway(resource.physical_id)),
    "AWS::EC2::Route": _ec2(
        lambda backend, resource: backend.delete_route(
            resource.properties["RouteTableId"], resource.properties["DestinationCidrBlock"]
        )
    ),
    "AWS::EC2::RouteTable": _ec2(lambda backend, resource: backend.delete_route_table(resource.physical_id)),
    "AWS::EC2::SecurityGroup": _ec2(_delete_group),
    "AWS::EC2::SecurityGroupIngress": _ec2(_delete_ingress),
    "AWS::EC2::SubnetRouteTableAssociation": _ec2(_delete_association),
    "AWS::EC2::VPCEndpoint": _ec2(_delete_endpoint),
    "AWS::EC2::VPCGatewayAttachment": _ec2(
        lambda backend, resource: backend.detach_internet_gateway(
            resource.properties["InternetGatewayId"], resource.properties["VpcId"]
        )
    ),
    "AWS::IAM::ManagedPolicy": lambda resource, place: iam_backends[place.account][
        get_partition(place.region)
    ].delete_policy(resource.physical_id),
    "AWS::KMS::Key": lambda resource, place: kms_backends[place.account][place.region].schedule_key_deletion(
        resource.physical_id, _KEY_DAYS
    ),
    "AWS::Lambda::Permission": _delete_permission,
    "AWS::S3::Bucket": _delete_bucket,
    "AWS::SecretsManager::Secret": _delete_secret,
}
"""Deletions that moto's classes lack."""


def document(policy: object) -> str:
    """Return a policy as text."""
    return policy if isinstance(policy, str) else json.dumps(policy)
