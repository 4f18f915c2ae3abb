"""The configuration table: one item per version; the greatest version is in force."""

import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from contactsync.aws.dynamodb.attributes import Attributes, Reads, moment, ordinal, text
from contactsync.aws.dynamodb.items import WrongAttributeError, from_item, query, read_one, readable, to_item
from contactsync.aws.sdk.error_codes import translated
from contactsync.aws.tables.outbox_table import outbox_puts
from contactsync.bus.envelope import Announcement
from contactsync.clock import Clock
from contactsync.configuration.schema import Configuration, StoredConfiguration
from contactsync.configuration.versions import StoredVersion
from contactsync.errors import ConfigurationConflictError, ConfigurationMissingError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

NOT_SETTINGS: Final = frozenset({"config_key", "version", "changed_at", "changed_by", "reason", "token"})
"""Attributes beside the configuration's keys; no key may ever have one of these names."""


class DynamoDbStoredConfigurations:
    """Versions of one configuration, for code that only reads them."""

    def __init__(self, client: "DynamoDBClient", table: str, config_key: str) -> None:
        """Take the table's name, and the key of this configuration among several in the table."""
        self.config_key = config_key
        self._client = client
        self._table = table

    def latest(self) -> StoredConfiguration:
        """Return the version in force, read consistently."""
        return _configuration(self.newest())

    def version(self, number: int) -> StoredConfiguration:
        """Return one version, read consistently: a plan may have stored its number a moment ago."""
        return _configuration(self.stored(number))

    def latest_version(self) -> int:
        """Return the number of the version in force, even if that version is invalid and has to be replaced."""
        return self.newest().number

    def newest(self) -> StoredVersion:
        """Return the version in force as it is stored, valid or not."""
        item = next(self._items(limit=1), None)
        if item is None:
            raise ConfigurationMissingError(table=self._table, config_key=self.config_key)
        return read_one(item, _version, self._table)

    def stored(self, number: int) -> StoredVersion:
        """Return one version as it is stored, valid or not."""
        item = self._read(number)
        if not item:
            raise ConfigurationMissingError(table=self._table, config_key=self.config_key, version=number)
        return read_one(item, _version, self._table)

    def history(self, *, limit: int | None = None) -> Iterator[StoredVersion]:
        """Yield the newest versions first, read consistently and page by page; all of them without a limit."""
        return readable(self._items(limit=limit), _version, self._table)

    def _items(self, *, limit: int | None) -> Iterator[dict[str, Any]]:
        return query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="config_key = :key",
            ExpressionAttributeValues=to_item({":key": self.config_key}),
            ScanIndexForward=False,
            ConsistentRead=True,
            limit=limit,
        )

    def _read(self, number: int) -> dict[str, Any]:
        with translated("GetItem"):
            answer = self._client.get_item(
                TableName=self._table,
                Key=to_item({"config_key": self.config_key, "version": number}),
                ConsistentRead=True,
            )
        return from_item(answer.get("Item", {}))


class DynamoDbConfigurations(DynamoDbStoredConfigurations):
    """Versions of one configuration; versions are never changed or removed."""

    def __init__(
        self, client: "DynamoDBClient", table: str, config_key: str, *, outbox_table: str, clock: Clock
    ) -> None:
        """Take the table's name, the key of this configuration among several in it, and the outbox's table."""
        super().__init__(client, table, config_key)
        self._outbox_table = outbox_table
        self._clock = clock

    def store(
        self,
        configuration: Configuration,
        *,
        after_version: int,
        changed_by: str,
        reason: str | None = None,
        announced: Sequence[Announcement] = (),
    ) -> StoredConfiguration:
        """Store the next version; raise ConfigurationConflictError when `after_version` is no longer the latest one.

        0 means that there is no version yet.
        """
        stored = StoredConfiguration(version=after_version + 1, configuration=configuration)
        item = {
            **configuration.model_dump(mode="json"),
            "config_key": self.config_key,
            "version": stored.version,
            "changed_at": self._clock.now(),
            "changed_by": changed_by,
            "reason": reason,
            "token": secrets.token_hex(16),
        }
        with translated("TransactWriteItems"):
            try:
                writes = [*self._writes(item, after_version), *outbox_puts(self._outbox_table, announced)]
                self._client.transact_write_items(TransactItems=writes)
            except self._client.exceptions.TransactionCanceledException:
                # The SDK may have repeated a successful write.
                if self._read(stored.version).get("token") != item["token"]:
                    conflict = ConfigurationConflictError(config_key=self.config_key, expected_version=after_version)
                    raise conflict from None
        return stored

    def _writes(self, item: dict[str, Any], after_version: int) -> Any:  # noqa: ANN401 -- a deep boto3 shape
        put = {
            "Put": {
                "TableName": self._table,
                "Item": to_item(item),
                "ConditionExpression": "attribute_not_exists(version)",
            }
        }
        latest = {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": to_item({"config_key": self.config_key, "version": after_version}),
                "ConditionExpression": "attribute_exists(version)",
            }
        }
        return [put, latest] if after_version else [put]


def _configuration(version: StoredVersion) -> StoredConfiguration:
    return StoredConfiguration(version=version.number, configuration=version.configuration)


def _version(item: dict[str, Any]) -> StoredVersion:
    return StoredVersion(
        number=Attributes(item).required("version", ordinal),
        data={name: value for name, value in item.items() if name not in NOT_SETTINGS},
        changed_at=_beside(item, "changed_at", moment),
        changed_by=_beside(item, "changed_by", text),
        reason=_beside(item, "reason", text),
    )


def _beside(item: dict[str, Any], name: str, read: Reads[T]) -> T | None:
    """Return an attribute beside the settings; None if it has another form: the settings count all the same."""
    try:
        return Attributes(item).optional(name, read)
    except WrongAttributeError:
        return None
