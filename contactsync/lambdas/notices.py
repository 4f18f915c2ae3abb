"""The subscriber that delivers notices to people."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from contactsync.aws.claim_bucket import S3Exports
from contactsync.aws.metrics import EmbeddedMetrics
from contactsync.aws.notice_channels import OpsItemMirror, SnsNoticeTopic
from contactsync.aws.operations.stored_operations import DynamoDbStoredOperations
from contactsync.aws.tables.config_table import DynamoDbConfigurations
from contactsync.aws.tables.notice_requests import DynamoDbNoticeRequests
from contactsync.aws.tables.outbox_table import DynamoDbOutbox
from contactsync.bus.envelope import Event
from contactsync.clock import SystemClock
from contactsync.doc_links import known_address
from contactsync.lambdas.subscriber import clients, required, subscribed
from contactsync.notices.delivery import Deliverer

RETENTION_DAYS = 400
CONFLICT_TRIES = 5


def _deliver() -> Callable[[Event], None]:
    dynamodb, clock = clients().own("dynamodb"), SystemClock()
    state, bucket = required("CONTACTSYNC_STATE_TABLE"), os.environ.get("CONTACTSYNC_CLAIM_BUCKET")
    deliverer = Deliverer(
        operations=DynamoDbStoredOperations(dynamodb, state),
        configurations=DynamoDbConfigurations(
            dynamodb,
            required("CONTACTSYNC_CONFIG_TABLE"),
            os.environ.get("CONTACTSYNC_CONFIG_KEY") or "default",
            outbox_table=state,
            clock=clock,
        ),
        topic=SnsNoticeTopic(_client_of("sns"), required("CONTACTSYNC_NOTICES_TOPIC_ARN")),
        mirror=OpsItemMirror(_client_of("ssm")) if os.environ.get("CONTACTSYNC_OPS_ITEMS") == "true" else None,
        exports=S3Exports(clients().quick("s3"), bucket) if bucket else None,
        deliveries=DynamoDbNoticeRequests(
            dynamodb, state, retention_days=RETENTION_DAYS, conflict_tries=CONFLICT_TRIES, clock=clock
        ),
        outbox=DynamoDbOutbox(dynamodb, state, conflict_tries=CONFLICT_TRIES, clock=clock),
        metrics=EmbeddedMetrics(required("CONTACTSYNC_ENVIRONMENT")),
        clock=clock,
        airflow_url=os.environ.get("CONTACTSYNC_AIRFLOW_URL") or None,
        docs_url=known_address(),
    )
    return deliverer.deliver


def _client_of(service: str) -> Callable[[str], Any]:
    @cache
    def client_in(region: str) -> Any:  # noqa: ANN401 -- the service's own client type
        return clients().quick(service, region)

    return client_in


handler = subscribed("notices", _deliver)
