"""What holds for every template: its parameters, encryption, retention, names, and narrow permissions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from contactsync.stacks.stack_file import read_stacks

INFRA = Path(__file__).parents[2] / "infra"
TEMPLATES: Any = read_stacks(INFRA).templates
RESOURCES = [(template, name) for template in TEMPLATES for name in TEMPLATES[template]["Resources"]]
PARAMETERS = [(template, name) for template in TEMPLATES for name in TEMPLATES[template]["Parameters"]]

KEPT: Final = frozenset(
    {
        *("AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::S3::Bucket"),
        "AWS::SecretsManager::Secret",
    }
)
"""What holds data, and stays when its stack is deleted."""

NOT_KEPT: Final = {("alarms.yaml", "AlarmsKey"): "SNS keeps no message that it has delivered, so nothing needs the key"}
"""What goes with its stack, each with its reason."""

ON_ALL_RESOURCES: Final = {
    "cloudwatch:PutMetricData": "metrics have no ARN; MWAA does not say which namespaces it writes to",
    "logs:DescribeLogGroups": "AWS knows no narrower resource for this list",
    "organizations:ListAccounts": "AWS knows no resource for it",
    "organizations:ListAWSServiceAccessForOrganization": "AWS knows no resource for it",
    "organizations:ListRoots": "AWS knows no resource for it",
    "s3:GetAccountPublicAccessBlock": "it is about the account, and MWAA asks for it",
    "ssm:CreateOpsItem": "AWS knows no resource for it",
    "xray:PutTraceSegments": "AWS knows no resource for it",
    "xray:PutTelemetryRecords": "AWS knows no resource for it",
}
"""What roles may do on every resource, each with its reason."""

ONLY_NAMES: Final = "alarms hold names of queues and functions only, and CloudWatch cannot publish with alias/aws/sns"
NOT_ENCRYPTED: Final = {("bus.yaml", "AlarmsTopic"): ONLY_NAMES, ("trigger.yaml", "AlarmsTopic"): ONLY_NAMES}
"""What is not encrypted, each with its reason."""

OWN_NAMES: Final = (
    "contactsync-${Environment}-",
    "/aws/lambda/contactsync-${Environment}-",
    "airflow-contactsync-${Environment}-",
)
"""How names begin; Lambda and MWAA choose those of log groups."""


def resource(template: str, name: str) -> dict[str, Any]:
    """Return a resource of a template."""
    found: dict[str, Any] = TEMPLATES[template]["Resources"][name]
    return found


def properties(template: str, name: str) -> dict[str, Any]:
    """Return its properties."""
    found: dict[str, Any] = resource(template, name).get("Properties", {})
    return found


def of_type(*types: str) -> list[tuple[str, str]]:
    """List the resources of these types."""
    return [(template, name) for template, name in RESOURCES if resource(template, name)["Type"] in types]


def statements(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the statements of all policies in a role's properties, under whatever condition they are."""
    if isinstance(content, list):
        for one in content:
            yield from statements(one)
    elif isinstance(content, dict):
        if "Effect" in content:
            yield content
        else:
            yield from statements(list(content.values()))


def listed(content: Any) -> list[Any]:
    """Return what is one thing or a list of things as a list."""
    return content if isinstance(content, list) else [content]


@pytest.mark.parametrize(("template", "name"), PARAMETERS)
def test_parameters(template: str, name: str) -> None:
    """Each parameter has a description, and says which values it takes."""
    declaration = TEMPLATES[template]["Parameters"][name]
    assert declaration["Description"].strip()
    bounds = {"MinValue", "MaxValue"} <= set(declaration)
    assert bounds or {"AllowedPattern", "AllowedValues"} & set(declaration)


@pytest.mark.parametrize("name", sorted({name for _, name in PARAMETERS}))
def test_one_meaning(name: str) -> None:
    """A parameter takes the same values in every template that has it, so that one value can be given for all."""
    declared = [template["Parameters"][name] for template in TEMPLATES.values() if name in template["Parameters"]]
    values = [str(one.get("AllowedPattern", one.get("AllowedValues", one.get("MinValue")))) for one in declared]
    assert len({value.removeprefix("(").removesuffix(")?") for value in values}) == 1


