"""The request quotas of Account Management and Organizations: token buckets for each operation.

https://docs.aws.amazon.com/accounts/latest/reference/quotas.html
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html#throttling-limits
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from contactsync.sandbox.operation_names import check_operation, operations_of
from contactsync.sandbox.settings_model import SettingsModel

Preset = Literal["commercial", "china"]
_ACCOUNT, _ORGANIZATIONS = "account", "organizations"
_LIMITED = (_ACCOUNT, _ORGANIZATIONS)


class Quota(SettingsModel):
    """A token bucket: how many calls per second refill it, and how many it holds."""

    rate: float = Field(gt=0, description="calls per second")
    burst: int = Field(ge=1, description="calls at once after a pause")


def _quotas(**quotas: tuple[float, int]) -> dict[str, Quota]:
    return {operation: Quota(rate=rate, burst=burst) for operation, (rate, burst) in quotas.items()}


# Where AWS documents no burst (from GetAccountInformation on), it is the calls of one second.
PRESETS: Mapping[str, Mapping[str, Quota]] = {
    "commercial": _quotas(
        GetAlternateContact=(10, 15),
        GetContactInformation=(10, 15),
        PutAlternateContact=(5, 8),
        PutContactInformation=(5, 8),
        DeleteAlternateContact=(1, 6),
        GetAccountInformation=(3, 3),
        StartPrimaryEmailUpdate=(1, 1),
        AcceptPrimaryEmailUpdate=(1, 1),
    ),
    "china": _quotas(
        GetAlternateContact=(3, 5),
        GetContactInformation=(3, 5),
        PutAlternateContact=(1, 6),
        PutContactInformation=(1, 2),
        DeleteAlternateContact=(1, 6),
    ),
}


ORGANIZATIONS: Mapping[str, Quota] = _quotas(
    CloseAccount=(0.05, 1),
    CreateAccount=(0.1, 3),
    CreateGovCloudAccount=(0.1, 3),
    DescribeAccount=(20, 30),
    DescribeCreateAccountStatus=(2, 2),
    LeaveOrganization=(1, 1),
    ListCreateAccountStatus=(5, 8),
    AcceptHandshake=(1, 2),
    DescribeHandshake=(1, 2),
    CancelHandshake=(2, 3),
    DeclineHandshake=(1, 1),
    InviteAccountToOrganization=(3, 5),
    ListHandshakesForAccount=(5, 8),
    ListHandshakesForOrganization=(5, 8),
    CreateOrganization=(1, 1),
    DeleteOrganization=(1, 1),
    CreateOrganizationalUnit=(1, 2),
    DescribeOrganization=(1, 2),
    MoveAccount=(2, 3),
    UpdateOrganizationalUnit=(2, 3),
    DeleteOrganizationalUnit=(2, 3),
    DescribeOrganizationalUnit=(2, 2),
    ListAccounts=(8, 12),
    ListChildren=(6, 10),
    ListParents=(5, 8),
    ListAccountsForParent=(5, 8),
    ListOrganizationalUnitsForParent=(5, 8),
    ListRoots=(1, 2),
    ListTagsForResource=(10, 15),
    RemoveAccountFromOrganization=(2, 2),
    TagResource=(4, 6),
    UntagResource=(4, 6),
    CreatePolicy=(2, 3),
    DeletePolicy=(2, 3),
    AttachPolicy=(2, 3),
    DetachPolicy=(2, 3),
    DescribePolicy=(2, 2),
    DisablePolicyType=(1, 1),
    EnablePolicyType=(1, 1),
    ListPolicies=(5, 8),
    ListPoliciesForTarget=(5, 8),
    ListTargetsForPolicy=(5, 8),
    UpdatePolicy=(2, 3),
    EnableAWSServiceAccess=(1, 2),
    DisableAWSServiceAccess=(1, 2),
    ListAWSServiceAccessForOrganization=(1, 3),
    ListDelegatedServicesForAccount=(1, 3),
    ListDelegatedAdministrators=(5, 8),
    RegisterDelegatedAdministrator=(1, 2),
    DeregisterDelegatedAdministrator=(1, 2),
)
"""Limits of each calling account, also in China (our guess); operations that AWS does not list have no limit."""

WHOLE_ORGANIZATION: Mapping[str, Quota] = _quotas(
    DescribeAccount=(24, 36),
    DescribeCreateAccountStatus=(2, 3),
    ListCreateAccountStatus=(6, 10),
    AcceptHandshake=(5, 5),
    DescribeHandshake=(6, 10),
    DeclineHandshake=(5, 5),
    ListHandshakesForAccount=(6, 10),
    ListHandshakesForOrganization=(6, 10),
    DescribeOrganizationalUnit=(2, 3),
    ListAccounts=(9, 15),
    ListChildren=(7, 12),
    ListParents=(6, 10),
    ListAccountsForParent=(6, 10),
    ListOrganizationalUnitsForParent=(6, 10),
    ListRoots=(1, 3),
    ListTagsForResource=(12, 18),
    DescribePolicy=(2, 3),
    ListPolicies=(6, 10),
    ListPoliciesForTarget=(6, 10),
    ListTargetsForPolicy=(6, 10),
    ListAWSServiceAccessForOrganization=(1, 4),
    ListDelegatedServicesForAccount=(1, 4),
    ListDelegatedAdministrators=(6, 10),
)
"""Limits of all accounts of the organization together, in addition to those of each account."""

_Bucket = tuple[str, str]


class QuotaSettings(SettingsModel):
    """The quotas: a preset, with changes of single operations."""

    enabled: bool = True
    preset: Preset = "commercial"
    organizations: bool = Field(default=True, description="whether calls of Organizations are limited too")
    operations: dict[str, Quota] = Field(default_factory=dict)

    @field_validator("operations")
    @classmethod
    def _are_operations(cls, operations: dict[str, Quota]) -> dict[str, Quota]:
        for operation in operations:
            check_operation(operation, _LIMITED)
        return operations

    def in_force(self) -> dict[str, Quota]:
        """Return the quotas of each caller: the presets with the changed operations; empty when quotas are off."""
        if not self.enabled:
            return {}
        return {**PRESETS[self.preset], **(ORGANIZATIONS if self.organizations else {}), **self.operations}

    def for_all_callers(self) -> dict[str, Quota]:
        """Return the quotas that all callers share; a changed operation has only its limit per caller."""
        shared = WHOLE_ORGANIZATION if self.enabled and self.organizations else {}
        return {operation: quota for operation, quota in shared.items() if operation not in self.operations}

    def as_json(self) -> dict[str, Any]:
        """Describe the settings with every active quota."""
        in_force = {operation: quota.model_dump() for operation, quota in self.in_force().items()}
        return {
            "enabled": self.enabled,
            "preset": self.preset,
            "organizations": self.organizations,
            "operations": in_force,
        }


class Quotas:
    """The token buckets; many threads may take from them."""

    def __init__(self, settings: QuotaSettings | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.settings = settings or QuotaSettings()

    @property
    def settings(self) -> QuotaSettings:
        """The current settings; setting them fills all buckets."""
        return self._settings

    @settings.setter
    def settings(self, settings: QuotaSettings) -> None:
        with self._lock:
            self._settings = settings
            self._for_each, self._for_all = settings.in_force(), settings.for_all_callers()
            self._buckets: dict[_Bucket, tuple[float, float]] = {}

    def take(self, service: str, operation: str, caller_account: str) -> bool:
        """Return whether the caller may make this call now, and count it if so."""
        if service not in _LIMITED or operation not in operations_of(service):
            return True
        with self._lock:
            now = self._clock()
            limits = (
                ((caller_account, operation), self._for_each.get(operation)),
                (("", operation), self._for_all.get(operation)),
            )
            tokens = {bucket: self._refilled(bucket, quota, now) for bucket, quota in limits if quota is not None}
            allowed = all(left >= 1 for left in tokens.values())
            for bucket, left in tokens.items():
                self._buckets[bucket] = (left - 1 if allowed else left, now)
            return allowed

    def _refilled(self, bucket: _Bucket, quota: Quota, now: float) -> float:
        tokens, since = self._buckets.get(bucket, (float(quota.burst), now))
        return min(quota.burst, tokens + (now - since) * quota.rate)
