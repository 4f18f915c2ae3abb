"""What DynamoDB refuses for its size, number or keys, as boto3 sees it in the sandbox."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.dynamodb.models.dynamo_type import DynamoType

from contactsync.sandbox.dynamodb.item_sizes import LARGEST_ITEM, value_size
from tests.sandbox.sandbox_clients import client, running

PUT_TOO_LARGE = "Item size has exceeded the maximum allowed size"
UPDATE_TOO_LARGE = "Item size to update has exceeded the maximum allowed size"
EMPTY_KEY = "The AttributeValue for a key attribute cannot contain an empty string value. Key: k"
NO_MATCH = "The provided key element does not match the schema"
DUPLICATES = "Provided list of item keys contains duplicates"
SAME_ITEM = "Transaction request cannot include multiple operations on one item"


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    """Run a sandbox with two tables and their indexes, one with a range key; what boto3 itself refuses is sent."""
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    with running() as sandbox:
        made = client(sandbox, "dynamodb", config=config)
        for name, keys in (("one", ("k",)), ("two", ("k", "r"))):
            made.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=False)],
                AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in (*keys, "i")],
                GlobalSecondaryIndexes=[
                    {
                        "IndexName": "by-i",
                        "KeySchema": [{"AttributeName": "i", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        yield made


def key(value: str, sort: str | None = None) -> dict[str, Any]:
    """Return a key."""
    return {"k": {"S": value}} | ({} if sort is None else {"r": {"S": sort}})


def sized(value: str, size: int, sort: str | None = None) -> dict[str, Any]:
    """Return an item of exactly that size."""
    start = key(value, sort)
    used = sum(len(name) + len(text["S"].encode()) for name, text in start.items())
    return {**start, "v": {"S": "x" * (size - used - len("v"))}}


def put(value: str, size: int = 100) -> dict[str, Any]:
    """Return a put of a transaction."""
    return {"Put": {"TableName": "one", "Item": sized(value, size)}}


def update(value: str, size: int) -> dict[str, Any]:
    """Return the parameters of an update to exactly that size."""
    text = sized(value, size)["v"]
    return {
        "TableName": "one",
        "Key": key(value),
        "UpdateExpression": "SET v = :v",
        "ExpressionAttributeValues": {":v": text},
    }


def refused(call: Any, **arguments: Any) -> dict[str, Any]:
    """Make a call that must be refused as invalid and return the error's answer."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer: dict[str, Any] = dict(caught.value.response)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    return answer


def message_of(call: Any, **arguments: Any) -> str:
    """Do that and return the message of the ValidationException."""
    answer = refused(call, **arguments)
    assert answer["Error"]["Code"] == "ValidationException"
    return str(answer["Error"]["Message"])


def stored(dynamodb: Any, value: str) -> dict[str, Any] | None:
    """Return an item of the table without a range key."""
    found: dict[str, Any] | None = dynamodb.get_item(TableName="one", Key=key(value)).get("Item")
    return found


def write_requests(*items: dict[str, Any], table: str = "one") -> dict[str, Any]:
    """Return puts of a batch."""
    return {table: [{"PutRequest": {"Item": item}} for item in items]}


def test_item(dynamodb: Any) -> None:
    """An item of 400 KB is stored, by a put, an update and a batch; of one byte more it is not."""
    dynamodb.put_item(TableName="one", Item=sized("put", LARGEST_ITEM))
    dynamodb.update_item(**update("update", LARGEST_ITEM))
    dynamodb.batch_write_item(RequestItems=write_requests(sized("batch", LARGEST_ITEM)))
    over = LARGEST_ITEM + 1
    assert message_of(dynamodb.put_item, TableName="one", Item=sized("put-over", over)) == PUT_TOO_LARGE
    assert message_of(dynamodb.update_item, **update("update-over", over)) == UPDATE_TOO_LARGE
    batch = write_requests(sized("batch-small", 100), sized("batch-over", over))
    assert message_of(dynamodb.batch_write_item, RequestItems=batch) == PUT_TOO_LARGE
    assert [stored(dynamodb, name) for name in ("put-over", "update-over", "batch-small", "batch-over")] == [None] * 4


