"""Every kind of item that the product stores (docs/data.md), stored by its own adapters, with all that reads it."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from contactsync.aws.dynamodb.items import to_item
from contactsync.aws.tables.config_table import DynamoDbConfigurations
from contactsync.configuration.schema import Configuration
from contactsync.configuration.versions import Missing, differences
from contactsync.errors import ConfigurationError, ItemUnreadableError
from contactsync.views.rows import json_text
from tests.support.stored.bus_kinds import (
    audit_kind,
    failure_kind,
    handled_kind,
    notice_kind,
    outbox_kind,
    set_aside_kind,
)
from tests.support.stored.deployment import Stored
from tests.support.stored.pacing_kinds import (
    access_kind,
    breaker_kind,
    bucket_kind,
    limiter_kind,
    places_kind,
    tags_kind,
    units_kind,
)
from tests.support.stored.spoiling import Kind, Reader
from tests.support.stored.sync_kinds import (
    counter_kind,
    deletion_kind,
    desired_kind,
    operation_kind,
    outcome_kind,
    record_kind,
    unplanned_kind,
)


def configuration_kind(stored: Stored) -> Kind:
    """Store a version of the configuration."""
    services, key = stored.services, str(uuid.uuid4())
    table = services.settings.configuration.table
    versions = DynamoDbConfigurations(services._dynamodb, table, key, outbox_table=stored.state, clock=services.clock)
    settings = Configuration(excluded_accounts=(stored.one,))
    for number in range(2):
        versions.store(settings, after_version=number, changed_by="tests", reason="ticket 7")

    def compared() -> list[Any]:
        older, newer = versions.stored(1), versions.newest()
        return [
            json_text([one.path, _shown(one.before), _shown(one.after)])
            for one in differences(older.effective, newer.effective)
        ]

    def is_in_force() -> bool:
        """Tell whether no earlier version takes the place of one that cannot be read."""
        with suppress(ItemUnreadableError, ConfigurationError):
            return versions.latest().version == versions.latest_version()
        return True

    return Kind(
        table,
        to_item({"config_key": key, "version": 2}),
        {
            "latest": Reader(lambda: versions.latest().version),
            "version": Reader(lambda: versions.version(2).version),
            "newest": Reader(lambda: json_text(vars(versions.newest()) | {"data": versions.newest().effective})),
            "compared": Reader(compared),
            "history": Reader(
                lambda: list(versions.history()),
                others=lambda answer: 1 in {one.number for one in answer},
                bad=lambda answer: 2 in {one.number for one in answer},
            ),
        },
        protected=is_in_force,
    )


def _shown(value: Any) -> Any:
    return value.value if isinstance(value, Missing) else value


KINDS: Final[dict[str, Callable[[Stored], Kind]]] = {
    "operation": operation_kind,
    "outcome": outcome_kind,
    "record": record_kind,
    "counter": counter_kind,
    "limiter": limiter_kind,
    "breaker": breaker_kind,
    "breaker's counters": bucket_kind,
    "outbox": outbox_kind,
    "set aside": set_aside_kind,
    "notice": notice_kind,
    "unplanned runs": unplanned_kind,
    "kept tags": tags_kind,
    "units found": units_kind,
    "places": places_kind,
    "access check": access_kind,
    "desired contact": desired_kind,
    "desired deletion": deletion_kind,
    "configuration": configuration_kind,
    "audit row": audit_kind,
    "failure": failure_kind,
    "handled event": handled_kind,
}
"""By the names of docs/data.md."""
