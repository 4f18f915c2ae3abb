"""DynamoDB's transactions in the sandbox: whole or not at all, and no slower for a large table."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.sandbox_clients import client, running


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    """Run a sandbox with two tables, one of them with a range key."""
    with running() as sandbox:
        made = client(sandbox, "dynamodb")
        for name, keys in (("one", ("k",)), ("two", ("k", "r"))):
            made.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=False)],
                AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        yield made


def put(table: str, *key: str, value: str = "new", **more: Any) -> dict[str, Any]:
    """Return a put of a transaction."""
    return {"Put": {"TableName": table, "Item": {**key_of(*key), "v": {"S": value}}, **more}}


def key_of(*key: str) -> dict[str, Any]:
    """Return a key."""
    return {name: {"S": part} for name, part in zip(("k", "r"), key, strict=False)}


def value_of(dynamodb: Any, table: str, *key: str) -> str | None:
    """Return an item's value."""
    item = dynamodb.get_item(TableName=table, Key=key_of(*key)).get("Item")
    return item["v"]["S"] if item else None


def test_all(dynamodb: Any) -> None:
    """Puts, updates, deletes and checks across tables are carried out together."""
    dynamodb.put_item(TableName="two", Item={**key_of("a", "gone"), "v": {"S": "old"}})
    dynamodb.put_item(TableName="one", Item={**key_of("a"), "v": {"S": "old"}})
    set_v = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"S": "set"}}}
    dynamodb.transact_write_items(
        TransactItems=[
            put("two", "a", "1"),
            {"Update": {"TableName": "two", "Key": key_of("a", "2"), **set_v}},
            {"Delete": {"TableName": "two", "Key": key_of("a", "gone")}},
            {"ConditionCheck": {"TableName": "one", "Key": key_of("a"), "ConditionExpression": "attribute_exists(k)"}},
        ]
    )
    found = [value_of(dynamodb, "two", "a", sort) for sort in ("1", "2", "gone")]
    assert found == ["new", "set", None]


@pytest.mark.parametrize("broken", ["condition", "same item", "expression"])
def test_nothing(dynamodb: Any, broken: str) -> None:
    """Whatever makes a transaction fail, everything is as it was: what was there, and what was not."""
    for sort in ("changed", "deleted", "replaced"):
        dynamodb.put_item(TableName="two", Item={**key_of("b", sort), "v": {"S": "old"}})
    set_v = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"S": "set"}}}
    last = {
        "condition": put("one", "b", ConditionExpression="attribute_exists(k)"),
        "same item": put("two", "b", "added"),
        "expression": {"Update": {"TableName": "one", "Key": key_of("b"), **set_v, "UpdateExpression": "SET v = :no"}},
    }[broken]
    with pytest.raises(ClientError):
        dynamodb.transact_write_items(
            TransactItems=[
                put("two", "b", "replaced"),
                put("two", "b", "added"),
                put("two", "b-other", "added"),
                {"Update": {"TableName": "two", "Key": key_of("b", "changed"), **set_v}},
                {"Delete": {"TableName": "two", "Key": key_of("b", "deleted")}},
                last,
            ]
        )
    assert [value_of(dynamodb, "two", "b", sort) for sort in ("changed", "deleted", "replaced")] == ["old"] * 3
    assert value_of(dynamodb, "two", "b", "added") is None
    assert value_of(dynamodb, "two", "b-other", "added") is None
    assert (
        dynamodb.query(
            TableName="two",
            KeyConditionExpression="k = :k",
            ExpressionAttributeValues={":k": {"S": "b"}},
        )["Count"]
        == 3
    )


@pytest.mark.long
def test_large_table(dynamodb: Any) -> None:
    """A transaction of 100 items costs about the same in a large table as in a small one."""
    small = work_of_transaction(dynamodb, "small")
    for number in range(3000):
        dynamodb.put_item(TableName="two", Item={**key_of("c", f"{number:05}"), "v": {"S": "x" * 200}})
    assert work_of_transaction(dynamodb, "large") < 5 * small


def work_of_transaction(dynamodb: Any, key: str) -> float:
    """Return the least of three measurements: seconds of work in this process, the sandbox's part included."""
    found = []
    for attempt in range(3):
        items = [put("two", f"{key}-{attempt}", f"{number:03}") for number in range(100)]
        begun = time.process_time()
        dynamodb.transact_write_items(TransactItems=items)
        found.append(time.process_time() - begun)
    return min(found)
