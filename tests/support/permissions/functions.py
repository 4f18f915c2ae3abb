"""What the functions do in AWS: a change that starts a run, events of all kinds, and notices by every way."""

import json
from typing import Any

from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import ConfigurationChanged
from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.notices.scenarios import Scenario
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    sync_id_of,
)
from contactsync.services.services import Services
from tests.support.builders import account, alternate_values, operation
from tests.support.events import data_of
from tests.support.fakes.surroundings import START
from tests.support.permissions.system import FALLBACK, System
from tests.support.waiting import until

LARGE = ["k" * 100] * 2800
"""Changed keys that no message of SNS holds."""


def trigger(system: System) -> None:
    """Change a contact, so that the function asks MWAA to start a run; there is no Airflow here."""
    system.client("account").put_alternate_contact(AlternateContactType="SECURITY", **alternate_values(Name="T"))
    until(lambda: _calls(system, "InvokeRestApi"))


def publisher(system: System) -> None:
    """Publish an event of another system."""
    body = {"system": "ticketing", "kind": "ticket.opened", "title": "Ask somebody"}
    event = {
        "httpMethod": "POST",
        "path": "/events",
        "body": json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {"identity": {"userArn": "arn:aws:iam::111122223333:role/ticketing"}},
    }
    answer = system.client("lambda").invoke(
        FunctionName="contactsync-local-publisher", Payload=json.dumps(event).encode()
    )
    assert json.loads(answer["Payload"].read())["statusCode"] == 202


def subscribers(system: System) -> None:
    """Let both subscribers of the bus have events: new, repeated, large, without their data, and of unknown types."""
    with system.admin() as services:
        first = _change("first")
        for _ in range(2):
            services.publisher.publish([first])
            until(lambda: _rows(services, "first"))
            until(system.sandbox.loop.queue_polling.is_idle)
        services.publisher.publish([_change("large", changed_keys=LARGE)])
        until(lambda: _rows(services, "large"))
        for queue in ("audit", "notices"):
            _without_data(system, services, queue)
            _of_unknown_type(system, services, queue)
            _failing_once(system, services, queue)
        until(system.sandbox.loop.queue_polling.is_idle)


def _without_data(system: System, services: Services, queue: str) -> None:
    """Send an event whose data is no longer in the bucket: S3 says so only to those who may list it."""
    announced = _change(f"lost-{queue}", changed_keys=LARGE)
    message = services.publisher.message(announced)
    bucket, _, key = str(json.loads(message.body)["dataref"]).removeprefix("s3://").partition("/")
    system.client("s3").delete_object(Bucket=bucket, Key=key)
    _send(system, queue, message.body)
    until(lambda: _dead(services, queue, announced))


def _of_unknown_type(system: System, services: Services, queue: str) -> None:
    announced = _change(f"unknown-{queue}")
    body = json.loads(services.publisher.message(announced).body)
    _send(system, queue, json.dumps({**body, "type": "contactsync.unheard_of.v1"}))
    until(lambda: _dead(services, queue, announced))


def _failing_once(system: System, services: Services, queue: str) -> None:
    """Let the handling of an event fail, so that its mark is removed before it comes again."""
    announced = _change(f"failing-{queue}")
    before = len(_calls(system, "DeleteItem"))
    with system.fault(
        service="dynamodb", operation="PutItem", containing="failing-audit", error="InternalServerError", status=500
    ):
        _send(system, queue, services.publisher.message(announced).body)
        until(lambda: len(_calls(system, "DeleteItem")) > before)


def notices(system: System) -> None:
    """Have people notified on every way, also where the first ways fail."""
    fallback = f"arn:aws:sns:us-east-1:{system.sandbox.management_account}:{FALLBACK}"
    with system.admin() as services:
        settings = {"fallback_sns_topic": fallback, "user_notifications_config": {"delivery_channels": ["EMAIL"]}}
        latest = services.configurations.latest_version()
        changed = Configuration.model_validate({"notification_settings": settings})
        services.configurations.store(changed, after_version=latest, changed_by="tests")
        _notify(services, "notice-plain")
        until(lambda: _delivered(services, "notice-plain"))
        _failed_operation(services, "notice-long")
        services.steps.notice_requests.request(Scenario.COMPLETE_FAILURE, "notice-long", dag_id="contact_sync")
        until(lambda: _exports(system))
        for name, containing in (("notice-fallback", "contactsync-local-notices"), ("notice-again", "contactsync-")):
            fault = {"service": "sns", "operation": "Publish", "containing": containing, "error": "InternalError"}
            with system.fault(**fault, status=500):
                _notify(services, name)
                until(lambda name=name: _delivered(services, name))
        until(system.sandbox.loop.queue_polling.is_idle)


def _notify(services: Services, run: str) -> None:
    services.steps.notice_requests.request(Scenario.OVERDUE, run, dag_id="contact_sync")


def _failed_operation(services: Services, run: str) -> None:
    """Store an operation with more failures than a notice lists."""
    now = services.clock.now()
    one = operation(
        ContactType.SECURITY, run=run, timestamp=now, planned=now, status=OperationStatus.FAILED, counts={"failed": 90}
    )
    services.operations.store_plan(one, [])
    failed = (OutcomeStatus.FAILED, OutcomeDetail.UNAVAILABLE, "InternalServerException")
    services.operations.store_outcomes(
        one,
        [
            AccountOutcome(account(number).account_id, "a name", ContactType.SECURITY).settled(
                Attempt(1, now, now, *failed)
            )
            for number in range(90)
        ],
    )


def _change(key: str, **changes: Any) -> Announcement:
    data = data_of(ConfigurationChanged, config_key=key, **changes)
    return announcement(data, about=key, subject=key, correlation_id=key, time=START)


def _send(system: System, queue: str, body: str) -> None:
    """Put a message into a subscriber's queue, past the topic."""
    sqs = system.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=f"contactsync-local-{queue}")["QueueUrl"], MessageBody=body)


def _rows(services: Services, key: str) -> list[Any]:
    return list(services.audit_trail.correlated(key))


def _dead(services: Services, queue: str, announced: Announcement) -> list[Any]:
    return [facts for facts in services.dead_letters.look(queue) if facts.event_id == announced.id]


def _delivered(services: Services, run: str) -> list[Any]:
    stored = services.notice_store.of_operation(sync_id_of(run))
    return [item for item in stored if any(name.startswith("delivery_") for name in item)]


def _exports(system: System) -> list[Any]:
    bucket = system.sandbox.outputs["ClaimBucketName"]
    return list(system.client("s3").list_objects_v2(Bucket=bucket, Prefix="exports/").get("Contents", []))


def _calls(system: System, operation_name: str) -> list[Any]:
    return system.sandbox.call_log.query(operation=operation_name)
