"""What the bus and its subscribers store, with all that reads it."""

import json
import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final

from aws_lambda_powertools import Logger

from contactsync.aws.dynamodb.items import to_item
from contactsync.aws.tables.failures_table import DynamoDbFailures
from contactsync.aws.tables.handled_events import HandledEvents
from contactsync.aws.tables.once import OnceByPowertools
from contactsync.bus.audit import entry_of
from contactsync.bus.consume import MessageFailure
from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import AccountFailed, ConfigurationChanged, NoticeRequested, Severity
from contactsync.bus.ports import SetAside
from contactsync.bus.replay import announcement_of
from contactsync.views.rows import json_text
from tests.support.events import event_of
from tests.support.fakes.surroundings import START, FakeClock
from tests.support.stored.deployment import Stored
from tests.support.stored.spoiling import Kind, Reader

LATER: Final = START + timedelta(days=1)
CODE: Final = "InternalServerException"


def _announced(stored: Stored, key: str) -> tuple[Announcement, tuple[str, str]]:
    """Put an announcement into the outbox, and return it with its key."""
    data = ConfigurationChanged(config_key=key, version=1, changed_by="tests")
    made = announcement(data, about=key, subject=key, correlation_id=key, time=START)
    stored.services.outbox.add(made)
    found = [item for part in range(4) for item in stored.items(stored.state, f"outbox#{part}")]
    (item,) = [item for item in found if item["sk"]["S"].endswith(made.id)]
    return made, (item["pk"]["S"], item["sk"]["S"])


def outbox_kind(stored: Stored) -> Kind:
    """Store an entry of the outbox."""
    outbox = stored.services.outbox
    _, key = _announced(stored, "an outbox's bad entry")
    good, _ = _announced(stored, "an outbox's good entry")
    outbox.refused(key)

    def aside() -> None:
        outbox.set_aside(SetAside(key, "EventInvalid", "A reason.", None, None))
        list(stored.services.dead_letters.look("outbox"))

    def emptied() -> None:
        letters = stored.services.dead_letter_queues
        own = key[1].partition("#")[2]
        letters.delete_all([letter for letter in letters.take("outbox") if letter.message_id == own])

    return Kind(
        stored.state,
        to_item({"pk": key[0], "sk": key[1]}),
        {
            "entries": Reader(
                lambda: list(outbox.entries(LATER)),
                others=lambda answer: good.id in {one.announcement.id for one in answer},
                bad=lambda answer: key in {one.key for one in answer},
            ),
            "refused": Reader(lambda: outbox.refused(key), others=lambda _: True, bad=lambda _: True),
            "set aside": Reader(aside, others=lambda _: True, bad=lambda _: True),
        },
        finally_=emptied,
    )


def set_aside_kind(stored: Stored) -> Kind:
    """Store an event that is set aside."""
    keys = []
    for name in ("a bad event aside", "a good event aside"):
        _, key = _announced(stored, name)
        stored.services.outbox.set_aside(SetAside(key, "EventInvalid", "A reason.", None, None))
        keys.append(key[1])
    bad, good = (key.partition("#")[2] for key in keys)
    letters = stored.services.dead_letters

    def ids(answer: Iterable[Any]) -> set[str]:
        return {one.message_id for one in answer}

    return Kind(
        stored.state,
        to_item({"pk": "outbox-aside", "sk": keys[0]}),
        {
            "look": Reader(
                lambda: list(letters.look("outbox")),
                others=lambda answer: good in ids(answer),
                bad=lambda answer: bad in ids(answer),
            ),
            "show": Reader(lambda: json_text(letters.show("outbox", bad))),
        },
        listings=[("dead-letters", "list", "outbox"), ("dead-letters", "list", "outbox", "-o", "json")],
        commands=[("dead-letters", "show", "outbox", bad)],
    )


