"""Quotas: the rates and bursts of the account service, by themselves and as boto3 sees them."""

from collections.abc import Callable

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from contactsync.sandbox.requests.quotas import Quota, Quotas, QuotaSettings
from contactsync.sandbox.scenario.scenario import Scenario
from tests.sandbox.sandbox_clients import client, control, running

MANAGEMENT, MEMBER = "111122223333", "444455556666"


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        """Start at nought."""
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def allowed(quotas: Quotas, operation: str, calls: int, account: str = MANAGEMENT, service: str = "account") -> int:
    """Count how many of so many calls at once are let through."""
    return sum(quotas.take(service, operation, account) for _ in range(calls))


@pytest.mark.parametrize(
    ("preset", "operation", "burst", "rate"),
    [
        ("commercial", "GetAlternateContact", 15, 10),
        ("commercial", "GetContactInformation", 15, 10),
        ("commercial", "PutAlternateContact", 8, 5),
        ("commercial", "PutContactInformation", 8, 5),
        ("commercial", "DeleteAlternateContact", 6, 1),
        ("china", "GetAlternateContact", 5, 3),
        ("china", "GetContactInformation", 5, 3),
        ("china", "PutAlternateContact", 6, 1),
        ("china", "PutContactInformation", 2, 1),
        ("china", "DeleteAlternateContact", 6, 1),
    ],
)
def test_presets(preset: str, operation: str, burst: int, rate: int) -> None:
    """Each partition's documented burst is let through at once, and its rate in each second after that."""
    clock = Clock()
    quotas = Quotas(QuotaSettings.model_validate({"preset": preset}), clock)
    assert allowed(quotas, operation, 40) == burst
    clock.now = 1.0
    assert allowed(quotas, operation, 40) == rate
    clock.now = 1000.0
    assert allowed(quotas, operation, 40) == burst


@pytest.mark.parametrize(
    ("operation", "rate", "burst"),
    [
        ("ListAccounts", 8, 12),
        ("DescribeAccount", 20, 30),
        ("ListParents", 5, 8),
        ("ListAccountsForParent", 5, 8),
        ("ListOrganizationalUnitsForParent", 5, 8),
        ("DescribeOrganizationalUnit", 2, 2),
        ("ListRoots", 1, 2),
        ("ListTagsForResource", 10, 15),
        ("ListAWSServiceAccessForOrganization", 1, 3),
        ("ListDelegatedAdministrators", 5, 8),
        ("DescribeOrganization", 1, 2),
    ],
)
def test_organizations(operation: str, rate: int, burst: int) -> None:
    """Calls of Organizations have their documented rates and bursts for each account."""
    clock = Clock()
    quotas = Quotas(clock=clock)
    assert allowed(quotas, operation, 60, service="organizations") == burst
    clock.now = 1.0
    assert allowed(quotas, operation, 60, service="organizations") == rate
    off = Quotas(QuotaSettings(organizations=False), clock)
    assert allowed(off, operation, 60, service="organizations") == 60


def test_whole_organization() -> None:
    """All callers together have a limit too; a call that is refused counts against nobody."""
    clock = Clock()
    quotas = Quotas(clock=clock)
    assert allowed(quotas, "ListAccounts", 60, service="organizations") == 12
    assert allowed(quotas, "ListAccounts", 60, account=MEMBER, service="organizations") == 3
    clock.now = 1.0
    assert allowed(quotas, "ListAccounts", 60, account=MEMBER, service="organizations") == 9
    changed = Quotas(QuotaSettings.model_validate({"operations": {"ListAccounts": {"rate": 1, "burst": 20}}}), clock)
    for account in (MANAGEMENT, MEMBER):
        assert allowed(changed, "ListAccounts", 60, account=account, service="organizations") == 20


def test_organizations_throttles_over_boto3() -> None:
    """Organizations answers 400 where Account Management answers 429, and botocore takes it for throttling."""
    with running(Scenario()) as sandbox:
        organizations = client(sandbox, "organizations")
        found = [organizations.list_roots()["Roots"][0]["Id"] for _ in range(2)]
        with pytest.raises(ClientError) as caught:
            organizations.list_roots()
        answer = caught.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (
            "TooManyRequestsException",
            400,
        )
        assert answer["Error"]["Message"].startswith("You have sent too many requests")
        patient = client(sandbox, "organizations", config=Config(retries={"mode": "standard", "total_max_attempts": 9}))
        assert patient.list_roots()["Roots"][0]["Id"] == found[0]
        assert sandbox.call_log.query(error="TooManyRequestsException")[0].status == 400


