"""Systems Manager's OpsItems: limits, duplicates, pages, changes, and the events that they make."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contactsync.sandbox.server import Sandbox
from tests.sandbox.sandbox_clients import client, control, member_session, running

ITEM = {"Title": "[HIGH] Sync failed", "Description": "Three accounts failed.", "Source": "contact-sync"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run one sandbox for all tests here."""
    with running() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def ssm(sandbox: Sandbox) -> Any:
    """Make a client of the management account."""
    return client(sandbox, "ssm")


def dedup(text: str) -> dict[str, Any]:
    """Make operational data with a deduplication string."""
    return {"/aws/dedup": {"Type": "SearchableString", "Value": json.dumps({"dedupString": text})}}


def refused(call: Any, **request: Any) -> dict[str, Any]:
    """Make a call that is refused and return the error's answer."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    return {**caught.value.response}


def test_created(sandbox: Sandbox, ssm: Any) -> None:
    """A created item can be read: as it was given, open, and with its creator and time."""
    given = {**ITEM, "Severity": "1", "Priority": 1, "Category": "Availability", "OperationalData": dedup("created")}
    answer = ssm.create_ops_item(**given)
    item = ssm.get_ops_item(OpsItemId=answer["OpsItemId"])["OpsItem"]
    assert {name: item[name] for name in given} == given
    assert (item["Status"], item["Version"], item["OpsItemType"]) == ("Open", "1", "/aws/issue")
    assert item["CreatedBy"] == f"arn:aws:iam::{sandbox.management_account}:user/sandbox"
    assert item["OpsItemArn"] == answer["OpsItemArn"]
    assert answer["OpsItemArn"].endswith(f":opsitem/{answer['OpsItemId']}")


def test_longest(ssm: Any) -> None:
    """Every text may have the documented length."""
    longest = {"Title": "t" * 1024, "Description": "d" * 2048, "Source": "s" * 128}
    ssm.create_ops_item(**longest, Category="c" * 64, Severity="s" * 64, Priority=5)


@pytest.mark.parametrize(
    "changes",
    [
        {"Title": "t" * 1025},
        {"Title": " "},
        {"Description": "d" * 2049},
        {"Source": "s" * 129},
        {"Category": "c" * 65},
        {"Severity": "s" * 65},
        {"Priority": 6},
        {"AccountId": "999988887777"},
        {"OperationalData": {"k" * 129: {"Type": "String", "Value": "v"}}},
        {"OperationalData": {"k": {"Value": "v"}}},
    ],
)
def test_refused(ssm: Any, changes: dict[str, Any]) -> None:
    """What is longer or out of range is refused by name, and creates nothing."""
    error = refused(ssm.create_ops_item, **{**ITEM, **changes})["Error"]
    (name,) = changes
    assert error["Code"] == "ValidationException"
    assert f"'{name[0].lower()}{name[1:]}'" in error["Message"]


@pytest.mark.parametrize(
    "data",
    [
        {"/aws/other": {"Type": "String", "Value": "v"}},
        {"amazonKey": {"Type": "String", "Value": "v"}},
        {"k": {"Type": "String", "Value": "v" * 20_480}},
        {"/aws/dedup": {"Type": "SearchableString", "Value": "no JSON"}},
    ],
)
def test_refused_data(ssm: Any, data: dict[str, Any]) -> None:
    """Reserved keys, too much data and a deduplication string in another form are refused."""
    answer = refused(ssm.create_ops_item, **ITEM, OperationalData=data)
    assert answer["Error"]["Code"] == "OpsItemInvalidParameterException"
    assert answer["ParameterNames"] == ["OperationalData"]


def test_duplicates(ssm: Any) -> None:
    """While an item is open another one with its deduplication string is refused by the first one's id."""
    first = ssm.create_ops_item(**ITEM, OperationalData=dedup("same"))["OpsItemId"]
    answer = refused(ssm.create_ops_item, **ITEM, OperationalData=dedup("same"))
    assert (answer["Error"]["Code"], answer["OpsItemId"]) == ("OpsItemAlreadyExistsException", first)
    ssm.create_ops_item(**ITEM, OperationalData=dedup("other"))
    ssm.create_ops_item(**{**ITEM, "Source": "elsewhere"}, OperationalData=dedup("same"))
    ssm.update_ops_item(OpsItemId=first, Status="InProgress")
    assert refused(ssm.create_ops_item, **ITEM, OperationalData=dedup("same"))["OpsItemId"] == first
    ssm.update_ops_item(OpsItemId=first, Status="Resolved")
    assert ssm.create_ops_item(**ITEM, OperationalData=dedup("same"))["OpsItemId"] != first


def test_without_dedup(ssm: Any) -> None:
    """Items without a deduplication string are never duplicates."""
    assert len({ssm.create_ops_item(**ITEM)["OpsItemId"] for _ in range(2)}) == 2


