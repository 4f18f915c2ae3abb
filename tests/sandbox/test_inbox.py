"""What people would have received by mail, text message and chat, over the control API and on the command line."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from contactsync.cli.local.sandbox import app
from contactsync.sandbox.messages.inbox import Channel, Inbox
from contactsync.sandbox.server import Sandbox
from contactsync.sandbox.stacks.templates import deploy
from tests.sandbox.sandbox_clients import client, control, running

CHAT = {"version": "1.0", "source": "custom", "content": {"title": "Failed", "description": "d", "nextSteps": ["look"]}}
ROLE = "arn:aws:iam::111122223333:role/chat"


def subscription(protocol: str, endpoint: str, **properties: Any) -> dict[str, Any]:
    """Describe a subscription of the topic."""
    given = {"TopicArn": {"Ref": "Topic"}, "Protocol": protocol, "Endpoint": endpoint}
    return {"Type": "AWS::SNS::Subscription", "Properties": given | properties}


RESOURCES = {
    "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "notices"}},
    "Mail": subscription("email", "all@example.com"),
    "HighMail": subscription("email-json", "high@example.com", FilterPolicy={"severity": ["high"]}),
    "Phone": subscription("sms", "+12065550100", FilterPolicy={"severity": ["high"]}),
    "Slack": {
        "Type": "AWS::Chatbot::SlackChannelConfiguration",
        "Properties": {
            "ConfigurationName": "operators",
            "IamRoleArn": ROLE,
            "SlackChannelId": "C01",
            "SlackWorkspaceId": "T01",
            "SnsTopicArns": [{"Ref": "Topic"}],
        },
    },
    "Teams": {
        "Type": "AWS::Chatbot::MicrosoftTeamsChannelConfiguration",
        "Properties": {
            "ConfigurationName": "security",
            "IamRoleArn": ROLE,
            "TeamId": "t",
            "TeamsChannelId": "c",
            "TeamsTenantId": "x",
            "SnsTopicArns": [{"Ref": "Topic"}],
        },
    },
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Run one sandbox with a topic of notices and its recipients for all tests here."""
    directory = tmp_path_factory.mktemp("templates")
    (directory / "notices.yaml").write_text(yaml.safe_dump({"Resources": RESOURCES}))
    with running(templates=directory) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _empty(sandbox: Sandbox) -> None:
    control(sandbox, "DELETE", "/inbox")


def publish(sandbox: Sandbox, message: str, *, severity: str = "low", **more: str) -> None:
    """Publish a notice."""
    attributes = {"severity": {"DataType": "String", "StringValue": severity}}
    topic = f"arn:aws:sns:us-east-1:{sandbox.management_account}:notices"
    client(sandbox, "sns").publish(TopicArn=topic, Message=message, MessageAttributes=attributes, **more)


def received(sandbox: Sandbox, query: str = "") -> list[tuple[str, str, str | None, str]]:
    """List what was received: channel, recipient, subject and text."""
    messages = control(sandbox, "GET", f"/inbox{query}")["messages"]
    return [(item["channel"], item["recipient"], item["subject"], item["text"]) for item in messages]


def test_mail(sandbox: Sandbox) -> None:
    """A mail has the subject and the text that were published; without a subject it has SNS's own."""
    publish(sandbox, "Three accounts failed.", Subject="contactsync: failed")
    publish(sandbox, "All is well.")
    assert received(sandbox, "?channel=email") == [
        ("email", "all@example.com", "contactsync: failed", "Three accounts failed."),
        ("email", "all@example.com", "AWS Notification Message", "All is well."),
    ]


def test_filter_policy(sandbox: Sandbox) -> None:
    """Filter policies decide who gets a notice."""
    publish(sandbox, "low", severity="low")
    publish(sandbox, "high", severity="high")
    recipients = [(recipient, text) for _, recipient, _, text in received(sandbox)]
    assert recipients[0] == ("all@example.com", "low")
    assert {recipient for recipient, _ in recipients[1:]} == {"all@example.com", "high@example.com", "+12065550100"}
    assert len(recipients) == 4


