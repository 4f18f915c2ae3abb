"""The trails that record events of this account, with what they select."""

from collections.abc import Iterator
from typing import Any

from contactsync.aws.checks.calls import Calls
from contactsync.checks.ports import BasicSelector, FieldCondition, Trail
from contactsync.errors import AwsCallError, CredentialsError


class CloudTrails:
    """CloudTrail, which lists a trail of all regions, and one of the organization, in each region that it covers."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def trails(self, region: str) -> Iterator[Trail]:
        """Yield the trails; of one that another account may not look at, only what the listing says."""
        for found in self._calls.call("cloudtrail", region, "DescribeTrails")["trailList"]:
            home = found.get("HomeRegion") or region
            facts: dict[str, Any] = {
                "name": found["Name"],
                "arn": found["TrailARN"],
                "home_region": home,
                "is_multi_region": found.get("IsMultiRegionTrail", False),
                "includes_global_services": found.get("IncludeGlobalServiceEvents", False),
            }
            try:
                facts |= self._read(found["TrailARN"], home)
            except CredentialsError:
                raise
            except AwsCallError as error:
                facts |= {"is_logging": False, "unread": error}
            yield Trail(**facts)

    def _read(self, arn: str, home: str) -> dict[str, Any]:
        """Return a trail's state and selectors; only its home region has the selectors of a trail for all regions."""
        is_logging = self._calls.call("cloudtrail", home, "GetTrailStatus", Name=arn).get("IsLogging", False)
        found = self._calls.call("cloudtrail", home, "GetEventSelectors", TrailName=arn)
        return {
            "is_logging": is_logging,
            "basic": tuple(map(_basic, found.get("EventSelectors") or ())),
            "advanced": tuple(map(_advanced, found.get("AdvancedEventSelectors") or ())),
        }


def _basic(selector: dict[str, Any]) -> BasicSelector:
    return BasicSelector(
        selector.get("ReadWriteType", "All"),
        selector.get("IncludeManagementEvents", True),
        frozenset(selector.get("ExcludeManagementEventSources") or ()),
    )


def _advanced(selector: dict[str, Any]) -> tuple[FieldCondition, ...]:
    names = {
        "equals": "Equals",
        "not_equals": "NotEquals",
        "starts_with": "StartsWith",
        "not_starts_with": "NotStartsWith",
        "ends_with": "EndsWith",
        "not_ends_with": "NotEndsWith",
    }
    return tuple(
        FieldCondition(one["Field"], **{ours: tuple(one.get(theirs) or ()) for ours, theirs in names.items()})
        for one in selector.get("FieldSelectors") or ()
    )
