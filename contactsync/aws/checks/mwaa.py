"""Amazon MWAA in a region: whether it is there, and how many environments the account has and may have."""

from collections.abc import Callable
from typing import Final

from contactsync.aws.checks.calls import Calls
from contactsync.errors import AwsCallError, CredentialsError, ServiceUnreachableError

SERVICE: Final = "airflow"
"""The name that Service Quotas has for MWAA."""
QUOTA: Final = "environments"
"""How the name of the quota for environments begins."""


class MwaaEnvironments:
    """MWAA's own listing, and its quota."""

    def __init__(self, calls: Calls, known_regions: Callable[[], frozenset[str]]) -> None:
        """Take a function that returns the regions in which the AWS SDK knows MWAA."""
        self._calls = calls
        self._known_regions = known_regions

    def is_offered(self, region: str) -> bool:
        """Return whether the region has MWAA; of a region that is newer than the AWS SDK, its endpoint says so."""
        if region in self._known_regions():
            return True
        try:
            self.names(region)
        except ServiceUnreachableError:
            return False
        return True

    def names(self, region: str) -> list[str]:
        """Return the names of the environments."""
        return list(self._calls.pages("mwaa", region, "ListEnvironments", "Environments"))

    def quota(self, region: str) -> int | None:
        """Return how many environments there may be; None when Service Quotas does not say."""
        try:
            quotas = self._calls.pages("service-quotas", region, "ListServiceQuotas", "Quotas", ServiceCode=SERVICE)
            return next((int(one["Value"]) for one in quotas if one["QuotaName"].lower().startswith(QUOTA)), None)
        except CredentialsError:
            raise
        except AwsCallError:
            return None
