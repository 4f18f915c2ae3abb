"""The adapters that deliver notices: SNS topics, and OpsItems that AWS User Notifications forwards."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from contactsync.aws.sdk.error_codes import code_of, translated
from contactsync.bus.events import Severity
from contactsync.notices.delivery import Rendered
from contactsync.notices.forms.render_text import render_digest, subject_of
from contactsync.notices.notice import Notice
from contactsync.notices.plain_text import cut
from contactsync.notices.scenarios import NO_END

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient

TITLE_LENGTH: Final = 1024
DESCRIPTION_LENGTH: Final = 2048
SOURCE: Final = "contactsync"
EXISTS: Final = "OpsItemAlreadyExistsException"
OPS_SEVERITIES: Final = {Severity.HIGH: "1", Severity.MEDIUM: "2", Severity.LOW: "3", Severity.INFO: "4"}


class SnsNoticeTopic:
    """The topic for notices; subscriptions filter by severity and channel."""

    def __init__(self, client_in: Callable[[str], "SNSClient"], topic_arn: str) -> None:
        """Take a function that returns the client of a region, because a fallback topic may be in another region."""
        self._client_in = client_in
        self._topic_arn = topic_arn

    def send(self, message: Rendered, topic_arn: str | None = None) -> None:
        """Publish; text for people is sent together with the JSON form for systems."""
        arn = topic_arn or self._topic_arn
        structured: dict[str, Any] = {}
        body = message.body
        if message.by_protocol:
            structured = {"MessageStructure": "json"}
            body = json.dumps({"default": message.body, **message.by_protocol})
        with translated("Publish"):
            self._client_in(arn.split(":")[3]).publish(
                TopicArn=arn,
                Subject=message.subject,
                Message=body,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
                },
                **structured,
            )


class OpsItemMirror:
    """One OpsItem for each severity of an operation's end: User Notifications accepts one event a second.

    A notice before the end has an item of its own, so that it is not taken for the end's.
    """

    def __init__(self, client_in: Callable[[str], "SSMClient"]) -> None:
        """Take a function that returns the client of a region."""
        self._client_in = client_in

    def put(self, notice: Notice, region: str) -> None:
        """Create the item; User Notifications selects it by source, and by the severity that starts its title."""
        phase = notice.scenario if notice.scenario in NO_END else "end"
        duplicate_key = json.dumps({"dedupString": f"{SOURCE}-{notice.thread}-{phase}-{notice.severity}"})
        with translated("CreateOpsItem"):
            try:
                self._client_in(region).create_ops_item(
                    Title=cut(subject_of(notice), TITLE_LENGTH),
                    Description=render_digest(notice, DESCRIPTION_LENGTH),
                    Source=f"{SOURCE}-{notice.environment}",
                    Severity=OPS_SEVERITIES[notice.severity],
                    OperationalData={"/aws/dedup": {"Type": "SearchableString", "Value": duplicate_key}},
                )
            except ClientError as error:
                if code_of(error) != EXISTS:
                    raise
