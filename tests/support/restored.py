"""Deployments on a sandbox for backups: empty tables in other regions, and what is in tables."""

from collections.abc import Sequence
from typing import Any

import boto3
import pytest

from contactsync.backups.kinds import PASSING, Item, Kind, Table, key_of, kind_of
from contactsync.bus.envelope import Announcement
from contactsync.operations.operation import AccountOutcome
from contactsync.services.services import Services
from tests.support.builders import request

_regions = iter([name for name in boto3.Session().get_available_regions("dynamodb") if name != "us-east-1"])


class Silent:
    """Leaves announcements in the outbox: the sandbox would start a process for each."""

    def send(self, announcements: Sequence[Announcement]) -> None:
        """Do nothing."""


class QuietServices(Services):
    """The services of a deployment that tells nobody."""

    @property
    def announcer(self) -> Any:
        """One that does nothing."""
        return Silent()


def other_region(services: Services) -> str:
    """Make empty tables with the same names in a region that no other test uses, and return the region."""
    region = next(_regions)
    here, there = boto3.client("dynamodb"), boto3.client("dynamodb", region_name=region)
    for name in services.table_names.values():
        found: Any = here.describe_table(TableName=name)["Table"]
        indexes = [
            {part: index[part] for part in ("IndexName", "KeySchema", "Projection")}
            for index in found.get("GlobalSecondaryIndexes", [])
        ]
        there.create_table(
            TableName=name,
            KeySchema=found["KeySchema"],
            AttributeDefinitions=found["AttributeDefinitions"],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        )
    return region


def services_in(region: str) -> Services:
    """Return services whose tables are those of a region, whatever the environment says later."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.setenv(name, region)
        services = Services.from_environment()
        assert services._dynamodb.meta.region_name == region
    return services


def contents(services: Services, tables: Sequence[Table] = tuple(Table)) -> dict[Table, dict[str, Any]]:
    """Return all items that a restore has to bring back as they were, by their keys; counters may be raised."""
    return {
        table: {
            repr(sorted(key_of(table, item).items())): _ordered(item)
            for item in services.whole_tables.items(table)
            if kind_of(table, item) not in PASSING | {Kind.GENERATION}
        }
        for table in tables
    }


def _ordered(item: Item) -> dict[str, Any]:
    """Return an item whose sets have an order: DynamoDB's have none."""
    return {
        name: {kind: sorted(part) if kind in {"SS", "NS", "BS"} else part for kind, part in value.items()}
        for name, value in item.items()
    }


def run(services: Services, name: str, try_number: int = 1) -> list[AccountOutcome]:
    """Run all steps of a run, as the DAG does, and return the outcomes."""
    steps = services.steps
    outcomes: list[AccountOutcome] = []
    mapped = steps.planner.plan(request(dag_run_id=name), map_limit=10)
    for account_id in mapped:
        outcomes += steps.account_sync.sync(*steps.account_sync.open(name), account_id, try_number)
    steps.reporter.report(name, dict.fromkeys(mapped, "success"), has_plan=True)
    return outcomes
