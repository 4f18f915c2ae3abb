"""infra/bus.yaml: what the pieces must have in common with each other and with the code."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contactsync.aws.claim_bucket import FOLDER
from contactsync.aws.metrics import NAMESPACE
from contactsync.aws.tables.notice_store import _key
from contactsync.aws.tables.once import WINDOW
from contactsync.aws.tables.outbox_table import outbox_puts
from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import EVENT_TYPES, NoticeRequested
from contactsync.bus.publish import Publisher
from contactsync.bus.relay import Relay
from contactsync.configuration.schema import DeliveryChannel
from contactsync.lambdas.subscriber import LEAST_TIMEOUT
from contactsync.stacks.stack_file import read_stacks
from contactsync.stacks.templates import load
from tests.support.events import data_of
from tests.support.fakes.bus import FakeOutbox, FakeTopic
from tests.support.fakes.surroundings import START, FakeClock
from tests.unit.notices.test_delivery import Post

ROOT = Path(__file__).parents[2]
RESOURCES: dict[str, dict[str, Any]] = load(ROOT / "infra" / "bus.yaml")["Resources"]
SUBSCRIBERS = ("Audit", "Notices")
DAY = 86_400

SQS_METRICS = {
    "ApproximateAgeOfOldestMessage",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesVisible",
    "NumberOfEmptyReceives",
    "NumberOfMessagesDeleted",
    "NumberOfMessagesReceived",
    "NumberOfMessagesSent",
    "SentMessageSize",
}
"""SQS developer guide, "Available CloudWatch metrics for Amazon SQS"; all have the dimension QueueName."""


def properties(name: str) -> dict[str, Any]:
    """Return the properties of a resource."""
    found: dict[str, Any] = RESOURCES[name]["Properties"]
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of all resources of a type, by name."""
    return {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == kind}


ALARMS = of_type("AWS::CloudWatch::Alarm")


@pytest.mark.parametrize("name", SUBSCRIBERS)
def test_visibility(name: str) -> None:
    """A message stays invisible for six times the function's timeout, which Lambda asks for."""
    assert properties(f"{name}Queue")["VisibilityTimeout"] == 6 * properties(f"{name}Function")["Timeout"]


TEMPLATES = read_stacks(ROOT / "infra").templates


def mappings() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the resources of a template beside each event source mapping in it, whatever template it is.

    Where the function's Timeout can be chosen, they are yielded for each that can.
    """
    for template in TEMPLATES.values():
        chosen = template["Parameters"].get("Timeout", {}).get("AllowedValues", [""])
        for timeout in chosen:
            resources = with_timeout(template, timeout)
            for one in resources.values():
                if one["Type"] == "AWS::Lambda::EventSourceMapping":
                    yield resources, one["Properties"]


def with_timeout(template: dict[str, Any], timeout: str) -> dict[str, Any]:
    """Return the resources of a template as they are with a value of its parameter Timeout."""

    def value(given: Any) -> Any:
        match given:
            case {"Ref": "Timeout"}:
                return int(timeout)
            case {"Fn::FindInMap": [name, {"Ref": "Timeout"}, key]}:
                return template["Mappings"][name][timeout][key]
            case dict():
                return {key: value(one) for key, one in given.items()}
            case list():
                return [value(one) for one in given]
            case _:
                return given

    resources: dict[str, Any] = value(template["Resources"])
    return resources


def test_visibility_of_every_mapping() -> None:
    """Whatever queue a function reads, a message stays invisible six times as long as the function may take."""
    found = list(mappings())
    assert len(found) >= len(SUBSCRIBERS)
    for resources, mapping in found:
        (function, _), (queue, attribute) = (
            target if isinstance(target, list) else target.split(".")
            for target in (
                mapping["FunctionName"].get("Fn::GetAtt") or [mapping["FunctionName"]["Ref"], ""],
                mapping["EventSourceArn"]["Fn::GetAtt"],
            )
        )
        assert attribute == "Arn"
        timeout = resources[function]["Properties"]["Timeout"]
        assert resources[queue]["Properties"]["VisibilityTimeout"] >= 6 * timeout, queue


@pytest.mark.parametrize("name", SUBSCRIBERS)
def test_timeout(name: str) -> None:
    """A subscriber's function has the time without which it begins with no message."""
    assert properties(f"{name}Function")["Timeout"] >= LEAST_TIMEOUT


@pytest.mark.parametrize("name", SUBSCRIBERS)
def test_retention(name: str) -> None:
    """Handled events are remembered for longer than a message lives, also when it is redriven once."""
    queue, dead = properties(f"{name}Queue"), properties(f"{name}DeadLetters")
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 3
    assert dead["MessageRetentionPeriod"] == 14 * DAY
    assert 2 * dead["MessageRetentionPeriod"] + queue["MessageRetentionPeriod"] < WINDOW
    (rule,) = properties("ClaimBucket")["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] * DAY >= WINDOW


@pytest.mark.parametrize("name", SUBSCRIBERS)
def test_delivery(name: str) -> None:
    """The topic, and nobody else, may send to a subscriber's queues, raw; what it cannot deliver is a dead letter."""
    subscription = properties(f"{name}Subscription")
    assert subscription["RawMessageDelivery"] is True
    assert "RedrivePolicy" in subscription
    for queue in (f"{name}Queue", f"{name}DeadLetters"):
        policy = next(p for p in of_type("AWS::SQS::QueuePolicy").values() if p["Queues"] == [{"Ref": queue}])
        (statement,) = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Allow"]
        assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "EventsTopic"}}}


