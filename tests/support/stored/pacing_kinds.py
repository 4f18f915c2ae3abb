"""What limiters, breakers and look-ups store, with all that reads it."""

import uuid
from datetime import timedelta
from typing import Final

from contactsync.account_management.api_operations import ApiOperation
from contactsync.account_management.quotas import RatesConfig
from contactsync.accounts import FoundPlaces
from contactsync.aws.dynamodb.items import to_item
from contactsync.aws.tables.breaker_table import DynamoDbBreakers
from contactsync.aws.tables.limiter_table import DynamoDbLimiter
from contactsync.pacing.breaker import BreakerConfig, CallCounts, Phase
from tests.support.fakes.surroundings import START, FakeClock
from tests.support.stored.deployment import Stored
from tests.support.stored.spoiling import Kind, Reader

PUT: Final = ApiOperation.PUT_ALTERNATE_CONTACT
GET: Final = ApiOperation.GET_ALTERNATE_CONTACT
LATER: Final = START + timedelta(days=1)
CODE: Final = "InternalServerException"


def limiter_kind(stored: Stored) -> Kind:
    """Store a limiter."""
    services, rates = stored.services, RatesConfig()
    limiter = DynamoDbLimiter(
        services._dynamodb, stored.state, caller_account="limited", conflict_tries=5, clock=FakeClock()
    )
    limiter.reserve(GET, rates)
    return Kind(
        stored.state,
        to_item({"pk": "PACE#limited", "sk": GET}),
        {"turn": Reader(lambda: _between(limiter.reserve(GET, rates), 0, rates.max_wait))},
    )


def _between(value: float, least: float, most: float) -> float:
    assert least <= value <= most
    return value


def _breakers(stored: Stored, caller: str) -> DynamoDbBreakers:
    return DynamoDbBreakers(
        stored.services._dynamodb, stored.state, caller_account=caller, conflict_tries=5, clock=FakeClock()
    )


def breaker_kind(stored: Stored) -> Kind:
    """Store a breaker."""
    breakers = _breakers(stored, "broken")
    for api in (PUT, GET):
        breakers.change(api, lambda state: state.tripped(START, CODE, 0))
    breakers.change(PUT, lambda state: state.claimed("a token", LATER, BreakerConfig()))

    def opens() -> bool:
        """Tell whether it opens when calls fail, whatever is stored."""
        state = breakers.change(PUT, lambda found: found.tripped(START, CODE, found.episode))
        return state.phase is not Phase.CLOSED

    return Kind(
        stored.state,
        to_item({"pk": "BREAKER#broken", "sk": PUT}),
        {
            "transitions": Reader(
                lambda: breakers.transitions(START),
                others=lambda answer: GET in {one.api_operation for one in answer},
                bad=lambda _: True,  # it may have none
            ),
            "get": Reader(lambda: breakers.get(PUT), others=lambda state: state.api_operation == PUT),
            "again": Reader(lambda: breakers.get(PUT), others=lambda state: state.version >= 1),
        },
        protected=opens,
    )


def bucket_kind(stored: Stored) -> Kind:
    """Store a breaker's counters."""
    breakers, config = _breakers(stored, "counted"), BreakerConfig()
    bad = config.bucket_at(START, 0)
    good = bad.earlier(1)
    breakers.count(PUT, bad, CallCounts(1, 1))
    breakers.count(PUT, good, CallCounts(2, 3))

    def counted() -> list[CallCounts]:
        breakers.count(PUT, bad, CallCounts(1, 0))
        return breakers.call_counts(PUT, bad)

    return Kind(
        stored.state,
        to_item({"pk": f"BREAKER#counted#{PUT}", "sk": f"0#{bad.number:015}"}),
        {
            "window": Reader(
                lambda: breakers.call_counts(PUT, bad),
                others=lambda answer: CallCounts(2, 3) in answer,
                bad=lambda answer: len(answer) > 1,
            ),
            "count": Reader(counted, others=lambda answer: CallCounts(2, 3) in answer, bad=lambda _: True),
        },
    )


def access_kind(stored: Stored) -> Kind:
    """Store when a worker last found that it may call."""
    breakers = _breakers(stored, "checked")
    breakers.store_access_check(START)
    return Kind(
        stored.state,
        to_item({"pk": "BREAKER#checked", "sk": "ACCESS"}),
        {"checked": Reader(breakers.access_checked, others=lambda _: True)},
    )


def tags_kind(stored: Stored) -> Kind:
    """Store tags that a plan kept."""
    lookups, sync_id = stored.services.lookups, str(uuid.uuid4())
    for account_id in (stored.one, stored.two):
        lookups.keep_tags(sync_id, {account_id: {"team": "quagga"}}, START)
    bad = next(item for item in stored.items(stored.state, f"LOOKUP#{sync_id}") if stored.one in item["sk"]["S"])
    return Kind(
        stored.state,
        {name: bad[name] for name in ("pk", "sk")},
        {
            "tags": Reader(
                lambda: lookups.tags(sync_id, START),
                others=lambda answer: (
                    answer[stored.two] == {"team": "quagga"}
                    and all(isinstance(value, str) for tags in answer.values() for value in tags.values())
                ),
                bad=lambda answer: len(answer) > 1 or "names nobody",
            )
        },
    )


def units_kind(stored: Stored) -> Kind:
    """Store units that were found to be there."""
    lookups = stored.services.lookups
    lookups.store_units_found(77, ["ou-1", "ou-2"], START)
    (item,) = [one for one in stored.items(stored.state, "LOOKUP#UNITS") if one["sk"]["S"].startswith(f"{77:012}")]
    return Kind(
        stored.state,
        {name: item[name] for name in ("pk", "sk")},
        {"found": Reader(lambda: lookups.units_found(77, []), others=lambda _: True)},
    )


def places_kind(stored: Stored) -> Kind:
    """Store where accounts are, as far as units are named."""
    lookups = stored.services.lookups
    found = FoundPlaces(START, frozenset({"ou-1"}), frozenset({"ou-2"}), {stored.one: frozenset({"ou-1"})})
    lookups.store_places(78, found)
    return Kind(
        stored.state,
        to_item({"pk": f"LOOKUP#PLACES#{78:012}", "sk": stored.one[-1]}),
        {"places": Reader(lambda: lookups.places(78, stored.one), others=lambda _: True)},
    )
