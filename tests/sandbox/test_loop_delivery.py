"""From a bus to a function: rules of the deployed template, retries, dead letters, and what is recorded of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import loop_template
from tests.sandbox.loop_sandbox import SmallSandbox, small_sandbox


@pytest.fixture
def sandbox() -> Iterator[SmallSandbox]:
    """Give each test an empty sandbox, in which a minute of AWS's retry rules lasts 60 ms."""
    with small_sandbox() as running:
        yield running


def steps(sandbox: SmallSandbox, event_id: str) -> list[tuple[str, str]]:
    """List the steps of an event's deliveries with their results."""
    return [(item["step"], item["result"]) for item in sandbox.deliveries(event_id)]


def logs(sandbox: SmallSandbox) -> list[dict[str, Any]]:
    """List the invocations of the deployed function."""
    invocations: list[dict[str, Any]] = sandbox.control("GET", f"/functions/{loop_template.NAME}/logs")["invocations"]
    return invocations


def test_delivered(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """An event that the deployed rule selects reaches the function once, whole."""
    sandbox.deploy(loop_template.write(tmp_path, "echo"))
    event_id = sandbox.put()
    sandbox.settle()
    (invocation,) = logs(sandbox)
    event = invocation["result"]["event"]
    assert steps(sandbox, event_id) == [("deliver", "accepted"), ("invoke", "success")]
    assert (event["id"], event["version"], event["account"]) == (event_id, "0", "123456789012")
    assert event["detail"]["eventName"] == "PutAlternateContact"


@pytest.mark.parametrize(
    "changes",
    [
        {"requestParameters": {"accountId": "111111111111"}},
        {"requestParameters": {"AccountId": "111111111111"}},
        {"errorCode": "AccessDeniedException"},
    ],
)
def test_not_selected(sandbox: SmallSandbox, tmp_path: Path, changes: dict[str, Any]) -> None:
    """An event that the pattern excludes is recorded and goes nowhere."""
    sandbox.deploy(loop_template.write(tmp_path, "echo"))
    event_id = sandbox.put(**changes)
    sandbox.settle()
    (event,) = sandbox.control("GET", "/events?matched=false")["events"]
    assert (event["id"], event["deliveries"]) == (event_id, [])
    assert logs(sandbox) == []


def test_disabled_rule_and_other_account(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A disabled rule selects nothing, and an event of a member stays on the member's bus."""
    sandbox.deploy(loop_template.write(tmp_path, "echo"))
    event = {"source": "aws.account", "detail-type": "AWS API Call via CloudTrail", "account": "222222222222"}
    assert not sandbox.control("POST", "/events", event)["matched"]
    sandbox.client("events").disable_rule(Name=loop_template.NAME)
    sandbox.put()
    sandbox.client("events").enable_rule(Name=loop_template.NAME)
    sandbox.put(readOnly=True)
    assert [event["matched"] for event in sandbox.control("GET", "/events")["events"]] == [False, False, False]
    assert sandbox.control("POST", "/events", event | {"account": "123456789012"})["matched"]


def test_copies_and_redelivery(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """An event can be delivered several times, by setting and by hand."""
    sandbox.deploy(loop_template.write(tmp_path, "echo"))
    sandbox.control("PUT", "/event-settings", {"copies": 3})
    event_id = sandbox.put()
    sandbox.settle()
    assert sandbox.control("POST", f"/events/{event_id}/redeliver") == {"rules": 1}
    sandbox.settle()
    assert len(logs(sandbox)) == 4
    assert {item["result"]["event"]["id"] for item in logs(sandbox)} == {event_id}
    assert sorted(item["copy"] for item in sandbox.deliveries(event_id) if item["step"] == "invoke")[:3] == [1, 2, 3]


def test_shuffle_and_drop(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """Deliveries can overtake each other, and events can be lost before the bus, both repeatable by seed."""
    sandbox.deploy(loop_template.write(tmp_path, "echo"))
    sandbox.control("PUT", "/event-settings", {"shuffle": True, "delay": 0.05, "seed": 3})
    put = [sandbox.put() for _ in range(6)]
    sandbox.settle()
    delivered = [item["result"]["event"]["id"] for item in logs(sandbox)]
    assert sorted(delivered) == sorted(put)
    assert delivered != put
    sandbox.control("PUT", "/event-settings", {"shuffle": False, "drop": 0.5, "seed": 1})
    lost = [sandbox.put() for _ in range(10)]
    dropped = [event["dropped"] for event in sandbox.control("GET", "/events")["events"] if event["id"] in lost]
    assert 0 < sum(dropped) < 10


def test_function_retries(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A function that fails is tried twice more under the same request id, and then it is well."""
    counter = tmp_path / "counter"
    sandbox.deploy(loop_template.write(tmp_path, "flaky", variables={"COUNTER": str(counter), "FAILURES": "2"}))
    event_id = sandbox.put()
    sandbox.settle()
    invokes = [item for item in sandbox.deliveries(event_id) if item["step"] == "invoke"]
    assert [(item["attempt"], item["result"]) for item in invokes] == [(1, "error"), (2, "error"), (3, "success")]
    assert len({item["request_id"] for item in invokes}) == 1
    assert sandbox.messages("function-dead-letters") == []


def test_no_process(tmp_path: Path) -> None:
    """When no process can be started the event stays queued until it is too old, and nothing is lost silently."""
    with small_sandbox(tmp_path / "missing", time_scale=0.00001) as sandbox:
        sandbox.deploy(loop_template.write(tmp_path, "echo"))
        event_id = sandbox.put()
        sandbox.settle()
        (message,) = sandbox.messages("function-dead-letters")
        assert {step for step, _ in steps(sandbox, event_id)} == {"deliver", "invoke", "on-failure"}
    assert json.loads(message["Body"])["requestContext"]["condition"] == "EventAgeExceeded"


def test_on_failure_destination(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """After three failures the destination gets Lambda's invocation record with the event and the error."""
    sandbox.deploy(loop_template.write(tmp_path, "fail"))
    event_id = sandbox.put()
    sandbox.settle()
    (message,) = sandbox.messages("function-dead-letters")
    record = json.loads(message["Body"])
    assert steps(sandbox, event_id)[-1] == ("on-failure", "sent")
    assert record["version"] == "1.0"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestContext"]["functionArn"].endswith(":function:tried:$LATEST")
    assert record["requestPayload"]["id"] == event_id
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorType"] == "LookupError"


def test_function_dead_letter_queue(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A dead-letter queue of the function gets the bare event with Lambda's attributes."""
    directory = loop_template.write(tmp_path, "fail", Invocations=None)
    template = (directory / "trigger.yaml").read_text()
    queue = "      DeadLetterConfig:\n        TargetArn:\n          Fn::GetAtt: [FunctionDeadLetters, Arn]\n"
    (directory / "trigger.yaml").write_text(
        template.replace("      FunctionName: tried\n", "      FunctionName: tried\n" + queue)
    )
    sandbox.deploy(directory)
    event_id = sandbox.put()
    sandbox.settle()
    (message,) = sandbox.messages("function-dead-letters")
    attributes = message["MessageAttributes"]
    assert json.loads(message["Body"])["id"] == event_id
    assert attributes["ErrorCode"] == {"DataType": "Number", "StringValue": "200"}
    assert attributes["ErrorMessage"]["StringValue"] == "no luck with PutAlternateContact"
    assert set(attributes) == {"RequestID", "ErrorCode", "ErrorMessage"}


def test_timeout_is_an_error(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A function that hangs counts as failed, and retries can be turned off."""
    config = {
        "Type": "AWS::Lambda::EventInvokeConfig",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "Qualifier": "$LATEST",
            "MaximumRetryAttempts": 0,
            "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["FunctionDeadLetters", "Arn"]}}},
        },
    }
    variables = {"COUNTER": str(tmp_path / "child")}
    sandbox.deploy(loop_template.write(tmp_path, "hang", Invocations=config, timeout=1, variables=variables))
    event_id = sandbox.put()
    sandbox.settle()
    assert steps(sandbox, event_id) == [("deliver", "accepted"), ("invoke", "error"), ("on-failure", "sent")]
    assert sandbox.deliveries(event_id)[1]["error_type"] == "Sandbox.Timedout"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Permission": None}, "NO_PERMISSIONS"),
        (
            {
                "Permission": {
                    "Type": "AWS::Lambda::Permission",
                    "Properties": {
                        "FunctionName": {"Ref": "Function"},
                        "Action": "lambda:InvokeFunction",
                        "Principal": "sns.amazonaws.com",
                    },
                }
            },
            "NO_PERMISSIONS",
        ),
        (
            {
                "Permission": {
                    "Type": "AWS::Lambda::Permission",
                    "Properties": {
                        "FunctionName": {"Ref": "Function"},
                        "Action": "lambda:InvokeFunction",
                        "Principal": "events.amazonaws.com",
                        "SourceArn": "arn:aws:events:us-east-1:123456789012:rule/other",
                    },
                }
            },
            "NO_PERMISSIONS",
        ),
    ],
)
def test_no_permission(sandbox: SmallSandbox, tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    """Without a permission for this rule the event goes to the rule's dead letters at once."""
    sandbox.deploy(loop_template.write(tmp_path, "echo", **changes))
    event_id = sandbox.put()
    sandbox.settle()
    (message,) = sandbox.messages("rule-dead-letters")
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert steps(sandbox, event_id) == [("deliver", "error"), ("dead-letter", "sent")]
    assert attributes.pop("ERROR_MESSAGE")
    assert attributes == {
        "RULE_ARN": "arn:aws:events:us-east-1:123456789012:rule/tried",
        "TARGET_ARN": "arn:aws:lambda:us-east-1:123456789012:function:tried",
        "ERROR_CODE": code,
        "RETRY_ATTEMPTS": "0",
    }
    assert logs(sandbox) == []


def test_deleted_function(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A rule whose function is gone sends its events to the dead letters."""
    sandbox.deploy(loop_template.write(tmp_path, "echo"))
    sandbox.client("lambda").delete_function(FunctionName=loop_template.NAME)
    sandbox.put()
    sandbox.settle()
    (message,) = sandbox.messages("rule-dead-letters")
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"


def test_dead_letters_need_a_policy(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A dead-letter queue whose policy does not name EventBridge gets nothing, as in AWS."""
    sandbox.deploy(loop_template.write(tmp_path, "echo", Permission=None, RuleDeadLettersPolicy=None))
    event_id = sandbox.put()
    sandbox.settle()
    assert steps(sandbox, event_id) == [("deliver", "error"), ("dead-letter", "refused")]
    assert sandbox.messages("rule-dead-letters") == []


@pytest.mark.parametrize(
    ("retry", "condition"),
    [
        ({"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 86400}, "MaximumRetryAttempts"),
        ({"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 60}, "MaximumEventAgeInSeconds"),
    ],
)
def test_bus_retries(sandbox: SmallSandbox, tmp_path: Path, retry: dict[str, int], condition: str) -> None:
    """A target's service that fails is tried again until the rule's attempts or age are used up."""
    sandbox.deploy(loop_template.write(tmp_path, "echo", retry=retry))
    sandbox.control("PUT", "/event-settings", {"delivery_errors": 100})
    sandbox.put()
    sandbox.settle()
    (message,) = sandbox.messages("rule-dead-letters")
    attributes = message["MessageAttributes"]
    assert attributes["EXHAUSTED_RETRY_CONDITION"]["StringValue"] == condition
    assert int(attributes["RETRY_ATTEMPTS"]["StringValue"]) >= 2
    sandbox.control("PUT", "/event-settings", {"delivery_errors": 1})
    event_id = sandbox.put()
    sandbox.settle()
    assert steps(sandbox, event_id)[-2:] == [("deliver", "accepted"), ("invoke", "success")]


def test_put_events(sandbox: SmallSandbox) -> None:
    """PutEvents of an own source reaches rules and queues; AWS's own sources are refused."""
    events = sandbox.client("events")
    queue = sandbox.client("sqs").create_queue(QueueName="own")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:123456789012:own"
    statement = '{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:*","Resource":"*"}'
    sandbox.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": f'{{"Statement":[{statement}]}}'})
    events.put_rule(Name="own", EventPattern='{"source":["own"],"detail":{"n":[{"numeric":[">",1]}]}}')
    events.put_targets(Rule="own", Targets=[{"Id": "q", "Arn": arn, "InputPath": "$.detail"}])
    answers = events.put_events(
        Entries=[
            {"Source": source, "DetailType": "t", "Detail": detail}
            for source, detail in [("own", '{"n":2}'), ("own", '{"n":1}'), ("aws.account", "{}")]
        ]
    )
    sandbox.settle()
    assert [answer.get("ErrorCode") for answer in answers["Entries"]] == [None, None, "NotAuthorizedForSourceException"]
    assert [message["Body"] for message in sandbox.messages("own")] == ['{"n": 2}']


def test_bad_requests(sandbox: SmallSandbox) -> None:
    """Nonsense given to the control API is answered with a sentence."""
    assert "unknown" not in sandbox.control("GET", "/event-settings")
    for path, body in [
        ("/event-settings", {"casing": "kebab"}),
        ("/event-settings", {"colour": 1}),
        ("/event-settings", [1]),
        ("/airflow", {"environment": "9", "base_url": "x"}),
    ]:
        assert sandbox.control("PUT", path, body)["error"]
    nested: Any = []
    for _ in range(400):
        nested = [nested]
    huge = {"source": "s", "detail-type": "t", "detail": {"x": "y" * 1_100_000}}
    for body in [[1], {}, {"source": 1, "detail-type": "t"}, huge]:
        assert sandbox.control("POST", "/events", body)["error"]
    deep = {"source": "s", "detail-type": "t", "region": "nowhere", "detail": nested}
    assert sandbox.control("POST", "/events", deep)["matched"] is False
    assert sandbox.control("POST", "/events/none/redeliver")["error"]
    assert sandbox.control("GET", "/event-settings")["casing"] == "pascal"