@pytest.mark.parametrize(("template", "name"), of_type(*KEPT))
def test_kept(template: str, name: str) -> None:
    """What holds data stays when its stack is deleted, unless creating it failed; exceptions have a reason."""
    found = resource(template, name)
    policies = (found["DeletionPolicy"], found["UpdateReplacePolicy"])
    is_kept = (template, name) not in NOT_KEPT
    assert policies == (("RetainExceptOnCreate", "Retain") if is_kept else ("Delete", "Delete"))


@pytest.mark.parametrize(("template", "name"), of_type("AWS::Logs::LogGroup"))
def test_log_retention(template: str, name: str) -> None:
    """Logs are kept for as long as the parameter says."""
    assert properties(template, name)["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize(("template", "name"), of_type("AWS::Lambda::Function"))
def test_function_logs(template: str, name: str) -> None:
    """A function writes into a log group of its template, not into one that Lambda makes and keeps for ever."""
    group = properties(template, name)["LoggingConfig"]["LogGroup"]["Ref"]
    assert resource(template, group)["Type"] == "AWS::Logs::LogGroup"


ENCRYPTION: Final = {
    "AWS::DynamoDB::Table": lambda of: of["SSESpecification"]["SSEEnabled"] is True,
    "AWS::KMS::Key": lambda of: of["EnableKeyRotation"] is True,
    "AWS::S3::Bucket": lambda of: bool(of["BucketEncryption"]["ServerSideEncryptionConfiguration"]),
    "AWS::SNS::Topic": lambda of: bool(of.get("KmsMasterKeyId")),
    "AWS::SQS::Queue": lambda of: of["SqsManagedSseEnabled"] is True,
    "AWS::SecretsManager::Secret": lambda of: bool(of["KmsKeyId"]),
}


@pytest.mark.parametrize(("template", "name"), of_type(*ENCRYPTION))
def test_encrypted(template: str, name: str) -> None:
    """Everything is encrypted at rest, but for what the table of exceptions names."""
    kind = resource(template, name)["Type"]
    assert ENCRYPTION[kind](properties(template, name)) is ((template, name) not in NOT_ENCRYPTED)


@pytest.mark.parametrize(("template", "name"), of_type("AWS::S3::Bucket"))
def test_private_buckets(template: str, name: str) -> None:
    """No bucket can become public, and each refuses calls without TLS."""
    assert all(properties(template, name)["PublicAccessBlockConfiguration"].values())
    assert len(properties(template, name)["PublicAccessBlockConfiguration"]) == 4
    policies = [properties(*one) for one in of_type("AWS::S3::BucketPolicy") if one[0] == template]
    (policy,) = [one for one in policies if one["Bucket"] == {"Ref": name}]
    assert any(
        one["Effect"] == "Deny" and one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for one in statements(policy["PolicyDocument"])
    )


@pytest.mark.parametrize(("template", "name"), of_type("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"))
def test_narrow(template: str, name: str) -> None:
    """No role may do everything, and on every resource it may do only what the table of reasons names."""
    for statement in statements(properties(template, name).get("Policies", [])):
        if statement["Effect"] == "Allow":
            actions = listed(statement["Action"])
            assert not [action for action in actions if action.endswith(":*") or action == "*"]
            assert "NotAction" not in statement
            if "*" in listed(statement.get("Resource")):
                assert set(actions) <= set(ON_ALL_RESOURCES)


def test_reasons_are_needed() -> None:
    """Each exception is still one."""
    used = {
        action
        for one in of_type("AWS::IAM::Role")
        for statement in statements(properties(*one).get("Policies", []))
        if statement["Effect"] == "Allow" and "*" in listed(statement.get("Resource"))
        for action in listed(statement["Action"])
    }
    assert used == set(ON_ALL_RESOURCES)
    assert {*NOT_ENCRYPTED, *NOT_KEPT} <= set(RESOURCES)


NAMES: Final = ("Name", "TableName", "BucketName", "TopicName", "QueueName", "FunctionName", "RoleName", "GroupName")


@pytest.mark.parametrize(("template", "name"), RESOURCES)
def test_names(template: str, name: str) -> None:
    """Each name begins with the product and the environment, so that several environments fit into one account."""
    for key in (*NAMES, "LogGroupName"):
        match properties(template, name).get(key):
            case {"Fn::Sub": str(text)}:
                assert text == "contactsync-${Environment}" or text.startswith(OWN_NAMES)
            case str(text):
                pytest.fail(f"{key} {text!r} is the same in every environment")