def test_update(ssm: Any) -> None:
    """An update changes what it names, counts the version up, and leaves the rest."""
    item_id = ssm.create_ops_item(**ITEM, OperationalData={"a": {"Type": "String", "Value": "1"}})["OpsItemId"]
    data = {"b": {"Type": "String", "Value": "2"}}
    ssm.update_ops_item(OpsItemId=item_id, Title="New", OperationalData=data, OperationalDataToDelete=["a"])
    item = ssm.get_ops_item(OpsItemId=item_id)["OpsItem"]
    assert (item["Title"], item["Description"], item["Version"]) == ("New", ITEM["Description"], "2")
    assert item["OperationalData"] == data
    assert item["LastModifiedTime"] > item["CreatedTime"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Title": "t" * 1025}, "ValidationException"),
        ({"Status": "Approved"}, "ValidationException"),
        ({"OperationalData": dedup("x")}, "OpsItemInvalidParameterException"),
        ({"OperationalDataToDelete": ["/aws/dedup"]}, "OpsItemInvalidParameterException"),
    ],
)
def test_refused_update(ssm: Any, changes: dict[str, Any], code: str) -> None:
    """A change beyond the limits, or of the deduplication string, is refused."""
    item_id = ssm.create_ops_item(**ITEM)["OpsItemId"]
    assert refused(ssm.update_ops_item, OpsItemId=item_id, **changes)["Error"]["Code"] == code


def test_absent(sandbox: Sandbox, ssm: Any) -> None:
    """An item that is not there, or is another account's, cannot be read or changed."""
    item_id = ssm.create_ops_item(**ITEM)["OpsItemId"]
    member = client(sandbox, "ssm", session=member_session(sandbox, sandbox.organization.account_ids()[1]))
    for call in (ssm.get_ops_item, ssm.update_ops_item):
        assert refused(call, OpsItemId="oi-000000000000")["Error"]["Code"] == "OpsItemNotFoundException"
    assert refused(member.get_ops_item, OpsItemId=item_id)["Error"]["Code"] == "OpsItemNotFoundException"


def test_pages(ssm: Any) -> None:
    """Items are listed by pages, the newest first, without descriptions."""
    made = [ssm.create_ops_item(**{**ITEM, "Source": "pages"})["OpsItemId"] for _ in range(5)]
    filters = [{"Key": "Source", "Values": ["pages"], "Operator": "Equal"}]
    pages = list(
        ssm.get_paginator("describe_ops_items").paginate(OpsItemFilters=filters, PaginationConfig={"PageSize": 2})
    )
    found = [item for page in pages for item in page["OpsItemSummaries"]]
    assert [len(page["OpsItemSummaries"]) for page in pages] == [2, 2, 1]
    assert [item["OpsItemId"] for item in found] == made[::-1]
    assert "Description" not in found[0]


def test_filters(ssm: Any) -> None:
    """Filters work together, one value of each is enough, and times can be compared."""
    source = [{"Key": "Source", "Values": ["filters"], "Operator": "Equal"}]
    for title, priority in (("[HIGH] a", 1), ("[LOW] b", 3)):
        ssm.create_ops_item(**{**ITEM, "Source": "filters", "Title": title}, Priority=priority)

    def titles(key: str, operator: str, *values: str) -> list[str]:
        filters = [*source, {"Key": key, "Values": list(values), "Operator": operator}]
        return sorted(item["Title"] for item in ssm.describe_ops_items(OpsItemFilters=filters)["OpsItemSummaries"])

    assert titles("Title", "Contains", "[HIGH]") == ["[HIGH] a"]
    assert titles("Priority", "Equal", "3", "4") == ["[LOW] b"]
    assert titles("Status", "Equal", "Open", "InProgress") == ["[HIGH] a", "[LOW] b"]
    assert titles("Status", "Equal", "Resolved") == []
    assert len(titles("CreatedTime", "GreaterThan", "2020-01-01T00:00:00Z")) == 2
    assert titles("CreatedTime", "LessThan", "2020-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "request_",
    [
        {"MaxResults": 51},
        {"NextToken": "x"},
        {"OpsItemFilters": [{"Key": "ResourceId", "Values": ["r"], "Operator": "Equal"}]},
        {"OpsItemFilters": [{"Key": "Status", "Values": ["Open"], "Operator": "GreaterThan"}]},
        {"OpsItemFilters": [{"Key": "CreatedTime", "Values": ["soon"], "Operator": "GreaterThan"}]},
    ],
)
def test_refused_listing(ssm: Any, request_: dict[str, Any]) -> None:
    """A page or a filter that cannot be is refused rather than ignored."""
    ssm.create_ops_item(**ITEM)
    assert refused(ssm.describe_ops_items, **request_)["Error"]["Code"] == "ValidationException"


def test_events(sandbox: Sandbox, ssm: Any) -> None:
    """Creating and changing an item put the service's events on the bus; a refused call puts none."""
    control(sandbox, "DELETE", "/events")
    item_id = ssm.create_ops_item(**ITEM, Severity="1")["OpsItemId"]
    ssm.update_ops_item(OpsItemId=item_id, Status="Resolved")
    refused(ssm.create_ops_item, **{**ITEM, "Title": " "})
    created, updated = [record["event"] for record in control(sandbox, "GET", "/events")["events"]]
    detail = created["detail"]
    assert (created["source"], created["detail-type"]) == ("aws.ssm", "OpsItem Create")
    assert (created["account"], created["region"]) == (sandbox.management_account, "us-east-1")
    assert created["resources"][0].endswith(item_id)
    assert set(detail) == {
        "created-by",
        "created-time",
        "source",
        "status",
        "ops-item-id",
        "title",
        "ops-item-type",
        "description",
    }
    assert (detail["title"], detail["source"], detail["status"]) == (ITEM["Title"], ITEM["Source"], "Open")
    assert (updated["detail-type"], updated["detail"]["status"]) == ("OpsItem Update", "Resolved")


def test_parameters_still_work(ssm: Any) -> None:
    """The rest of Systems Manager is moto's."""
    ssm.put_parameter(Name="p", Value="v", Type="String")
    assert ssm.get_parameter(Name="p")["Parameter"]["Value"] == "v"
