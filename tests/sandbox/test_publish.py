"""Publishing on topics: SNS's limits, scripted faults of the services of the bus, and what the call log has of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from contactsync.sandbox.messages.publish_limits import SIZE_LIMIT, size_of
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.server import Sandbox
from tests.sandbox.sandbox_clients import client, control, running

OPS_ITEM = {"Title": "t", "Description": "d", "Source": "s"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run one sandbox with a topic, a queue, a bucket and an object for all tests here."""
    with running() as sandbox:
        client(sandbox, "sns").create_topic(Name="events")
        client(sandbox, "sqs").create_queue(QueueName="queue")
        client(sandbox, "s3").create_bucket(Bucket="claims")
        client(sandbox, "s3").put_object(Bucket="claims", Key="events/one", Body=b'{"AccountId": "999988887777"}')
        yield sandbox


@pytest.fixture(scope="module")
def sns(sandbox: Sandbox) -> Any:
    """Make a client of the management account."""
    return client(sandbox, "sns")


@pytest.fixture(autouse=True)
def _no_faults(sandbox: Sandbox) -> None:
    sandbox.conditions.faults.clear()
    sandbox.call_log.clear()


@pytest.fixture
def topic(sandbox: Sandbox) -> str:
    """Return the topic's ARN."""
    return f"arn:aws:sns:us-east-1:{sandbox.management_account}:events"


def entries(*messages: str, **more: Any) -> list[dict[str, Any]]:
    """Make the entries of a batch, with ids e0, e1, ..."""
    return [{"Id": f"e{number}", "Message": message} | more for number, message in enumerate(messages)]


def text(value: str) -> dict[str, str]:
    """Make a text attribute."""
    return {"DataType": "String", "StringValue": value}


@given(
    message=st.text(max_size=20), value=st.text(min_size=1, max_size=20), name=st.text("abc", min_size=1, max_size=5)
)
def test_size(message: str, value: str, name: str) -> None:
    """A message's size is that of its bytes and of its attributes' names, types and values."""
    attributes = {name: {"Type": "String", "Value": value}}
    assert size_of(message, None) == len(message.encode())
    assert size_of(message, attributes) == len((message + name + "String" + value).encode())


def test_binary_size() -> None:
    """A binary value counts with its own bytes, not with those of its base64 form."""
    assert size_of("", {"b": {"Type": "Binary", "Value": "AAECAw=="}}) == len("b") + len("Binary") + 4


def test_largest_message(sns: Any, topic: str) -> None:
    """A message of exactly 262,144 bytes with its attributes goes through, and one byte more does not."""
    attributes = {"type": text("a")}
    largest = "é" * ((SIZE_LIMIT - len("type" + "String" + "a")) // 2)
    sns.publish(TopicArn=topic, Message=largest, MessageAttributes=attributes)
    with pytest.raises(sns.exceptions.InvalidParameterException, match="Message too long"):
        sns.publish(TopicArn=topic, Message=f"{largest}é", MessageAttributes=attributes)


@pytest.mark.parametrize(
    ("message", "more", "reason"),
    [
        ("", {}, "Empty message"),
        ("m", {"Subject": "two\nlines"}, "Subject"),
        ("m", {"Subject": "s" * 101}, "Subject"),
        ("m", {"Subject": " s"}, "Subject"),
        ("m", {"MessageStructure": "json"}, "failed to parse"),
        ('{"email": "m"}', {"MessageStructure": "json"}, "No default entry"),
        ("[]", {"MessageStructure": "json"}, "failed to parse"),
    ],
)
def test_refused_message(sns: Any, topic: str, message: str, more: dict[str, str], reason: str) -> None:
    """What SNS refuses is refused alone, and as an entry of a batch, whose other entries go through."""
    with pytest.raises(sns.exceptions.InvalidParameterException, match=reason):
        sns.publish(TopicArn=topic, Message=message, **more)
    batch = [{"Id": "bad", "Message": message, **more}, {"Id": "good", "Message": "m"}]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)
    (failed,) = answer["Failed"]
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("bad", "InvalidParameter", True)