@pytest.mark.parametrize(
    ("operation", "hint"),
    [("ListAccount", "the nearest is ListAccounts"), ("putalternatecontact", "the nearest is PutAlternateContact")],
)
def test_unknown_operation(operation: str, hint: str) -> None:
    """A quota for an operation that neither service has is refused, with the nearest name."""
    with pytest.raises(ValueError, match=hint):
        QuotaSettings.model_validate({"operations": {operation: {"rate": 1, "burst": 1}}})


def test_scope() -> None:
    """Callers and operations have buckets of their own, and other services and operations have none."""
    quotas = Quotas(clock=Clock())
    assert allowed(quotas, "DeleteAlternateContact", 10) == 6
    assert allowed(quotas, "DeleteAlternateContact", 10, account=MEMBER) == 6
    assert allowed(quotas, "PutAlternateContact", 10) == 8
    assert allowed(quotas, "ListRegions", 100) == 100
    assert all(quotas.take("organizations", "GetAlternateContact", MANAGEMENT) for _ in range(100))


def test_settings() -> None:
    """Quotas can be switched off, changed for one operation, and a change fills all buckets."""
    quotas = Quotas(QuotaSettings(enabled=False), Clock())
    assert allowed(quotas, "PutAlternateContact", 100) == 100
    quotas.settings = QuotaSettings(operations={"PutAlternateContact": Quota(rate=1, burst=2)})
    assert allowed(quotas, "PutAlternateContact", 100) == 2
    assert allowed(quotas, "GetAlternateContact", 100) == 15
    quotas.settings = QuotaSettings()
    assert allowed(quotas, "PutAlternateContact", 100) == 8


def test_throttled_over_boto3() -> None:
    """A throttled call is answered with 429 and TooManyRequestsException, is logged, and reaches nothing."""
    with running(Scenario()) as sandbox:
        account = client(sandbox, "account")

        def delete() -> int:
            try:
                account.delete_alternate_contact(AlternateContactType="SECURITY")
            except ClientError as error:
                headers = error.response["ResponseMetadata"]["HTTPHeaders"]
                if error.response["Error"]["Code"] == "TooManyRequestsException":
                    assert headers["x-amzn-errortype"] == "TooManyRequestsException"
                return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
            return 200

        assert statuses(delete, 8)[-1] == 429
        assert sandbox.call_log.query(error="TooManyRequestsException")[0].status == 429


def test_retried_by_botocore() -> None:
    """Botocore takes the throttling for one and tries again until a call gets through."""
    quotas = {"quotas": {"operations": {"GetAlternateContact": {"rate": 20, "burst": 1}}}}
    with running(Scenario.model_validate(quotas)) as sandbox:
        account = client(sandbox, "account", config=Config(retries={"mode": "standard", "total_max_attempts": 5}))
        attempts = [
            account.get_alternate_contact(AlternateContactType="BILLING")["ResponseMetadata"]["RetryAttempts"]
            for _ in range(3)
        ]
        assert sum(attempts) >= 1


def test_over_http() -> None:
    """The control API tells the quotas in force and changes them while the sandbox runs."""
    with running(Scenario()) as sandbox:
        assert control(sandbox, "GET", "/quotas")["operations"]["PutAlternateContact"] == {"rate": 5, "burst": 8}
        assert control(sandbox, "PUT", "/quotas", {"preset": "china"})["operations"]["PutAlternateContact"]["rate"] == 1
        account = client(sandbox, "account")
        control(sandbox, "PUT", "/quotas", {"enabled": False})
        for _ in range(30):
            account.get_alternate_contact(AlternateContactType="BILLING")
        assert "rate" in control(sandbox, "PUT", "/quotas", {"operations": {"X": {"burst": 1}}}, status=400)["error"]


def statuses(action: Callable[[], int], times: int) -> list[int]:
    """Do something so many times and list what it gave."""
    return [action() for _ in range(times)]
