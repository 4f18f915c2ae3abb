"""infra/monitoring.yaml: dashboard and alarms use metrics that somebody records, and all that the product records."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from contactsync.aws.metrics import NAMESPACE
from contactsync.errors import OperationMissingError
from contactsync.stacks.stack_file import read_stacks
from tests.integration.test_bus_template import recorded_metrics
from tests.support.builders import RUN
from tests.support.worlds.world import World

ROOT = Path(__file__).parents[2]
TEMPLATES: Any = read_stacks(ROOT / "infra").templates
RESOURCES: dict[str, dict[str, Any]] = TEMPLATES["monitoring.yaml"]["Resources"]
ALARMS = {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == "AWS::CloudWatch::Alarm"}
ALL_ALARMS = [
    (template, one["Properties"])
    for template in TEMPLATES
    for one in TEMPLATES[template]["Resources"].values()
    if one["Type"] == "AWS::CloudWatch::Alarm"
]
COLUMNS = 24

OF_AWS: Final[dict[tuple[str, str], set[str]]] = {
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): {"QueueName"},
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {"QueueName"},
    # https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    ("AWS/SNS", "NumberOfNotificationsFailed"): {"TopicName"},
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    ("AWS/Lambda", "Duration"): {"FunctionName"},
    ("AWS/Lambda", "Errors"): {"FunctionName"},
    ("AWS/Lambda", "Invocations"): {"FunctionName"},
    ("AWS/Lambda", "Throttles"): {"FunctionName"},
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    ("AWS/DynamoDB", "ReadThrottleEvents"): {"TableName"},
    ("AWS/DynamoDB", "WriteThrottleEvents"): {"TableName"},
    # https://docs.aws.amazon.com/mwaa/latest/userguide/access-metrics-cw-202.html
    ("AmazonMWAA", "DAGDurationFailed"): {"DAG", "Environment"},
    ("AmazonMWAA", "DAGDurationSuccess"): {"DAG", "Environment"},
    ("AmazonMWAA", "ImportErrors"): {"Function", "Environment"},
    ("AmazonMWAA", "QueuedTasks"): {"Function", "Environment"},
    ("AmazonMWAA", "RunningTasks"): {"Function", "Environment"},
    ("AmazonMWAA", "SchedulerHeartbeat"): {"Function", "Environment"},
    ("AmazonMWAA", "TaskInstanceFailures"): {"DAG", "Task", "Environment"},
    # https://docs.aws.amazon.com/mwaa/latest/userguide/accessing-metrics-cw-container-queue-db.html
    ("AWS/MWAA", "CPUUtilization"): {"Cluster", "Environment"},
    ("AWS/MWAA", "MemoryUtilization"): {"Cluster", "Environment"},
}
"""Metrics of AWS with the names of their dimensions."""

FUNCTIONS_OF_AIRFLOW: Final = {
    "ImportErrors": "DAG Processing",
    "QueuedTasks": "Executor",
    "RunningTasks": "Executor",
    "SchedulerHeartbeat": "Scheduler",
}
"""The value of MWAA's dimension Function, from the same page."""


def product_metrics() -> dict[str, set[str]]:
    """Return the metrics that the product records, with the names of their dimensions."""
    source = (ROOT / "contactsync" / "lambdas" / "subscriber.py").read_text(encoding="utf-8")
    of_subscribers = set(re.findall(r'self\._count\("(\w+)"', source))
    assert of_subscribers
    alone = {name: {"Environment"} for name in recorded_metrics() | reported_metrics()}
    return alone | {name: {"Environment", "service"} for name in of_subscribers}


def reported_metrics() -> set[str]:
    """Return the names that reports record, with and without a plan."""
    world = World.of(1, contact_types=["security"])
    for account_id in world.plan():
        world.sync(account_id)
    world.reporter.report(RUN, {}, has_plan=True)
    with pytest.raises(OperationMissingError):
        world.reporter.report(RUN, {}, has_plan=False)
    return set().union(*world.metrics.recorded)