def test_update_that_is_refused_changes_nothing(dynamodb: Any) -> None:
    """An item that would grow too large keeps what it had, however the update is built."""
    before = {**sized("grown", 300_000), "list": {"L": [{"S": "a"}]}}
    dynamodb.put_item(TableName="one", Item=before)
    growth = {":more": {"L": [{"S": "y" * 200_000}]}, ":n": {"N": "1"}}
    message = message_of(
        dynamodb.update_item,
        TableName="one",
        Key=key("grown"),
        UpdateExpression="SET #l = list_append(#l, :more), n = :n",
        ExpressionAttributeNames={"#l": "list"},
        ExpressionAttributeValues=growth,
    )
    assert message == UPDATE_TOO_LARGE
    assert stored(dynamodb, "grown") == before


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "äö€"}, 7),
        ({"B": b"12345"}, 5),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["ab", "cde"]}, 5),
        ({"NS": ["1", "12345"]}, 2 + 4),
        ({"BS": [b"ab"]}, 2),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": True}]}, 3 + 1 + 2 + 1 + 1),
        ({"M": {}}, 3),
        ({"M": {"name": {"S": "ab"}}}, 3 + 1 + 4 + 2),
        ({"L": [{"M": {"a": {"L": [{"S": "b"}]}}}]}, 3 + 1 + 3 + 1 + 1 + 3 + 1 + 1),
        ({"N": "0"}, 1),
        ({"N": "1"}, 2),
        ({"N": "-1"}, 3),
        ({"N": "42"}, 2),
        ({"N": "123456"}, 4),
        ({"N": "3.14159"}, 5),
        ({"N": "1E125"}, 2),
        ({"N": "0042.1200"}, 3),
    ],
)
def test_value(value: dict[str, Any], size: int) -> None:
    """Values are counted as AWS documents it, and numbers as it was measured."""
    assert value_size(DynamoType(value)) == size


def test_transaction_with_a_large_item(dynamodb: Any) -> None:
    """A put that is too large is known before the transaction; an update cancels it with a reason."""
    over = LARGEST_ITEM + 1
    call = dynamodb.transact_write_items
    assert message_of(call, TransactItems=[put("tx-a"), put("tx-over", over)]) == PUT_TOO_LARGE
    answer = refused(call, TransactItems=[put("tx-a"), {"Update": update("tx-over", over)}])
    assert answer["Error"]["Code"] == "TransactionCanceledException"
    assert answer["Error"]["Message"].endswith("for specific reasons [None, ValidationError]")
    assert answer["CancellationReasons"][1] == {"Code": "ValidationError", "Message": UPDATE_TOO_LARGE}
    assert [stored(dynamodb, name) for name in ("tx-a", "tx-over")] == [None, None]


@pytest.mark.parametrize("kind", ["Put", "Update", "Delete", "ConditionCheck"])
def test_transaction_of_four_megabytes(dynamodb: Any, kind: str) -> None:
    """The items of a transaction have 4 MB together, whatever is done to them; else nothing is done."""
    half = 4 * 1024 * 1024 // 16
    names = [f"{kind}-{number:02}" for number in range(17)]
    if kind in {"Delete", "ConditionCheck"}:
        for name in names:
            dynamodb.put_item(TableName="one", Item=sized(name, half))
    before = [stored(dynamodb, name) for name in names]
    condition = {"ConditionExpression": "attribute_exists(k)"} if kind == "ConditionCheck" else {}
    actions = [
        put(name, half)
        if kind == "Put"
        else {kind: update(name, half) if kind == "Update" else {"TableName": "one", "Key": key(name), **condition}}
        for name in names
    ]
    assert "4 MB" in message_of(dynamodb.transact_write_items, TransactItems=actions)
    assert [stored(dynamodb, name) for name in names] == before
    dynamodb.transact_write_items(TransactItems=actions[:16])


@pytest.mark.parametrize("count", [0, 101])
def test_number_of_actions(dynamodb: Any, count: int) -> None:
    """A transaction has 1 to 100 actions, to write and to read."""
    bound = "greater than or equal to 1" if count == 0 else "less than or equal to 100"
    expected = f"Value at 'TransactItems' failed to satisfy constraint: Member must have length {bound}"
    puts = [put(f"number-{number}") for number in range(count)]
    assert expected in message_of(dynamodb.transact_write_items, TransactItems=puts)
    gets = [{"Get": {"TableName": "one", "Key": key(f"number-{number}")}} for number in range(count)]
    assert expected in message_of(dynamodb.transact_get_items, TransactItems=gets)
    assert stored(dynamodb, "number-1") is None
    dynamodb.transact_write_items(TransactItems=[put(f"hundred-{number}") for number in range(100)])
    gets = [{"Get": {"TableName": "one", "Key": key(f"hundred-{number}")}} for number in range(100)]
    assert len(dynamodb.transact_get_items(TransactItems=gets)["Responses"]) == 100


