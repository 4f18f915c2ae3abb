"""Whether a trail records changes of contacts, without which EventBridge gets no event of them."""

from collections.abc import Iterable, Sequence
from typing import Final

from contactsync.checks.findings import Finding, Fix, failed, ok, unknown_because
from contactsync.checks.ports import BasicSelector, FieldCondition, Trail

TRAIL: Final = "trail"
SOURCE: Final = "account.amazonaws.com"
CHANGES: Final = ("PutContactInformation", "PutAlternateContact", "DeleteAlternateContact")
"""The calls that the rule of infra/trigger.yaml waits for."""

_ONE_MORE: Final = "each further trail costs money for each event"


def check_trail(found: Iterable[Trail], region: str, own_name: str, *, creates: bool = False) -> Finding:
    """Look for a trail that records the changes in a region; `own_name` is the name of the one that we can create."""
    trails = list(found)
    recording = [trail for trail in trails if trail.unread is None and not why_not(trail, region)]
    if creates and (others := [trail for trail in recording if trail.name != own_name]):
        return failed(
            TRAIL,
            f"Trail {others[0].name} records the events already; {_ONE_MORE}.",
            "Deploy without the parameter CreateTrail.",
        )
    if recording:
        return ok(TRAIL, f"Trail {recording[0].name} records changes of contacts in {region}.")
    if creates:
        return ok(TRAIL, f"No trail records changes of contacts in {region} yet; one is created.", Fix.CREATE_TRAIL)
    if unread := next((trail.unread for trail in trails if trail.unread is not None), None):
        return unknown_because(TRAIL, unread)
    nearest = "; ".join(f"{trail.name} {why_not(trail, region)}" for trail in trails)
    return failed(
        TRAIL,
        f"No trail records management write events in {region}, so no change of a contact starts a run"
        + (f" ({nearest})." if nearest else "."),
        "Let a trail record them, or have one created: --set CreateTrail=true.",
        Fix.CREATE_TRAIL,
    )


def why_not(trail: Trail, region: str) -> str:
    """Return why a trail does not record the changes, as the end of a sentence; empty if it does."""
    if not trail.is_logging:
        return "is switched off"
    if not trail.is_multi_region and trail.home_region != region:
        return f"is for {trail.home_region} only"
    if not trail.includes_global_services:
        return "leaves out the events of global services"
    if trail.advanced:
        missing = [name for name in CHANGES if not any(_admits(one, name) for one in trail.advanced)]
        return f"leaves out {', '.join(missing)}" if missing else ""
    if trail.basic and not any(_records(selector) for selector in trail.basic):
        return "records no management write events"
    return ""


def _records(selector: BasicSelector) -> bool:
    writes = selector.read_write_type in {"All", "WriteOnly"}
    return writes and selector.includes_management_events and SOURCE not in selector.excluded_sources


def _admits(selector: Sequence[FieldCondition], event_name: str) -> bool:
    """Return whether an advanced event selector records a call; one with a field that we do not know may not."""
    event = {"eventCategory": "Management", "readOnly": "false", "eventSource": SOURCE, "eventName": event_name}
    names = {condition.name for condition in selector}
    return "eventCategory" in names and all(
        condition.name in event and _holds(condition, event[condition.name]) for condition in selector
    )


def _holds(condition: FieldCondition, value: str) -> bool:
    """Return whether a condition holds: one text of each positive list, and none of the negative ones."""
    positive = (
        not condition.equals or value in condition.equals,
        not condition.starts_with or value.startswith(tuple(condition.starts_with)),
        not condition.ends_with or value.endswith(tuple(condition.ends_with)),
    )
    return (
        all(positive)
        and value not in condition.not_equals
        and not value.startswith(tuple(condition.not_starts_with))
        and not value.endswith(tuple(condition.not_ends_with))
    )
