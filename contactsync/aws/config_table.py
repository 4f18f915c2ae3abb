"""The configuration table: one item per version, the greatest version is the one in force."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from contactsync.aws.error_codes import code_of, translated
from contactsync.aws.items import from_item, query, to_item
from contactsync.errors import ConfigurationConflictError, ConfigurationMissingError
from contactsync.sync.config import Configuration, StoredConfiguration, parse_configuration
from contactsync.sync.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDbConfigurations:
    """Versions of one configuration; versions are never changed or removed."""

    def __init__(self, client: "DynamoDBClient", table: str, config_key: str, clock: Clock) -> None:
        """Take the table's name and the key that tells several configurations in it apart."""
        self._client = client
        self._table = table
        self._config_key = config_key
        self._clock = clock

    def latest(self) -> StoredConfiguration:
        """Return the version in force, read consistently."""
        return self._stored(self._latest_item())

    def latest_version(self) -> int:
        """Return the number of the version in force, even of one that is invalid and is to be replaced."""
        return int(self._latest_item()["version"])

    def _latest_item(self) -> dict[str, Any]:
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="config_key = :key",
            ExpressionAttributeValues=to_item({":key": self._config_key}),
            ScanIndexForward=False,
            ConsistentRead=True,
            PaginationConfig={"MaxItems": 1},
        )
        item = next(items, None)
        if item is None:
            raise ConfigurationMissingError(table=self._table, config_key=self._config_key)
        return item

    def version(self, number: int) -> StoredConfiguration:
        """Return one version, read consistently: the plan may have stored its number a moment ago."""
        with translated("GetItem"):
            answer = self._client.get_item(
                TableName=self._table,
                Key=to_item({"config_key": self._config_key, "version": number}),
                ConsistentRead=True,
            )
        if "Item" not in answer:
            raise ConfigurationMissingError(table=self._table, config_key=self._config_key, version=number)
        return self._stored(from_item(answer["Item"]))

    def store(self, settings: Configuration, *, after_version: int, changed_by: str) -> StoredConfiguration:
        """Store the next version; raise ConfigurationConflictError when `after_version` is not the latest any more."""
        stored = StoredConfiguration(version=after_version + 1, settings=settings)
        item = {
            **settings.model_dump(mode="json"),
            "config_key": self._config_key,
            "version": stored.version,
            "changed_at": self._clock.now(),
            "changed_by": changed_by,
        }
        with translated("PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table, Item=to_item(item), ConditionExpression="attribute_not_exists(version)"
                )
            except ClientError as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    raise ConfigurationConflictError(
                        config_key=self._config_key, expected_version=after_version
                    ) from None
                raise
        return stored

    def _stored(self, item: dict[str, Any]) -> StoredConfiguration:
        version = item["version"]
        settings = {k: v for k, v in item.items() if k not in {"config_key", "version", "changed_at", "changed_by"}}
        return StoredConfiguration(version=version, settings=parse_configuration(settings, version=version))