def test_same_item_twice_in_a_transaction(dynamodb: Any) -> None:
    """Two actions on one item are refused; on items of the same key in two tables they are not."""
    delete = {"Delete": {"TableName": "one", "Key": key("same")}}
    assert message_of(dynamodb.transact_write_items, TransactItems=[put("same"), delete]) == SAME_ITEM
    get = {"Get": {"TableName": "one", "Key": key("same")}}
    assert message_of(dynamodb.transact_get_items, TransactItems=[get, get]) == SAME_ITEM
    other = {"Put": {"TableName": "two", "Item": key("same", "same")}}
    dynamodb.transact_write_items(TransactItems=[put("same"), other])


def test_large_transaction_to_read(dynamodb: Any) -> None:
    """What a transaction reads has 4 MB together."""
    for number in range(12):
        dynamodb.put_item(TableName="one", Item=sized(f"read-{number}", 390_000))
    gets = [{"Get": {"TableName": "one", "Key": key(f"read-{number}")}} for number in range(12)]
    assert "4 MB" in message_of(dynamodb.transact_get_items, TransactItems=gets)
    assert len(dynamodb.transact_get_items(TransactItems=gets[:10])["Responses"]) == 10


def test_number_of_writes_in_a_batch(dynamodb: Any) -> None:
    """A batch has 1 to 25 writes in all tables together, or nothing of it is done."""
    items = [sized(f"many-{number}", 50) for number in range(26)]
    constraint = "failed to satisfy constraint: Member must have length less than or equal to 25"
    call = dynamodb.batch_write_item
    assert message_of(call, RequestItems=write_requests(*items)).endswith(f"'RequestItems.one.member' {constraint}")
    others = write_requests(*(key(f"many-{number}", "r") for number in range(13)), table="two")
    both = {**write_requests(*items[:13]), **others}
    assert message_of(call, RequestItems=both) == "Too many items requested for the BatchWriteItem call"
    for empty in ({}, {"one": []}):
        assert message_of(call, RequestItems=empty).endswith("Member must have length greater than or equal to 1")
    assert stored(dynamodb, "many-1") is None
    assert call(RequestItems=write_requests(*items[:25]))["UnprocessedItems"] == {}


def test_same_key_twice_in_a_batch(dynamodb: Any) -> None:
    """Two writes of one item are refused, also a put and a delete; two tables may have the same key."""
    call = dynamodb.batch_write_item
    once = sized("twice", 50)
    assert message_of(call, RequestItems=write_requests(once, sized("twice", 60))) == DUPLICATES
    mixed = {"one": [{"PutRequest": {"Item": once}}, {"DeleteRequest": {"Key": key("twice")}}]}
    assert message_of(call, RequestItems=mixed) == DUPLICATES
    keys = {"one": {"Keys": [key("twice"), key("twice")]}}
    assert message_of(dynamodb.batch_get_item, RequestItems=keys) == DUPLICATES
    assert stored(dynamodb, "twice") is None
    same = key("twice", "twice")
    call(RequestItems={**write_requests(same), **write_requests(same, table="two")})


