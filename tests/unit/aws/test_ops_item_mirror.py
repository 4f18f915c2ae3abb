"""Notices as OpsItems: what AWS User Notifications gets to see of them."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contactsync.aws.notice_channels import DESCRIPTION_LENGTH, OpsItemMirror
from contactsync.bus.events import Severity
from contactsync.errors import AwsCallError
from contactsync.notices.samples import sample
from contactsync.notices.scenarios import Scenario


@dataclass
class FakeSystemsManager:
    """Takes items, each with another deduplication string."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    code: str | None = None

    def create_ops_item(self, **item: Any) -> None:
        """Take one, as Systems Manager does."""
        key = item["OperationalData"]["/aws/dedup"]["Value"]
        code = self.code or ("OpsItemAlreadyExistsException" if key in self.items else None)
        if code:
            raise ClientError({"Error": {"Code": code}}, "CreateOpsItem")
        self.items[key] = item


@pytest.mark.parametrize("scenario", Scenario)
def test_item(scenario: Scenario) -> None:
    """Title, source and the end of the text say where it comes from, however long the list of accounts is."""
    service = FakeSystemsManager()
    notice = sample(scenario)
    OpsItemMirror(lambda _: service).put(notice, "eu-west-1")  # type: ignore[arg-type, return-value] # a fake
    (item,) = service.items.values()
    assert item["Title"].startswith(f"[{notice.severity.upper()}] contactsync example: ")
    assert item["Source"] == "contactsync-example"
    assert len(item["Description"]) <= DESCRIPTION_LENGTH
    assert all(text in item["Description"] for text in (notice.headline, notice.notice_id, notice.links.run or ""))


def test_one_for_an_end() -> None:
    """The end of an operation is one item of each severity; what was told before it has its own."""
    service = FakeSystemsManager()
    mirror = OpsItemMirror(lambda _: service)  # type: ignore[arg-type, return-value] # a fake
    waiting, overdue = sample(Scenario.APPROVAL_WAITING), sample(Scenario.OVERDUE)
    partial, denied, system = (
        sample(scenario) for scenario in (Scenario.PARTIAL_FAILURE, Scenario.PERMISSION_ERRORS, Scenario.SYSTEM_ERRORS)
    )
    for notice in (waiting, waiting, overdue, partial, denied, system):
        mirror.put(notice, "eu-west-1")
    assert [item["Title"].partition("]")[0] for item in service.items.values()] == ["[MEDIUM"] * 3 + ["[HIGH"]
    mirror.put(replace(waiting, sync_id="another"), "eu-west-1")
    assert len(service.items) == 5


def test_refused() -> None:
    """Another refusal is an error of ours."""
    mirror = OpsItemMirror(lambda _: FakeSystemsManager(code="OpsItemLimitExceededException"))  # type: ignore[arg-type, return-value] # a fake
    with pytest.raises(AwsCallError):
        mirror.put(replace(sample(Scenario.HALTED), severity=Severity.LOW), "eu-west-1")
