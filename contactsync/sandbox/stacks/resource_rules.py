"""What CloudFormation knows of each resource type of our templates: names, and properties that need a replacement.

From the CloudFormation registry (createOnlyProperties, primaryIdentifier); a test compares them with cfn-lint's copy.
"""

from collections.abc import Mapping
from typing import Final

CREATE_ONLY: Final[Mapping[str, tuple[str, ...]]] = {
    "AWS::ApiGateway::Deployment": ("DeploymentCanarySettings", "RestApiId"),
    "AWS::ApiGateway::Method": ("RestApiId", "ResourceId", "HttpMethod"),
    "AWS::ApiGateway::Resource": ("PathPart", "ParentId", "RestApiId"),
    "AWS::ApiGateway::Stage": ("RestApiId", "StageName"),
    "AWS::Chatbot::MicrosoftTeamsChannelConfiguration": ("TeamId", "TeamsTenantId", "ConfigurationName"),
    "AWS::Chatbot::SlackChannelConfiguration": ("SlackWorkspaceId", "ConfigurationName"),
    "AWS::CloudTrail::Trail": ("TrailName",),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::DynamoDB::Table": ("TableName", "ImportSourceSpecification", "KeySchema"),
    "AWS::EC2::EIP": ("NetworkBorderGroup", "TransferAddress", "IpamPoolId", "Address"),
    "AWS::EC2::NatGateway": (
        "VpcId", "SubnetId", "ConnectivityType", "AllocationId", "PrivateIpAddress", "AvailabilityMode",
    ),
    "AWS::EC2::Route": (
        "RouteTableId", "DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId",
    ),
    "AWS::EC2::RouteTable": ("VpcId",),
    "AWS::EC2::SecurityGroup": ("GroupDescription", "GroupName", "VpcId"),
    "AWS::EC2::SecurityGroupIngress": (
        "GroupName", "IpProtocol", "SourceSecurityGroupId", "SourcePrefixListId", "ToPort", "CidrIp",
        "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "FromPort", "GroupId", "CidrIpv6",
    ),
    "AWS::EC2::Subnet": (
        "VpcId", "AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "OutpostArn", "Ipv6Native", "Ipv4IpamPoolId",
        "Ipv4NetmaskLength", "Ipv6IpamPoolId", "Ipv6NetmaskLength",
    ),
    "AWS::EC2::SubnetRouteTableAssociation": ("SubnetId", "RouteTableId"),
    "AWS::EC2::VPC": ("CidrBlock", "Ipv4IpamPoolId", "Ipv4NetmaskLength"),
    "AWS::EC2::VPCEndpoint": (
        "ServiceName", "VpcEndpointType", "VpcId", "ServiceNetworkArn", "ResourceConfigurationArn", "ServiceRegion",
    ),
    "AWS::EC2::VPCGatewayAttachment": ("VpcId",),
    "AWS::Events::Rule": ("Name", "EventBusName"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "Description", "Path"),
    "AWS::IAM::Role": ("Path", "RoleName"),
    "AWS::Lambda::EventInvokeConfig": ("FunctionName", "Qualifier"),
    "AWS::Lambda::EventSourceMapping": (
        "EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "SelfManagedEventSource",
    ),
    "AWS::Lambda::Function": ("FunctionName", "PackageType", "TenancyConfig"),
    "AWS::Lambda::Permission": (
        "FunctionName", "FunctionUrlAuthType", "InvokedViaFunctionUrl", "SourceAccount", "SourceArn", "Principal",
        "PrincipalOrgID", "Action", "EventSourceToken",
    ),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::MWAA::Environment": ("Name", "KmsKey", "NetworkConfiguration/SubnetIds", "EndpointManagement"),
    "AWS::Notifications::ChannelAssociation": ("Arn", "NotificationConfigurationArn"),
    "AWS::Notifications::EventRule": ("EventType", "NotificationConfigurationArn", "Source"),
    "AWS::Notifications::NotificationConfiguration": ("Tags",),
    "AWS::Notifications::NotificationHub": ("Region",),
    "AWS::NotificationsContacts::EmailContact": ("EmailAddress", "Name", "Tags"),
    "AWS::S3::Bucket": ("BucketName", "BucketNamePrefix", "BucketNamespace"),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::SNS::Subscription": ("Endpoint", "Protocol", "TopicArn"),
    "AWS::SNS::Topic": ("TopicName", "FifoTopic"),
    "AWS::SQS::Queue": ("FifoQueue", "QueueName"),
    "AWS::SecretsManager::Secret": ("Name",),
}  # fmt: skip
"""Paths below Properties; a change of one replaces the resource. Types without such properties are left out."""

NAMES: Final[Mapping[str, str]] = {
    "AWS::CloudTrail::Trail": "TrailName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::MWAA::Environment": "Name",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}
"""The property that names a resource; two resources of one type cannot have one name."""

IMPORT_IDENTIFIERS: Final[Mapping[str, str]] = {
    **NAMES,
    "AWS::IAM::ManagedPolicy": "PolicyArn",
    "AWS::KMS::Key": "KeyId",
    "AWS::SecretsManager::Secret": "Id",
    "AWS::SNS::Topic": "TopicArn",
    "AWS::SQS::Queue": "QueueUrl",
}
"""The property that an import names a resource by."""

WITHOUT_TAGS: Final = frozenset(
    {
        "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Method", "AWS::ApiGateway::Resource", "AWS::EC2::Route",
        "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPCGatewayAttachment",
        "AWS::IAM::ManagedPolicy", "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Permission",
        "AWS::Notifications::ChannelAssociation",
        "AWS::Notifications::EventRule", "AWS::Notifications::NotificationHub", "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy",
    }
)  # fmt: skip
"""The types that get no tags of their stack."""

KEEPING: Final = ("Retain", "RetainExceptOnCreate")
"""The values of DeletionPolicy with which a resource outlives its stack, and can be imported."""