def notice_kind(stored: Stored) -> Kind:
    """Store a notice with its deliveries."""
    requests, sync_id = stored.services.notice_store, str(uuid.uuid4())
    wanted = {
        scenario: NoticeRequested(notice_id=f"n {scenario}", scenario=scenario, priority=Severity.HIGH, code=CODE)
        for scenario in ("halted-bad", "halted-good")
    }
    for scenario, request in wanted.items():
        requests.store(sync_id, request, [])
        requests.store_delivery(sync_id, scenario, "EMAIL", {"status": "sent", "code": CODE, "at": START})

    def scenarios(answer: Iterable[Any]) -> set[str]:
        return {one["scenario"] for one in answer}

    return Kind(
        stored.state,
        to_item({"pk": f"NOTICES#{sync_id}", "sk": "halted-bad"}),
        {
            "deliveries": Reader(
                lambda: json.loads(json_text(list(requests.deliveries(sync_id)))),
                others=lambda answer: "halted-good" in scenarios(answer) and all(map(_is_of_texts, answer)),
                bad=lambda answer: "halted-bad" in scenarios(answer),
            ),
            "requested": Reader(lambda: requests.requested(sync_id), others=lambda answer: len(answer) > 1),
            "store": Reader(lambda: requests.store(sync_id, wanted["halted-bad"], [])),
        },
        listings=[("notices", "deliveries", sync_id), ("notices", "deliveries", sync_id, "-o", "json")],
    )


def _is_of_texts(row: Any) -> bool:
    return all(value is None or isinstance(value, str) for value in row.values())


def audit_kind(stored: Stored) -> Kind:
    """Store a row of the audit trail."""
    trail, key = stored.services.audit_trail, str(uuid.uuid4())
    entries = [
        entry_of(event_of(AccountFailed, event_id=f"{key}-{name}", correlation_id=key, sync_id=key))
        for name in ("bad", "good")
    ]
    for entry in entries:
        trail.add(entry)
    bad, good = entries
    # The first row of an event is in the indexes.
    row = next(item for item in stored.items(trail._table, bad.entities[0]) if key in item["sk"]["S"])

    def listing(read: Callable[[], Any], *indexed_by: str) -> Reader:
        return Reader(
            read,
            others=lambda answer: good.event_id in {one.event_id for one in answer},
            bad=lambda answer: len(answer) > 1,
            indexed_by=indexed_by,
        )

    return Kind(
        trail._table,
        {name: row[name] for name in ("pk", "sk")},
        {
            "about": listing(lambda: list(trail.about(bad.entities[0]))),
            "correlated": listing(lambda: list(trail.correlated(key)), "correlation"),
            "during": listing(lambda: list(trail.during(START - timedelta(days=1), LATER)), "day"),
            "replayed": Reader(
                lambda: [one and one.id for one in map(announcement_of, trail.about(bad.entities[0]))],
                others=lambda answer: good.event_id in answer,
                bad=lambda _: True,
            ),
        },
        listings=[("audit", "--entity", bad.entities[0]), ("audit", "--correlation-id", key, "-o", "json")],
    )


def failure_kind(stored: Stored) -> Kind:
    """Store why a message failed."""
    services, key = stored.services, str(uuid.uuid4())
    table = services.settings.dead_letters.idempotency_table
    failures = DynamoDbFailures(services._dynamodb, table, FakeClock())
    names = [f"{key}-bad", f"{key}-good"]
    for name in names:
        failures.remember("notices", name, MessageFailure("Code", "A sentence.", 3))
    return Kind(
        table,
        to_item({"id": f"failure#notices#{names[0]}"}),
        {
            "find": Reader(lambda: failures.find("notices", names[0]), others=lambda _: True),
            "find all": Reader(
                lambda: failures.find_all("notices", names),
                others=lambda answer: names[1] in answer,
                bad=lambda answer: names[0] in answer,
            ),
        },
    )


def handled_kind(stored: Stored) -> Kind:
    """Store an event that a subscriber has handled."""
    services, event = stored.services, event_of(event_id=str(uuid.uuid4()))
    table = services.settings.dead_letters.idempotency_table
    layer = HandledEvents(table, boto3_client=services._dynamodb)
    once = OnceByPowertools("audit", layer, Logger("spoiled"))
    once.begin(_Context())  # type: ignore[arg-type] -- what is asked of it
    before = _ids(stored, table)
    once.run(event, lambda: None)
    (name,) = _ids(stored, table) - before
    return Kind(table, to_item({"id": name}), {"once": Reader(lambda: once.run(event, lambda: None))})


class _Context:
    """An invocation with time enough."""

    def get_remaining_time_in_millis(self) -> int:
        """Return a minute."""
        return 60_000


def _ids(stored: Stored, table: str) -> set[str]:
    items: Any = stored.services._dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
    return {item["id"]["S"] for item in items}
