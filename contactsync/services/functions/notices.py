"""The parts of the subscriber that delivers notices."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from contactsync.aws.claim_bucket import S3Exports
from contactsync.aws.metrics import EmbeddedMetrics
from contactsync.aws.notice_channels import OpsItemMirror, SnsNoticeTopic
from contactsync.aws.operations.stored_operations import DynamoDbStoredOperations
from contactsync.aws.tables.config_table import DynamoDbConfigurations
from contactsync.aws.tables.notice_store import DynamoDbNoticeStore
from contactsync.aws.tables.outbox_table import DynamoDbOutbox
from contactsync.clock import SystemClock
from contactsync.doc_links import known_address
from contactsync.notices.delivery import Deliverer
from contactsync.services.functions.environment import function_clients, function_settings
from contactsync.settings.groups import Group

NEEDS: Final = (Group.DEPLOYMENT, Group.CLAIMS, Group.CONFIGURATION, Group.STATE, Group.NOTICES)


def notice_deliverer() -> Deliverer:
    """Return the object that delivers the notice of an event."""
    settings, dynamodb, clock = function_settings(), function_clients().own("dynamodb"), SystemClock()
    state, notices, bucket = settings.state, settings.notices, settings.claims.bucket
    return Deliverer(
        operations=DynamoDbStoredOperations(dynamodb, state.table),
        configurations=DynamoDbConfigurations(
            dynamodb,
            settings.configuration.table,
            settings.configuration.key,
            outbox_table=state.table,
            clock=clock,
        ),
        topic=SnsNoticeTopic(_client_of("sns"), notices.topic),
        mirror=OpsItemMirror(_client_of("ssm")) if notices.ops_items else None,
        exports=S3Exports(function_clients().quick("s3"), bucket) if bucket else None,
        deliveries=DynamoDbNoticeStore(
            dynamodb,
            state.table,
            retention_days=state.retention_days,
            conflict_tries=state.conflict_tries,
            clock=clock,
        ),
        outbox=DynamoDbOutbox(dynamodb, state.table, conflict_tries=state.conflict_tries, clock=clock),
        metrics=EmbeddedMetrics(settings.deployment.environment),
        clock=clock,
        airflow_url=notices.airflow_url,
        docs_url=known_address(),
    )


def _client_of(service: str) -> Callable[[str], Any]:
    @cache
    def client_in(region: str) -> Any:  # noqa: ANN401 -- the service's own client type
        return function_clients().quick(service, region)

    return client_in
