"""Earlier answers of AWS Organizations in the state table, so that not every process asks again."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from contactsync.accounts import FoundPlaces
from contactsync.aws.dynamodb.attributes import (
    Attributes,
    count,
    id_of_account,
    listed,
    mapped,
    moment,
    part,
    text,
    texts,
)
from contactsync.aws.dynamodb.items import WrongAttributeError, from_item, query, readable, to_item, to_text
from contactsync.aws.sdk.error_codes import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT: Final = timedelta(days=1)

DIGITS: Final = "0123456789"
"""The last digits of account ids: a walk's result is in ten items, 5,000 accounts in each for 50,000."""

MY_WALK: Final = "walker = :token"
NO_WALK: Final = (
    "attribute_not_exists(held_until) OR NOT attribute_type(held_until, :text) OR held_until <= :now OR "
    "held_until > :longest"
)
"""A time too far in the future comes from a wrong clock, or from something else, and does not count."""

TAGS: Final = mapped(mapped(text))
"""Tags by account id."""


class DynamoDbLookups:
    """The tags and units that were looked up, and the results of walks over the organization."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def tags(self, owner: str, since: datetime, until: datetime | None = None) -> Mapping[str, Mapping[str, str]]:
        """Return the tags by account id that were stored since then."""
        latest = to_text(until or datetime.max.replace(tzinfo=UTC))
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :since AND :until",
            ExpressionAttributeValues=to_item(
                {":pk": f"LOOKUP#{owner}", ":since": f"TAGS#{to_text(since)}", ":until": f"TAGS#{latest}#~"}
            ),
            ConsistentRead=True,
        )
        # What cannot be read is looked up again.
        portions = readable(items, lambda item: Attributes(item).required("tags", TAGS), self._table)
        return dict(entry for portion in portions for entry in portion.items())

    def keep_tags(self, owner: str, tags: Mapping[str, Mapping[str, str]], now: datetime) -> None:
        """Store tags of some accounts; they expire after a day."""
        self._put({"pk": f"LOOKUP#{owner}", "sk": f"TAGS#{to_text(now)}#{min(tags)}", "tags": tags}, now)

    def units_found(self, version: int, names: Iterable[str]) -> datetime | None:
        """Return when all these units of a configuration version were last found to exist."""
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :version)",
            ExpressionAttributeValues=to_item({":pk": "LOOKUP#UNITS", ":version": _number(version)}),
            ConsistentRead=True,
        )
        wanted = frozenset(names)
        lookups = readable(items, _units_in, self._table)
        return max((moment for moment, units in lookups if wanted <= units), default=None)

    def store_units_found(self, version: int, names: Iterable[str], now: datetime) -> None:
        """Store when these units were found; it expires after a day.

        Contact types with other units have other items.
        """
        units = sorted(names)
        digest = hashlib.sha256("\n".join(units).encode(errors="replace")).hexdigest()[:16]
        self._put({"pk": "LOOKUP#UNITS", "sk": f"{_number(version)}#{digest}", "units": units, "found_at": now}, now)

    def places(self, version: int, account_id: str) -> FoundPlaces | None:
        """Return the part of the latest walk's result that has the account; None when it cannot be read."""
        with translated("GetItem"):
            answer = self._client.get_item(
                TableName=self._table, Key=to_item(_places_key(version, account_id[-1])), ConsistentRead=True
            )
        items = filter(None, [from_item(answer.get("Item", {}))])
        return next(readable(items, _places_in, self._table), None)

    def store_places(self, version: int, walk: FoundPlaces) -> None:
        """Store the result in parts; each is complete in itself, so that the process may end between two."""
        for digit in DIGITS:
            self._put({**_places_key(version, digit), **_places_item(walk, digit)}, walk.found_at)

    def hold_walk(self, version: int, token: str, now: datetime, until: datetime) -> bool:
        """Take or renew the right to walk, unless another process has it."""
        with translated("PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_expiring({**_places_key(version, "WALK"), "walker": token, "held_until": until}, now),
                    ConditionExpression=f"{MY_WALK} OR {NO_WALK}",
                    ExpressionAttributeValues=to_item(
                        {":token": token, ":now": now, ":longest": until + (until - now), ":text": "S"}
                    ),
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _put(self, item: Mapping[str, Any], now: datetime) -> None:
        with translated("PutItem"):
            self._client.put_item(TableName=self._table, Item=_expiring(item, now))


def _expiring(item: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return to_item({**item, "expires_at": int((now + KEPT).timestamp())})


def _units_in(item: Mapping[str, Any]) -> tuple[datetime, frozenset[str]]:
    stored = Attributes(item)
    return stored.required("found_at", moment), frozenset(stored.required("units", texts))


def _places_item(walk: FoundPlaces, digit: str) -> dict[str, Any]:
    """Return one part: accounts in the same units are grouped, and units are stored by number."""
    units = sorted(walk.units)
    numbers = {name: number for number, name in enumerate(units)}
    groups: dict[frozenset[str], list[str]] = {}
    for account_id, names in walk.places.items():
        if account_id.endswith(digit):
            groups.setdefault(names, []).append(account_id)
    places = [{"units": sorted(numbers[name] for name in names), "accounts": ids} for names, ids in groups.items()]
    return {"found_at": walk.found_at, "units": units, "missing": sorted(walk.missing), "places": places}


def _places_in(item: Mapping[str, Any]) -> FoundPlaces:
    stored = Attributes(item)
    units = stored.required("units", texts)
    groups = stored.required("places", listed(part(lambda group: _group_in(group, units))))
    return FoundPlaces(
        found_at=stored.required("found_at", moment),
        units=frozenset(units),
        missing=frozenset(stored.required("missing", texts)),
        places={account_id: names for names, ids in groups for account_id in ids},
    )


def _group_in(stored: Attributes, units: Sequence[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    numbers = stored.required("units", listed(count))
    if any(number >= len(units) for number in numbers):
        problem = "names a unit that is not listed"
        raise WrongAttributeError(problem, place="units")
    return frozenset(units[number] for number in numbers), stored.required("accounts", listed(id_of_account))


def _places_key(version: int, part: str) -> dict[str, str]:
    return {"pk": f"LOOKUP#PLACES#{_number(version)}", "sk": part}


def _number(version: int) -> str:
    return f"{version:012}"