@pytest.mark.parametrize(
    "wrong", [{"k": {"N": "5"}}, {"k": {"L": []}}, {"other": {"S": "x"}}, {**key("x"), "v": {"S": "y"}}]
)
def test_key_of_another_schema_in_a_batch(dynamodb: Any, wrong: dict[str, Any]) -> None:
    """Keys of the wrong type, without the attribute or with more than it are refused."""
    deletes = {"one": [{"DeleteRequest": {"Key": wrong}}]}
    assert message_of(dynamodb.batch_write_item, RequestItems=deletes) == NO_MATCH
    assert message_of(dynamodb.batch_get_item, RequestItems={"one": {"Keys": [wrong]}}) == NO_MATCH
    if "v" not in wrong:
        assert message_of(dynamodb.batch_write_item, RequestItems=write_requests(wrong)) == NO_MATCH


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("put_item", {"TableName": "one", "Item": key("")}),
        ("get_item", {"TableName": "one", "Key": key("")}),
        ("delete_item", {"TableName": "one", "Key": key("")}),
        ("update_item", {**update("x", 50), "Key": key("")}),
        ("batch_write_item", {"RequestItems": write_requests(key(""))}),
        ("batch_write_item", {"RequestItems": {"one": [{"DeleteRequest": {"Key": key("")}}]}}),
        ("batch_get_item", {"RequestItems": {"one": {"Keys": [key("")]}}}),
        ("transact_write_items", {"TransactItems": [{"Put": {"TableName": "one", "Item": key("")}}]}),
        ("transact_write_items", {"TransactItems": [{"Update": {**update("x", 50), "Key": key("")}}]}),
        ("transact_write_items", {"TransactItems": [{"Delete": {"TableName": "one", "Key": key("")}}]}),
        (
            "transact_write_items",
            {
                "TransactItems": [
                    {
                        "ConditionCheck": {
                            "TableName": "one",
                            "Key": key(""),
                            "ConditionExpression": "attribute_exists(k)",
                        }
                    }
                ]
            },
        ),
        ("transact_get_items", {"TransactItems": [{"Get": {"TableName": "one", "Key": key("")}}]}),
    ],
)
def test_empty_key(dynamodb: Any, operation: str, arguments: dict[str, Any]) -> None:
    """A key cannot be an empty text, in any operation."""
    assert message_of(getattr(dynamodb, operation), **arguments).endswith(EMPTY_KEY)


def test_long_keys(dynamodb: Any) -> None:
    """A partition key has 2,048 bytes and a sort key 1,024, also where it is only looked up."""
    put_item, get_item = dynamodb.put_item, dynamodb.get_item
    put_item(TableName="two", Item=key("ä" * 1024, "r" * 1024))
    assert "maximum size limit of2048 bytes" in message_of(put_item, TableName="one", Item=key("ä" * 1025))
    assert "size limit of 1024 bytes" in message_of(get_item, TableName="two", Key=key("k", "r" * 1025))


@pytest.fixture(scope="module")
def large(dynamodb: Any) -> int:
    """Put sixty items of 300 KB under one key and return their number."""
    for number in range(60):
        dynamodb.put_item(TableName="two", Item=sized("large", 300_000, f"{number:02}"))
    return 60


@pytest.mark.parametrize(
    "narrowed", [{}, {"ProjectionExpression": "r"}, {"Select": "COUNT"}, {"FilterExpression": "r = :s"}]
)
def test_page(dynamodb: Any, large: int, narrowed: dict[str, Any]) -> None:
    """A page of a query or a scan looks at 1 MB, whatever is made of it, and all pages at everything."""
    values = {":s": {"S": "59"}} if "FilterExpression" in narrowed else {}
    query = {"KeyConditionExpression": "k = :k", "ExpressionAttributeValues": {":k": {"S": "large"}, **values}}
    scan = {"ExpressionAttributeValues": values} if values else {}
    for pages, looked_at in (
        (dynamodb.get_paginator("query").paginate(TableName="two", **query, **narrowed), large),
        (dynamodb.get_paginator("scan").paginate(TableName="two", **scan, **narrowed), None),
    ):
        found = [(page["ScannedCount"], page["Count"]) for page in pages]
        assert len(found) >= large // 3
        assert all(scanned <= 3 for scanned, _ in found if looked_at)
        assert looked_at in (None, sum(scanned for scanned, _ in found))
        assert not values or sum(count for _, count in found) == 1


def test_large_batch_to_read(dynamodb: Any, large: int) -> None:
    """A batch reads 16 MB; the rest is given back with all that was asked, to be sent again as it is."""
    keys = [key("large", f"{number:02}") for number in range(large)]
    requests: dict[str, Any] = {"two": {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "k, r, v"}}
    first = dynamodb.batch_get_item(RequestItems=requests)
    assert len(first["Responses"]["two"]) == 16 * 1024 * 1024 // 300_000
    rest = first["UnprocessedKeys"]
    assert {**rest["two"], "Keys": None} == {**requests["two"], "Keys": None}
    second = dynamodb.batch_get_item(RequestItems=rest)
    assert len(first["Responses"]["two"]) + len(second["Responses"]["two"]) == large
    assert second["UnprocessedKeys"] == {}