@pytest.mark.parametrize(
    ("batch", "code"),
    [
        ([], "EmptyBatchRequest"),
        (entries(*"abcdefghijk"), "TooManyEntriesInBatchRequest"),
        ([*entries("a"), *entries("b")], "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "Message": "m"}], "InvalidBatchEntryId"),
        (entries("x" * 131_072, "x" * 131_073), "BatchRequestTooLong"),
        (entries("x" * 131_072, "x" * 131_000, MessageAttributes={"a": text("y" * 40)}), "BatchRequestTooLong"),
    ],
)
def test_refused_batch(sns: Any, topic: str, batch: list[dict[str, Any]], code: str) -> None:
    """A batch beyond the limits is refused as a whole."""
    with pytest.raises(ClientError) as caught:
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400)


def test_largest_batch(sns: Any, topic: str) -> None:
    """Ten entries with 262,144 bytes altogether go through."""
    batch = entries(*["x" * 26_214] * 9, "x" * (SIZE_LIMIT - 9 * 26_214))
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)
    assert len(answer["Successful"]) == 10
    assert answer.get("Failed", []) == []


@pytest.mark.parametrize(
    ("error", "status"),
    [("InternalError", 500), ("ServiceUnavailable", 503), ("Throttled", 429), ("AccessDenied", 403)],
)
@pytest.mark.parametrize("operation", ["Publish", "PublishBatch"])
def test_sns_down(sandbox: Sandbox, sns: Any, topic: str, operation: str, error: str, status: int) -> None:
    """While SNS is down it answers in its own form, nothing is published, and the call log has every try."""
    before = len(sns.list_topics()["Topics"])
    control(sandbox, "POST", "/faults", {"service": "sns", "operation": operation, "error": error})
    calls = {
        "Publish": lambda: sns.publish(TopicArn=topic, Message="m"),
        "PublishBatch": lambda: sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries("m")),
    }
    with pytest.raises(ClientError) as caught:
        calls[operation]()
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (error, status)
    (logged,) = control(sandbox, "GET", f"/calls?service=sns&operation={operation}")["calls"]
    assert (logged["error_code"], logged["status"]) == (error, status)
    assert len(sns.list_topics()["Topics"]) == before


@pytest.mark.parametrize(
    ("service", "operation", "call", "error", "status"),
    [
        ("sqs", "SendMessage", lambda sqs: sqs.send_message(QueueUrl=_url(sqs), MessageBody="m"), "AccessDenied", 403),
        (
            "sqs",
            "ReceiveMessage",
            lambda sqs: sqs.receive_message(QueueUrl=_url(sqs)),
            "InternalFailure",
            500,
        ),
        (
            "sqs",
            "DeleteMessage",
            lambda sqs: sqs.delete_message(QueueUrl=_url(sqs), ReceiptHandle="r"),
            "RequestThrottled",
            400,
        ),
        ("s3", "PutObject", lambda s3: s3.put_object(Bucket="claims", Key="k", Body=b"{}"), "SlowDown", 503),
        ("s3", "GetObject", lambda s3: s3.get_object(Bucket="claims", Key="events/one"), "InternalError", 500),
        ("ssm", "CreateOpsItem", lambda ssm: ssm.create_ops_item(**OPS_ITEM), "OpsItemLimitExceededException", 400),
        ("ssm", "CreateOpsItem", lambda ssm: ssm.create_ops_item(**OPS_ITEM), "InternalServerError", 500),
    ],
)
def test_services_of_the_bus(
    sandbox: Sandbox, service: str, operation: str, call: Any, error: str, status: int
) -> None:
    """Faults strike the other services of the bus, in their own forms, and the call log names the operation."""
    sandbox.conditions.faults.add(FaultSettings(service=service, operation=operation, error=error, count=1))
    with pytest.raises(ClientError) as caught:
        call(client(sandbox, service))
    answer = caught.value.response
    assert answer["Error"]["Code"] in (error, str(status))  # S3 answers a GET's error with its body
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    (logged,) = sandbox.call_log.query(service=service, operation=operation)
    assert logged.error_code == error


