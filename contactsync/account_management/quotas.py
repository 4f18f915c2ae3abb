"""AWS's quotas for these calls, as configuration (https://docs.aws.amazon.com/accounts/latest/reference/quotas.html)."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from contactsync.account_management.api_operations import ApiOperation
from contactsync.pacing.rates import LARGEST_SKEW, LONGEST_WAIT, Pace, Rate
from contactsync.sections.section import Section


class RatePreset(StrEnum):
    """Which partition's quotas are used."""

    COMMERCIAL = "commercial"
    CHINA = "china"


QUOTAS: Final[dict[RatePreset, dict[ApiOperation, Rate]]] = {
    RatePreset.COMMERCIAL: {
        ApiOperation.GET_ALTERNATE_CONTACT: Rate(rate=10, burst=15),
        ApiOperation.GET_CONTACT_INFORMATION: Rate(rate=10, burst=15),
        ApiOperation.PUT_ALTERNATE_CONTACT: Rate(rate=5, burst=8),
        ApiOperation.PUT_CONTACT_INFORMATION: Rate(rate=5, burst=8),
        ApiOperation.DELETE_ALTERNATE_CONTACT: Rate(rate=1, burst=6),
    },
    RatePreset.CHINA: {
        ApiOperation.GET_ALTERNATE_CONTACT: Rate(rate=3, burst=5),
        ApiOperation.GET_CONTACT_INFORMATION: Rate(rate=3, burst=5),
        ApiOperation.PUT_ALTERNATE_CONTACT: Rate(rate=1, burst=6),
        ApiOperation.PUT_CONTACT_INFORMATION: Rate(rate=1, burst=2),
        ApiOperation.DELETE_ALTERNATE_CONTACT: Rate(rate=1, burst=6),
    },
}


class RatesConfig(Section):
    """The pace of calls; times in seconds."""

    enabled: bool = True
    preset: RatePreset = RatePreset.COMMERCIAL
    operations: dict[ApiOperation, Rate] = Field(default_factory=dict)
    """Rates for single operations in place of the preset's."""
    clock_skew: Annotated[float, Field(ge=0, le=LARGEST_SKEW, allow_inf_nan=False)] = 1
    """Seconds by which the clocks of workers may differ; bursts are made smaller accordingly."""
    max_wait: Annotated[float, Field(gt=0, le=LONGEST_WAIT, allow_inf_nan=False)] = 60
    """The longest wait for a turn inside a task, in seconds; for a longer one the task is rescheduled."""

    def quota(self, operation: ApiOperation) -> Rate:
        """Return AWS's quota for this operation."""
        return self.operations.get(operation) or QUOTAS[self.preset][operation]

    def paced(self, operation: ApiOperation) -> Rate:
        """Return the rate that the limiter uses: AWS's burst minus rate times clock skew.

        Where AWS's burst is smaller than that plus one, single calls are made, more slowly, so that AWS never sees too
        many: rate and skew together have to fit into the burst.
        """
        quota = self.quota(operation)
        skewed = quota.rate * self.clock_skew
        slower = min(1.0, quota.burst / (1 + skewed))
        return Rate(rate=quota.rate * slower, burst=max(1, int(quota.burst - skewed)))

    @property
    def api_operations(self) -> tuple[ApiOperation, ...]:
        """All calls of Account Management."""
        return tuple(ApiOperation)

    def pace(self, api: str) -> Pace:
        """Return the paced rate in the limiter's units."""
        return Pace.of(self.paced(ApiOperation(api)), self.max_wait)