@pytest.mark.parametrize(("count", "bound"), [(0, "greater than or equal to 1"), (101, "less than or equal to 100")])
def test_number_of_keys_in_a_batch(dynamodb: Any, count: int, bound: str) -> None:
    """A batch reads 1 to 100 items."""
    keys = [key(f"{number}") for number in range(count)]
    message = message_of(dynamodb.batch_get_item, RequestItems={"one": {"Keys": keys}})
    assert message.endswith(
        f"'RequestItems.one.member.Keys' failed to satisfy constraint: Member must have length {bound}"
    )


def test_large_request(dynamodb: Any) -> None:
    """A request of more than 16 MB is answered with 413 and no body."""
    with pytest.raises(ClientError) as caught:
        dynamodb.batch_write_item(RequestItems=write_requests(*(sized(f"r{n}", 1_000_000) for n in range(17))))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


@pytest.mark.parametrize("condition", ["v < :v", "v <= :v", "v > :v", "v >= :v", "v BETWEEN :v AND :v", ":v < v"])
@pytest.mark.parametrize("value", [{"S": "7"}, {"BOOL": True}, {"L": []}, {"M": {}}, {"NULL": True}])
def test_types_that_differ(dynamodb: Any, condition: str, value: dict[str, Any]) -> None:
    """A condition that orders a number and a value of another type does not hold; it is no error."""
    dynamodb.put_item(TableName="one", Item={**key("types"), "v": value})
    with pytest.raises(ClientError) as caught:
        dynamodb.update_item(
            TableName="one",
            Key=key("types"),
            UpdateExpression="SET w = :v",
            ConditionExpression=condition,
            ExpressionAttributeValues={":v": {"N": "7"}},
        )
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"


K, X = {"k": {"S": "a"}}, {":x": {"S": "1"}}
LATER: dict[str, Any] = {":x": {"S": "2"}, ":y": {"S": "1"}}


def _in_transaction(**parts: Any) -> dict[str, Any]:
    return {"TransactItems": [{"Put": {"TableName": "one", "Item": K, **parts}}]}


@pytest.mark.parametrize(
    ("method", "parts", "message"),
    [
        (
            "put_item",
            {"Item": K, "ConditionExpression": "attribute_not_exists(k)", "ExpressionAttributeValues": X},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:x}",
        ),
        (
            "put_item",
            {"Item": K, "ExpressionAttributeValues": X},
            "ExpressionAttributeValues can only be specified when using expressions",
        ),
        (
            "put_item",
            {"Item": K, "ConditionExpression": "k = :x"},
            (
                "Invalid ConditionExpression: An expression attribute value used in expression is not defined; "
                "attribute value: :x"
            ),
        ),
        (
            "update_item",
            {"Key": K, "UpdateExpression": "SET #a = :x", "ExpressionAttributeValues": X},
            (
                "Invalid UpdateExpression: An expression attribute name used in the document path is not defined; "
                "attribute name: #a"
            ),
        ),
        (
            "query",
            {"KeyConditionExpression": "k = :x", "ExpressionAttributeValues": X, "Limit": 0},
            (
                "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
                "Member must have value greater than or equal to 1"
            ),
        ),
        (
            "put_item",
            {"Item": K, "ConditionExpression": "k BETWEEN :x AND :y", "ExpressionAttributeValues": LATER},
            (
                "Invalid ConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to "
                "lower bound; lower bound operand: AttributeValue: {S:2}, upper bound operand: AttributeValue: {S:1}"
            ),
        ),
        (
            "transact_write_items",
            _in_transaction(ConditionExpression="attribute_not_exists(k)", ExpressionAttributeValues=X),
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:x}",
        ),
    ],
)
def test_expressions(dynamodb: Any, method: str, parts: dict[str, Any], message: str) -> None:
    """Placeholders are defined and used, bounds are in order, and a limit is at least 1."""
    about = {} if "TransactItems" in parts else {"TableName": "one"}
    with pytest.raises(ClientError) as refused:
        getattr(dynamodb, method)(**about, **parts)
    assert refused.value.response["Error"] == {"Code": "ValidationException", "Message": message}