def widgets() -> list[dict[str, Any]]:
    """Return the widgets of the dashboard, before its parameters have values."""
    found: list[dict[str, Any]] = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])[
        "widgets"
    ]
    return found


def drawn() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield each metric that a widget draws: namespace, name and dimensions."""
    for widget in widgets():
        for metric in widget["properties"].get("metrics", []):
            namespace, name, *rest = [part for part in metric if not isinstance(part, dict)]
            yield namespace, name, dict(zip(rest[::2], rest[1::2], strict=True))


def watched() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield each metric that an alarm of any template watches."""
    for _, alarm in ALL_ALARMS:
        stats = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
        for metric in stats or [alarm]:
            dimensions = {one["Name"]: str(one["Value"]) for one in metric["Dimensions"]}
            yield metric["Namespace"], metric["MetricName"], dimensions


@pytest.mark.parametrize("metrics", [drawn, watched])
def test_metrics_exist(metrics: Any) -> None:
    """Each metric is one that AWS or the product records, with the dimensions that it is recorded with."""
    ours = product_metrics()
    found = list(metrics())
    assert found
    for namespace, name, dimensions in found:
        known = ours[name] if namespace == NAMESPACE else OF_AWS[namespace, name]
        assert set(dimensions) == known, (namespace, name)
        assert "Function" not in dimensions or dimensions["Function"] == FUNCTIONS_OF_AIRFLOW[name]


