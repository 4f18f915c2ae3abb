"""infra/trigger.yaml: what its function may do and keep, and what its parameters switch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.stacks.templates import TemplateError, check_value, load

INFRA = Path(__file__).parents[2] / "infra"
TEMPLATE = load(INFRA / "trigger.yaml")
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
NAME = "contactsync-local-trigger"


def properties(name: str) -> dict[str, Any]:
    """Return the properties of a resource."""
    found: dict[str, Any] = RESOURCES[name]["Properties"]
    return found


def statements() -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Yield what the function's role may do, each with its condition."""
    (policy,) = properties("TriggerRole")["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        match statement:
            case {"Fn::If": [condition, given, {"Ref": "AWS::NoValue"}]}:
                yield condition, given
            case _:
                yield None, statement


def test_least_privilege() -> None:
    """The role names its resources, but for traces, which have none; no action has a wildcard."""
    assert [one["Sid"] for _, one in statements() if one["Resource"] == "*"] == ["WriteTraces"]
    actions = [one["Action"] for _, one in statements()]
    assert "*" not in str(actions)


def test_traces_only_if_on() -> None:
    """The permission to write traces comes and goes with the traces."""
    assert {one["Sid"]: condition for condition, one in statements() if condition} == {"WriteTraces": "IsTraced"}
    assert properties("TriggerFunction")["TracingConfig"] == {"Mode": {"Ref": "Tracing"}}
    assert TEMPLATE["Conditions"]["IsTraced"] == {"Fn::Equals": [{"Ref": "Tracing"}, "Active"]}


@pytest.mark.parametrize("name", [name for name, one in RESOURCES.items() if one["Type"] == "AWS::SQS::Queue"])
def test_queues(name: str) -> None:
    """A queue with dead letters is encrypted, keeps them for 14 days, and stays when the stack is deleted."""
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert properties(name)["SqsManagedSseEnabled"] is True
    assert properties(name)["MessageRetentionPeriod"] == 14 * 86_400


def test_every_way_has_dead_letters() -> None:
    """What EventBridge cannot deliver and what the function fails on are both kept."""
    (target,) = properties("ContactChangeRule")["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["RuleDeadLetters", "Arn"]}}
    failed = properties("TriggerInvocations")["DestinationConfig"]["OnFailure"]
    assert failed == {"Destination": {"Fn::GetAtt": ["TriggerDeadLetters", "Arn"]}}


def test_logs() -> None:
    """The log group is the function's own, has the retention of the parameter, and stays."""
    assert properties("TriggerLogs")["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert RESOURCES["TriggerLogs"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert properties("TriggerFunction")["LoggingConfig"]["LogGroup"] == {"Ref": "TriggerLogs"}


@pytest.mark.parametrize(("value", "allowed"), [("", True), ("1", True), ("1000", True), ("0", False), ("-1", False)])
def test_reservation(value: str, allowed: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """No reservation is an empty text; 0, which would stop the function, is refused."""
    declaration = TEMPLATE["Parameters"]["ReservedConcurrency"]
    if allowed:
        check_value("trigger.yaml", "ReservedConcurrency", value, declaration)
    else:
        with pytest.raises(TemplateError, match="ReservedConcurrency"):
            check_value("trigger.yaml", "ReservedConcurrency", value, declaration)


def deployed(**parameters: str) -> tuple[dict[str, Any], str]:
    """Return the function as Lambda describes it, and its role's policy, deployed with parameters."""
    scenario = Scenario.model_validate({"organization": {"accounts": 1}})
    with Sandbox(scenario, templates=INFRA, parameters=parameters) as sandbox:
        session, url = sandbox.session(), sandbox.endpoint_url
        function = session.client("lambda", endpoint_url=url).get_function(FunctionName=NAME)
        policy = session.client("iam", endpoint_url=url).get_role_policy(RoleName=NAME, PolicyName="trigger")
        return function, str(policy["PolicyDocument"])


def test_default() -> None:
    """By default the function may write traces, and has no reserved concurrency; moto takes no TracingConfig."""
    function, policy = deployed()
    assert "xray:PutTraceSegments" in policy
    assert not function.get("Concurrency", {}).get("ReservedConcurrentExecutions")


def test_chosen() -> None:
    """The parameters take the permission for traces away, and reserve executions."""
    function, policy = deployed(Tracing="PassThrough", ReservedConcurrency="5")
    assert "xray" not in policy
    assert function["Concurrency"]["ReservedConcurrentExecutions"] == 5
