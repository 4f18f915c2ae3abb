"""Many clients at once: DynamoDB's atomic writes are atomic in the sandbox too, although moto has no locks."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.sandbox.sandbox_clients import client, running


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    """Run a sandbox whose threads change places as often as Python lets them."""
    interval = sys.getswitchinterval()
    with running() as sandbox:
        made = client(sandbox, "dynamodb", config=Config(max_pool_connections=16))
        made.create_table(
            TableName="t",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        sys.setswitchinterval(1e-5)
        yield made
        sys.setswitchinterval(interval)


def _at_once(do: Callable[[int], Any], times: int) -> list[Any]:
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(do, range(times)))


def test_every_addition_counts(dynamodb: Any) -> None:
    """Concurrent additions lose nothing, and each caller sees another number."""

    def add(_: int) -> str:
        answer = dynamodb.update_item(
            TableName="t",
            Key={"k": {"S": "counter"}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="UPDATED_NEW",
        )
        return str(answer["Attributes"]["n"]["N"])

    assert sorted(map(int, _at_once(add, 300))) == list(range(1, 301))


def test_one_conditional_put_wins(dynamodb: Any) -> None:
    """Of many conditional puts of one item exactly one succeeds."""

    def put(number: int) -> bool:
        item = {"k": {"S": f"item-{number // 8}"}}
        return _succeeds(
            lambda: dynamodb.put_item(TableName="t", Item=item, ConditionExpression="attribute_not_exists(k)")
        )

    assert sum(_at_once(put, 240)) == 30


def test_transactions_are_whole(dynamodb: Any) -> None:
    """Of many conditional transactions one succeeds, and the others leave nothing behind."""
    put = {"Put": {"TableName": "t", "Item": {"k": {"S": "tx"}}, "ConditionExpression": "attribute_not_exists(k)"}}
    add = {
        "Update": {
            "TableName": "t",
            "Key": {"k": {"S": "tx-count"}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    won = _at_once(lambda _: _succeeds(lambda: dynamodb.transact_write_items(TransactItems=[put, add])), 60)
    assert sum(won) == 1
    assert dynamodb.get_item(TableName="t", Key={"k": {"S": "tx-count"}})["Item"]["n"] == {"N": "1"}


def _succeeds(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError:
        return False
    return True
