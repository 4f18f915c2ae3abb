"""Calls of Organizations: paced, and made again while AWS throttles them, page by page."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contactsync.aws.organization_calls import RATES, OrganizationCalls
from contactsync.errors import AccessDeniedError, ThrottledError
from tests.support.fakes.surroundings import FakeClock


class Client:
    """Organizations, as far as it is called here: pages of numbers, and errors in a given order."""

    def __init__(self, pages: int, errors: dict[int, str]) -> None:
        """Take how many pages there are, and the code that the call with a number answers."""
        self._pages = pages
        self._errors = errors
        self.asked: list[str | None] = []
        self.meta = SimpleNamespace(method_to_api_mapping={"list_accounts": "ListAccounts", "list_roots": "ListRoots"})

    def list_accounts(self, **parameters: Any) -> dict[str, Any]:
        """Answer a page."""
        token = parameters.get("NextToken")
        self.asked.append(token)
        if code := self._errors.get(len(self.asked)):
            raise ClientError({"Error": {"Code": code, "Message": "slow"}}, "ListAccounts")
        page = int(token or 0)
        following = {"NextToken": str(page + 1)} if page + 1 < self._pages else {}
        return {"Accounts": [] if page == 1 else [page], **following}

    list_roots = list_accounts


def calls(client: Client, clock: FakeClock, tries: int = 5) -> OrganizationCalls:
    """Return the calls of a client."""
    return OrganizationCalls(client, clock, tries=tries, longest=20)


def test_throttled_page_is_asked_again() -> None:
    """A throttled page is asked for again where the listing stands; an empty page does not end it."""
    client = Client(5, {2: "TooManyRequestsException", 3: "TooManyRequestsException", 5: "ThrottlingException"})
    assert list(calls(client, FakeClock()).pages("ListAccounts", "Accounts")) == [0, 2, 3, 4]
    assert client.asked == [None, "1", "1", "1", "2", "2", "3", "4"]


def test_throttled_for_too_long() -> None:
    """The last of so many tries raises AWS's answer."""
    client = Client(1, dict.fromkeys(range(1, 99), "TooManyRequestsException"))
    with pytest.raises(ThrottledError):
        calls(client, FakeClock(), tries=4).call("ListAccounts")
    assert len(client.asked) == 4


def test_other_errors_are_final() -> None:
    """What is not throttled is not asked again here."""
    client = Client(1, {1: "AccessDeniedException"})
    with pytest.raises(AccessDeniedError):
        calls(client, FakeClock()).call("ListAccounts")
    assert len(client.asked) == 1


def test_pace() -> None:
    """Calls come in AWS's burst first, and then at its rate."""
    rate, burst = RATES["ListAccounts"]
    clock, pages = FakeClock(), 100
    begin = clock.monotonic()
    list(calls(Client(pages, {}), clock).pages("ListAccounts", "Accounts"))
    assert clock.monotonic() - begin == pytest.approx((pages - burst) / rate, abs=1 / rate)


def test_operations_are_paced_apart() -> None:
    """One operation's turns are not another's."""
    clock = FakeClock()
    made = calls(Client(1, {}), clock)
    begin = clock.monotonic()
    made.call("ListAccounts")
    made.call("ListRoots")
    assert clock.monotonic() == begin


@pytest.mark.parametrize("operation", RATES)
def test_every_operation_is_one_of_boto3(operation: str, offline: Callable[[str], Any]) -> None:
    """Every paced operation is a method of boto3's client."""
    assert operation in set(offline("organizations").meta.method_to_api_mapping.values())


@pytest.fixture
def offline() -> Callable[[str], Any]:
    """Make clients that call nothing."""
    import boto3

    return lambda service: boto3.client(
        service, region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