def _url(sqs: Any) -> str:
    return str(sqs.get_queue_url(QueueName="queue")["QueueUrl"])


def test_stored_object_is_no_parameter(sandbox: Sandbox) -> None:
    """What an object holds is not taken for a parameter of the call that puts it."""
    client(sandbox, "s3").put_object(Bucket="claims", Key="k", Body=b'{"AccountId": "999988887777"}')
    (logged,) = sandbox.call_log.query(operation="PutObject")
    assert logged.account == sandbox.management_account


def test_sns_lost_answer(sandbox: Sandbox, sns: Any, topic: str) -> None:
    """SNS can fail after it has published: the message is there, and the publisher does not know."""
    sqs = client(sandbox, "sqs")
    _subscribe(sandbox, topic)
    control(sandbox, "POST", "/faults", {"service": "sns", "error": "InternalError", "stage": "after", "count": 1})
    with pytest.raises(ClientError):
        sns.publish(TopicArn=topic, Message="sent all the same")
    (message,) = sqs.receive_message(QueueUrl=_url(sqs))["Messages"]
    assert json.loads(message["Body"])["Message"] == "sent all the same"


def _subscribe(sandbox: Sandbox, topic: str) -> None:
    sqs, queue = client(sandbox, "sqs"), f"arn:aws:sqs:us-east-1:{sandbox.management_account}:queue"
    principal = {"Service": "sns.amazonaws.com"}
    policy = {
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage", "Resource": queue}]
    }
    sqs.set_queue_attributes(QueueUrl=_url(sqs), Attributes={"Policy": json.dumps(policy)})
    client(sandbox, "sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)


def test_entry_faults(sandbox: Sandbox, sns: Any, topic: str) -> None:
    """A fault of entries fails those that contain a text, and the rest of the batch goes through."""
    fault = {"service": "sns", "operation": "PublishBatch", "stage": "entry", "containing": "two", "count": 1}
    control(sandbox, "POST", "/faults", fault | {"error": "InternalError"})
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries("one", "two", "three"))
    again = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries("two"))
    (failed,) = answer["Failed"]
    assert [entry["Id"] for entry in answer["Successful"]] == ["e0", "e2"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("e1", "InternalError", False)
    assert len(again["Successful"]) == 1


def test_entry_faults_of_a_queue(sandbox: Sandbox) -> None:
    """Entries of SendMessageBatch fail the same way, by the sender's fault where the code says so."""
    sqs = client(sandbox, "sqs")
    sandbox.conditions.faults.add(
        FaultSettings(service="sqs", stage="entry", error="AccessDenied", containing="second")
    )
    batch = [{"Id": body, "MessageBody": body} for body in ("first", "second")]
    answer = sqs.send_message_batch(QueueUrl=_url(sqs), Entries=batch)
    (failed,) = answer["Failed"]
    assert [entry["Id"] for entry in answer["Successful"]] == ["first"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("second", "AccessDenied", True)


def test_entry_faults_leave_calls_alone(sandbox: Sandbox, sns: Any, topic: str) -> None:
    """A fault of entries does not strike whole calls, and one of calls does not strike entries."""
    sandbox.conditions.faults.add(FaultSettings(service="sns", stage="entry", error="InternalError"))
    sns.publish(TopicArn=topic, Message="m")
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries("a", "b"))
    assert [entry["Id"] for entry in answer["Failed"]] == ["e0", "e1"]
    assert answer.get("Successful", []) == []


@pytest.mark.parametrize("wrong", [{"delay": 1}, {"error": "ConnectionDropped"}, {"error": "E", "delay": 1}])
def test_wrong_entry_faults(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    """A fault of entries has an error code and nothing else."""
    control(sandbox, "POST", "/faults", {"service": "sns", "stage": "entry", **wrong}, status=400)