@pytest.mark.parametrize(("name", "size"), [("Audit", 10), ("Notices", 1)])
def test_mapping(name: str, size: int) -> None:
    """Messages come in batches, of which the function names those that failed; a notice may take all of its time."""
    mapping = properties(f"{name}Mapping")
    assert mapping["BatchSize"] == size
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("name", SUBSCRIBERS)
def test_function(name: str) -> None:
    """The function runs what the sandbox and the tests run, with its own dead-letter queue."""
    function = properties(f"{name}Function")
    assert function["Handler"] == f"contactsync.lambdas.{name.lower()}.handler"
    assert (function["Runtime"], function["Architectures"]) == ("python3.12", ["arm64"])
    variables = function["Environment"]["Variables"]
    assert variables["CONTACTSYNC_DEAD_LETTERS_URL"] == {"Ref": f"{name}DeadLetters"}


def allowed() -> Iterator[dict[str, Any]]:
    """Yield what roles allow, conditional statements included."""
    for role in of_type("AWS::IAM::Role").values():
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


@pytest.mark.parametrize("name", SUBSCRIBERS)
def test_traces(name: str) -> None:
    """A function writes traces, and may do so, only if the parameter says so."""
    assert properties(f"{name}Function")["TracingConfig"] == {"Mode": {"Ref": "Tracing"}}
    given = properties(f"{name}Role")["Policies"][0]["PolicyDocument"]["Statement"]
    conditions = {one["Fn::If"][1]["Sid"]: one["Fn::If"][0] for one in given if "Fn::If" in one}
    assert conditions["WriteTraces"] == "IsTraced"


def test_least_privilege() -> None:
    """No role may do everything with anything, and the audit trail's writer may neither change nor delete a row."""
    without_resources = {"WriteTraces", "MirrorAsOpsItems"}
    statements = list(allowed())
    assert {one["Sid"] for one in statements if one["Resource"] == "*"} == without_resources
    assert "*" not in json.dumps([one["Action"] for one in statements])
    trail = [one["Action"] for one in statements if one["Resource"] == {"Fn::GetAtt": ["AuditTable", "Arn"]}]
    assert trail == ["dynamodb:PutItem"]


def test_only_encrypted() -> None:
    """Queues, topics with events or notices and the bucket take nothing over a connection without TLS."""
    policies = {
        "AWS::SQS::QueuePolicy": ("Queues", of_type("AWS::SQS::Queue")),
        "AWS::SNS::TopicPolicy": ("Topics", {"EventsTopic", "NoticesTopic"}),
        "AWS::S3::BucketPolicy": ("Bucket", of_type("AWS::S3::Bucket")),
    }
    for kind, (key, wanted) in policies.items():
        found: set[str] = set()
        for policy in of_type(kind).values():
            named = policy[key] if isinstance(policy[key], list) else [policy[key]]
            denied = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
            assert [one["Condition"] for one in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]
            assert {one["Principal"] for one in denied} == {"*"}
            found |= {one["Ref"] for one in named}
        assert found == set(wanted)


