"""Protections: what of a change counts as a loss, side by side with what does not."""

from typing import Any

import pytest

from contactsync.configuration.protections import losses
from tests.support.builders import configuration

A, B = "200000000001", "200000000002"


def lost(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what is lost from one configuration to the other."""
    one, other = (configuration(**data).model_dump(mode="json") for data in (before, after))
    return [loss.sentence for loss in losses(one, other)]


def scope(side: str, contact_type: str | None = None, **rule: Any) -> dict[str, Any]:
    """Return settings with one rule."""
    section = {side: rule}
    return {"scope": {"contact_types": {contact_type: section}} if contact_type else section}


def channels(*names: str) -> dict[str, Any]:
    """Return settings with the channels of notices."""
    return {"notification_settings": {"user_notifications_config": {"delivery_channels": list(names)}}}


PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"excluded_accounts": [A, B]}, {"excluded_accounts": [B]}),
    ({"contact_types": ["billing"]}, {"contact_types": ["billing", "security"]}),
    (scope("exclude", accounts=[A]), {}),
    (scope("exclude", organizational_units=["Legacy"]), scope("exclude", organizational_units=[])),
    (scope("exclude", tags={"contacts": []}), {}),
    (scope("exclude", tags={"contacts": ["own", "x"]}), scope("exclude", tags={"contacts": ["own"]})),
    (scope("exclude", tags={"contacts": []}), scope("exclude", tags={"contacts": ["own"]})),
    (scope("exclude", "billing", accounts=[A]), {}),
    ({}, scope("include", accounts=[A])),
    (scope("include", accounts=[A, B]), scope("include", accounts=[A])),
    (
        scope("include", "primary", organizational_units=["W", "X"]),
        scope("include", "primary", organizational_units=["W"]),
    ),
    (scope("include", tags={"env": []}), scope("include", tags={"env": ["prod"]})),
    (scope("include", tags={"env": ["prod", "dev"]}), scope("include", tags={"env": ["prod"]})),
    ({}, {"deletion": {"policy": "propagate"}}),
    ({"deletion": {"policy": "ignore"}}, {"deletion": {"policy": "propagate"}}),
    ({}, {"notification_settings": {"failure_threshold": 2}}),
    ({}, {"notification_settings": {"notify_on_partial_failure": False}}),
    ({}, {"breaker": {"enabled": False}}),
    (channels("EMAIL", "SMS"), channels("EMAIL")),
    ({"notification_settings": {"fallback_sns_topic": "arn:aws:sns:eu-west-1:111122223333:fallback"}}, {}),
]

WIDER_INCLUDES = [8, 9, 10, 11, 12]
"""Pairs of PAIRS that narrow the scope from the first to the second."""


@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_one_way(number: int) -> None:
    """Each change is a loss in one direction, and its taking back is none."""
    before, after = PAIRS[number][::-1] if number in WIDER_INCLUDES else PAIRS[number]
    assert len(lost(before, after)) == 1
    assert lost(after, before) == []


@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_nothing_changes(number: int) -> None:
    """Equal settings lose nothing."""
    for settings in PAIRS[number]:
        assert lost(settings, settings) == []


@pytest.mark.parametrize(
    "before", [{}, {"excluded_accounts": "x", "scope": [], "deletion": 3}, {"scope": {"exclude": {"tags": None}}}]
)
def test_stored_by_hand(before: dict[str, Any]) -> None:
    """A version that somebody's hand made invalid can be compared with."""
    assert list(losses(before, configuration().model_dump(mode="json"))) == []