def test_no_metric_is_hidden() -> None:
    """The dashboard draws everything that the product records, and docs/events.md explains it."""
    ours = set(product_metrics())
    assert {name for namespace, name, _ in drawn() if namespace == NAMESPACE} == ours
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Metrics\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    rows = "".join(line for line in section.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([A-Z]\w+)`", rows)) - {"Environment"} == ours


def test_watched_things_exist() -> None:
    """An alarm on a queue or a topic of its template names one that the template makes, by its name."""
    attributes = {"QueueName": "AWS::SQS::Queue", "TopicName": "AWS::SNS::Topic"}
    found = [
        (TEMPLATES[template]["Resources"], one["Name"], one["Value"]["Fn::GetAtt"])
        for template, alarm in ALL_ALARMS
        for one in alarm.get("Dimensions", [])
        if one["Name"] in attributes
    ]
    assert found
    for resources, dimension, (logical_id, attribute) in found:
        assert (resources[logical_id]["Type"], attribute) == (attributes[dimension], dimension)


def names_of(kind: str, key: str) -> set[str]:
    """Return the names of all resources of a type, before their parameters have values."""
    return {
        one["Properties"][key]["Fn::Sub"]
        for template in TEMPLATES.values()
        for one in template["Resources"].values()
        if one["Type"] == kind and key in one["Properties"]
    }


@pytest.mark.parametrize(
    ("dimension", "kind", "key"),
    [
        ("QueueName", "AWS::SQS::Queue", "QueueName"),
        ("FunctionName", "AWS::Lambda::Function", "FunctionName"),
        ("TableName", "AWS::DynamoDB::Table", "TableName"),
    ],
)
def test_things_exist(dimension: str, kind: str, key: str) -> None:
    """Queues, functions and tables of the dashboard are made by the templates, under these names."""
    shown = {dimensions[dimension] for _, _, dimensions in drawn() if dimension in dimensions}
    assert shown
    assert shown <= names_of(kind, key)


def test_every_queue_with_dead_letters() -> None:
    """The dashboard draws each queue with dead letters, but for those of subscribers of your own."""
    shown = {of["QueueName"] for _, name, of in drawn() if name == "ApproximateNumberOfMessagesVisible"}
    every = {name for name in names_of("AWS::SQS::Queue", "QueueName") if name.endswith("-dead-letters")}
    assert shown == {name for name in every if "SubscriberName" not in name}


def test_regions() -> None:
    """What the trigger's stack makes is drawn from the trigger's region, everything else from the deployment's."""
    for widget in widgets():
        for metric in widget["properties"].get("metrics", []):
            region = metric[-1].get("region") if isinstance(metric[-1], dict) else None
            is_of_trigger = bool({"trigger", "rule", "trigger-dead-letters", "rule-dead-letters"} & names_in(metric))
            assert (region or widget["properties"]["region"]) == (
                "${TriggerRegion}" if is_of_trigger else "${AWS::Region}"
            )


def names_in(metric: list[Any]) -> set[str]:
    """Return the ends of the names in a metric's dimensions."""
    return {part.removeprefix("contactsync-${Environment}-") for part in metric[2:] if isinstance(part, str)}


def test_all_alarms() -> None:
    """The dashboard shows every alarm, each in its region, but for those of subscribers of your own."""
    (shown,) = [widget["properties"]["alarms"] for widget in widgets() if widget["type"] == "alarm"]
    expected = set()
    for template, content in TEMPLATES.items():
        for one in content["Resources"].values():
            if one["Type"] == "AWS::CloudWatch::Alarm" and template != "subscriber.yaml":
                region = "${TriggerRegion}" if template == "trigger.yaml" else "${AWS::Region}"
                name = one["Properties"]["AlarmName"]["Fn::Sub"]
                expected.add(f"arn:${{AWS::Partition}}:cloudwatch:{region}:${{AWS::AccountId}}:alarm:{name}")
    assert len(shown) == len(set(shown))
    assert set(shown) == expected


def test_places() -> None:
    """No widget covers another one, and all are within the dashboard's columns."""
    taken: set[tuple[int, int]] = set()
    for widget in widgets():
        columns, lines = (
            range(widget["x"], widget["x"] + widget["width"]),
            range(widget["y"], widget["y"] + widget["height"]),
        )
        cells = {(x, y) for x in columns for y in lines}
        assert max(columns) < COLUMNS
        assert not cells & taken
        taken |= cells


@pytest.mark.parametrize(
    ("failed", "others", "alarms"),
    [
        (0, 0, set()),
        (0, 100, set()),
        (1, 99, set()),
        (2, 98, {"P3"}),
        (5, 95, {"P3"}),
        (6, 94, {"P2"}),
        (3, 0, {"P2"}),
    ],
)
@pytest.mark.parametrize("what", ["Outcomes", "AuditMessages", "NoticesMessages"])
def test_shares(what: str, failed: int, others: int, alarms: set[str]) -> None:
    """More than 5 % is P2, more than 1 % is P3, and only one of the two alarms goes off."""
    values = {"failed": failed, "handled": others, "total": failed + others}
    gone_off = set()
    for name, alarm in ALARMS.items():
        if name in {f"{what}FailedAlarm", f"{what}FailedFewAlarm"}:
            (expression,) = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
            if computed(expression, values) > alarm["Threshold"]:
                gone_off.add(alarm["AlarmDescription"][:2])
    assert gone_off == alarms


def computed(expression: str, values: dict[str, int]) -> float:
    """Return what CloudWatch computes, as far as our expressions need it: IF, AND and arithmetic."""
    condition, then, otherwise = expression.removeprefix("IF(").removesuffix(")").split(", ")
    condition = condition.replace(" AND ", " and ")
    chosen = then if eval(condition, {}, dict(values)) else otherwise  # noqa: S307 -- an expression of our own template
    return float(eval(chosen, {}, dict(values)))  # noqa: S307 -- the same


def test_shares_use_recorded_numbers() -> None:
    """Each expression names the metrics of its alarm, and no other."""
    for alarm in ALARMS.values():
        for one in alarm.get("Metrics", []):
            if "Expression" in one:
                named = set(re.findall(r"\b[a-z]+\b", one["Expression"]))
                assert named == {other["Id"] for other in alarm["Metrics"] if "MetricStat" in other}
                assert one["ReturnData"] is True