def test_structure(sandbox: Sandbox) -> None:
    """With MessageStructure json each protocol gets its own text, and the default where there is none."""
    texts = {
        "default": "d",
        "email": "for mail",
        "email-json": "for programs",
        "sms": "short",
        "https": json.dumps(CHAT),
    }
    publish(sandbox, json.dumps(texts), severity="high", MessageStructure="json", Subject="s")
    found = {(channel, recipient): text for channel, recipient, _, text in received(sandbox)}
    document = json.loads(found.pop(("email", "high@example.com")))
    assert found == {
        ("email", "all@example.com"): "for mail",
        ("sms", "+12065550100"): "short",
        ("chat", "operators"): "d\n- look",
        ("chat", "security"): "d\n- look",
    }
    assert (document["Type"], document["Message"], document["Subject"]) == ("Notification", "for programs", "s")
    assert document["MessageAttributes"]["severity"] == {"Type": "String", "Value": "high"}


def test_chat(sandbox: Sandbox) -> None:
    """A custom notification appears in every channel of the topic, and any other message is dropped and counted."""
    publish(sandbox, json.dumps(CHAT))
    publish(sandbox, "plain text")
    publish(sandbox, "plain text")
    assert received(sandbox, "?channel=chat") == [
        ("chat", "operators", "Failed", "d\n- look"),
        ("chat", "security", "Failed", "d\n- look"),
    ]
    dropped = control(sandbox, "GET", "/inbox")["dropped"]
    assert [(drop["recipient"], drop["count"]) for drop in dropped] == [("operators", 2), ("security", 2)]
    assert all("it is not a JSON object" in drop["reason"] for drop in dropped)


def test_batch(sandbox: Sandbox) -> None:
    """Entries of a batch arrive like single messages."""
    topic = f"arn:aws:sns:us-east-1:{sandbox.management_account}:notices"
    entries = [{"Id": text, "Message": text, "Subject": f"about {text}"} for text in ("a", "b")]
    client(sandbox, "sns").publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [(subject, text) for _, _, subject, text in received(sandbox)] == [("about a", "a"), ("about b", "b")]


def test_text_message(sandbox: Sandbox) -> None:
    """A text message to a number arrives, without a topic and without a subject."""
    client(sandbox, "sns").publish(PhoneNumber="+12065550111", Message="hello")
    assert received(sandbox) == [("sms", "+12065550111", None, "hello")]


def test_nothing_while_sns_is_down(sandbox: Sandbox) -> None:
    """While SNS refuses, nobody receives anything."""
    control(sandbox, "POST", "/faults", {"service": "sns", "error": "InternalError", "count": 1})
    with pytest.raises(ClientError, match="InternalError"):
        publish(sandbox, "lost")
    assert received(sandbox) == []


def test_since(sandbox: Sandbox) -> None:
    """Later messages are asked for by sequence number or time, also after the inbox was emptied."""
    publish(sandbox, "first")
    (first,) = control(sandbox, "GET", "/inbox")["messages"]
    publish(sandbox, "second")
    assert [text for *_, text in received(sandbox, f"?since={first['sequence']}")] == ["second"]
    assert [text for *_, text in received(sandbox, f"?since={first['time'].replace('+', '%2B')}")] == ["second"]
    control(sandbox, "DELETE", "/inbox")
    publish(sandbox, "third")
    assert [text for *_, text in received(sandbox, f"?since={first['sequence'] + 1}")] == ["third"]


@pytest.mark.parametrize("query", ["?channel=pigeon", "?since=yesterday", "?colour=red"])
def test_bad_queries(sandbox: Sandbox, query: str) -> None:
    """A query that means nothing is refused in a sentence."""
    assert control(sandbox, "GET", f"/inbox{query}", status=400)["error"].endswith(".")


def test_capacity() -> None:
    """A full inbox drops its oldest messages, and knows later ones by time."""
    inbox = Inbox(capacity=2)
    for text in "abc":
        inbox.put(Channel.EMAIL, "r", text=text, origin="")
    assert [message.text for message in inbox.messages()] == ["b", "c"]
    assert inbox.messages(since=datetime.now(UTC) + timedelta(seconds=1)) == []