@pytest.mark.parametrize("name", ["EventsTopic", "NoticesTopic"])
def test_who_publishes(name: str) -> None:
    """Publishing takes a permission of IAM: no service, no other account and nobody else of this account is let in."""
    allowing = [one for one in properties(f"{name}Policy")["PolicyDocument"]["Statement"] if one["Effect"] == "Allow"]
    assert [one["Principal"] for one in allowing] == [
        {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    ]


def test_rows_stay() -> None:
    """Nobody may change or delete a row of the audit trail, whatever IAM lets them do."""
    (statement,) = properties("AuditTable")["ResourcePolicy"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    changing = {"dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"}
    assert set(statement["Action"]) == changing
    assert statement["Resource"]["Fn::Sub"].endswith(f"table/{properties('AuditTable')['TableName']['Fn::Sub']}")


def test_notices_write_notices() -> None:
    """With the role that handles what others send, no operation, outcome, record or generation can be written."""
    role = properties("NoticesRole")["Policies"][0]["PolicyDocument"]["Statement"]
    of_state = [one for one in role if "${StateTableName}" in json.dumps(one.get("Resource"))]
    writing = [one for one in of_state if set(one["Action"]) - {"dynamodb:GetItem", "dynamodb:Query"}]
    assert [one["Condition"] for one in writing] == [
        {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["NOTICES#*", "outbox#*"]}}
    ]
    assert _key("id", "scenario")["pk"].startswith("NOTICES#")
    assert outbox_puts("state", [announced()])[0]["Put"]["Item"]["pk"]["S"].startswith("outbox#")


def test_claims_readable() -> None:
    """Subscribers may read where the publisher keeps claims."""
    text = json.dumps(of_type("AWS::IAM::Role"))
    assert text.count(f"${{ClaimBucket.Arn}}/{FOLDER}/*") == len(SUBSCRIBERS)


def test_filter() -> None:
    """The audit trail gets everything; notices get requests for notices, of every version, and nothing else."""
    assert "FilterPolicy" not in properties("AuditSubscription")
    ((wanted,),) = properties("NoticesSubscription")["FilterPolicy"].values()
    matching = [name for name in EVENT_TYPES if name.startswith(wanted["prefix"])]
    assert matching == [NoticeRequested.event_type]
    assert "contactsync.notice.requested.v2".startswith(wanted["prefix"])


def test_channels() -> None:
    """Every receiver of notices gets its own channel's form; which severities that has is decided by routing."""
    receivers = {name: one for name, one in of_type("AWS::SNS::Subscription").items() if one["Protocol"] != "sqs"}
    assert receivers.pop("AlarmsEmailSubscription")["TopicArn"] == {"Ref": "AlarmsTopic"}
    channels = {"email": "EMAIL", "sms": "SMS"}
    for receiver in receivers.values():
        policy = receiver["FilterPolicy"]
        assert policy["channel"] == [channels[receiver["Protocol"]]]
        assert policy.keys() == ({"channel", "severity"} if receiver["Protocol"] == "email" else {"channel"})
        assert receiver["TopicArn"] == {"Ref": "NoticesTopic"}
    assert set(channels.values()) <= set(DeliveryChannel)


def test_alarms() -> None:
    """Every dead-letter queue is watched, and every queue's age, beyond what a poison message comes to."""
    for name in SUBSCRIBERS:
        longest = properties(f"{name}Queue")["VisibilityTimeout"] * 3
        assert properties(f"{name}AgeAlarm")["Threshold"] > longest
    watched = {
        (alarm["MetricName"], json.dumps(alarm["Dimensions"][0]["Value"]))
        for alarm in ALARMS.values()
        if alarm["Namespace"] == "AWS/SQS"
    }
    wanted = {
        (metric, json.dumps({"Fn::GetAtt": [f"{name}{queue}", "QueueName"]}))
        for name in SUBSCRIBERS
        for metric, queue in (
            ("ApproximateNumberOfMessagesVisible", "DeadLetters"),
            ("ApproximateAgeOfOldestMessage", "Queue"),
        )
    }
    assert watched == wanted


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_metric(name: str) -> None:
    """An alarm's metric is one that AWS or this software records, with the dimensions that it is recorded with."""
    alarm = ALARMS[name]
    dimensions = [one["Name"] for one in alarm["Dimensions"]]
    if alarm["Namespace"] == "AWS/SQS":
        assert alarm["MetricName"] in SQS_METRICS
        assert dimensions == ["QueueName"]
    elif alarm["Namespace"] == "AWS/SNS":
        assert alarm["MetricName"] == "NumberOfNotificationsFailed"
        assert dimensions == ["TopicName"]
    else:
        assert alarm["Namespace"] == NAMESPACE
        assert alarm["MetricName"] in recorded_metrics()
        assert dimensions == ["Environment"]
    # Silence is what one of them is for; as breaching, it would be in ALARM before there is an Airflow environment.
    assert alarm["TreatMissingData"] == ("missing" if name == "SilentAlarm" else "notBreaching")
    topic = {"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "AlarmsTopic"}]}
    assert alarm["AlarmActions"] == alarm["OKActions"] == [topic]


def recorded_metrics() -> set[str]:
    """Return the names that publishing, housekeeping and delivery record."""
    post = Post.of()
    post.deliver()
    metrics = post.metrics
    publisher = Publisher(FakeTopic(), None, metrics, FakeClock(), "test")
    publisher.publish([announced()])
    Relay(FakeOutbox(), publisher, FakeClock()).send_left()
    return set().union(*metrics.recorded)


def announced() -> Announcement:
    """Return an announcement."""
    return announcement(data_of(NoticeRequested), about="n-1", subject="s", correlation_id="c", time=START)


def test_tables() -> None:
    """The tables have the keys and the times to live that code and powertools use."""
    audit, idempotency = properties("AuditTable"), properties("IdempotencyTable")
    assert audit["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert idempotency["TimeToLiveSpecification"] == {"AttributeName": "expiration", "Enabled": True}
    assert idempotency["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert "PointInTimeRecoverySpecification" in audit


def test_encrypted() -> None:
    """Everything that keeps events is encrypted, and the bucket is closed to the public."""
    topics = of_type("AWS::SNS::Topic")
    assert {name for name, topic in topics.items() if "KmsMasterKeyId" not in topic} == {
        "AlarmsTopic"
    }  # keeps no event
    assert all(queue["SqsManagedSseEnabled"] for queue in of_type("AWS::SQS::Queue").values())
    assert all(table["SSESpecification"]["SSEEnabled"] for table in of_type("AWS::DynamoDB::Table").values())
    bucket = properties("ClaimBucket")
    assert "BucketEncryption" in bucket
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