def test_table(sandbox: Sandbox) -> None:
    """The command lists who received what, one line each, without the texts."""
    publish(sandbox, "Three accounts failed.", Subject="contactsync: failed")
    shown = CliRunner().invoke(app, ["inbox", "--url", sandbox.endpoint_url])
    assert shown.exit_code == 0
    assert "all@example.com" in shown.stdout
    assert "contactsync: failed" in shown.stdout
    assert "Three accounts" not in shown.stdout


def test_full(sandbox: Sandbox) -> None:
    """With --full the texts are there, control characters made harmless, and what was dropped."""
    publish(sandbox, "Three\x1b[31m accounts failed.")
    shown = CliRunner().invoke(app, ["inbox", "--full", "--url", sandbox.endpoint_url])
    assert "Three\ufffd[31m accounts failed." in shown.stdout
    assert "Not shown to operators: 1 message. Amazon Q shows custom notifications only" in shown.stdout


def test_json_and_clear(sandbox: Sandbox) -> None:
    """The command writes JSON, by channel, and empties the inbox."""
    publish(sandbox, json.dumps(CHAT))
    shown = CliRunner().invoke(app, ["inbox", "--channel", "chat", "--json", "--url", sandbox.endpoint_url])
    assert [item["recipient"] for item in json.loads(shown.stdout)["messages"]] == ["operators", "security"]
    CliRunner().invoke(app, ["inbox", "--clear", "--url", sandbox.endpoint_url])
    assert received(sandbox) == []


def followed(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, form: str) -> list[str]:
    """Return the lines that --follow writes in a form while three messages come, two of them later."""
    publish(sandbox, "first")
    waits = iter(["second", None, "third"])

    def wait(_: float) -> None:
        text = next(waits, "end")
        if text == "end":
            raise KeyboardInterrupt
        if text:
            publish(sandbox, text)

    monkeypatch.setattr("contactsync.cli.local.sandbox.time.sleep", wait)
    shown = CliRunner().invoke(app, ["inbox", "--follow", "-o", form, "--url", sandbox.endpoint_url])
    assert shown.exit_code == 0
    return shown.stdout.splitlines()


def test_follow(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --follow each message is shown once, until Ctrl-C."""
    lines = followed(sandbox, monkeypatch, "json")
    assert [json.loads(line)["text"] for line in lines] == ["first", "second", "third"]


def test_follow_csv(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on as CSV is one file: its header comes once, however many portions there are, also before any."""
    lines = followed(sandbox, monkeypatch, "csv")
    assert [line for line in lines if line.startswith("time,")] == lines[:1] == ["time,channel,recipient,subject"]
    assert len(lines) == 4


def test_updated_and_deleted_channel(sandbox: Sandbox, tmp_path: Path) -> None:
    """A channel listens to the topics of its latest template, and is silent once its stack is gone."""
    topics = {name: {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}} for name in ("one", "two")}
    cloudformation, sns = client(sandbox, "cloudformation"), client(sandbox, "sns")
    for wanted in ("one", "two"):
        channel = {**RESOURCES["Slack"]["Properties"], "ConfigurationName": "moving", "SnsTopicArns": [{"Ref": wanted}]}
        resources = {**topics, "Channel": {"Type": RESOURCES["Slack"]["Type"], "Properties": channel}}
        (tmp_path / "moving.yaml").write_text(yaml.safe_dump({"Resources": resources}))
        if wanted == "one":
            deploy(tmp_path, session=sandbox.session(), endpoint_url=sandbox.endpoint_url, parameters={})
        else:
            text = (tmp_path / "moving.yaml").read_text()
            cloudformation.update_stack(StackName="contactsync-moving", TemplateBody=text)
    arns = [f"arn:aws:sns:us-east-1:{sandbox.management_account}:{name}" for name in ("one", "two")]
    for arn in arns:
        sns.publish(TopicArn=arn, Message=json.dumps(CHAT))
    origins = [item["origin"] for item in control(sandbox, "GET", "/inbox")["messages"]]
    assert origins == arns[1:]
    cloudformation.delete_stack(StackName="contactsync-moving")
    assert "moving" not in " ".join(sandbox.loop.chat_channels.known())
