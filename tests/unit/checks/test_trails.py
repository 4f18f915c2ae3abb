"""Which trails record changes of contacts."""

from collections.abc import Sequence

import pytest

from contactsync.checks.findings import State
from contactsync.checks.ports import BasicSelector, FieldCondition
from contactsync.checks.trails import check_trail, why_not
from contactsync.errors import AccessDeniedError
from tests.support.fakes.deployment_ports import TRIGGER_REGION, trail

MANAGEMENT = FieldCondition("eventCategory", equals=("Management",))


def test_trails_that_record() -> None:
    """A trail of all regions counts wherever its home is, and one of the region counts too."""
    assert why_not(trail(home_region="eu-west-1"), TRIGGER_REGION) == ""
    assert why_not(trail(is_multi_region=False), TRIGGER_REGION) == ""
    assert why_not(trail(basic=()), TRIGGER_REGION) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_logging": False}, "switched off"),
        ({"is_multi_region": False, "home_region": "eu-west-1"}, "for eu-west-1 only"),
        ({"is_multi_region": False, "includes_global_services": False}, "global services"),
        ({"basic": (BasicSelector("ReadOnly", includes_management_events=True),)}, "no management write events"),
        ({"basic": (BasicSelector("All", includes_management_events=False),)}, "no management write events"),
    ],
)
def test_trails_that_do_not(changes: dict[str, object], said: str) -> None:
    """The finding says what is missing in each trail that is there."""
    finding = check_trail([trail("some", **changes)], TRIGGER_REGION, "own")
    assert finding.state is State.FAILED
    assert "(some " in finding.sentence
    assert said in finding.sentence


@pytest.mark.parametrize(
    ("selectors", "missing"),
    [
        ([[MANAGEMENT]], ""),
        ([[MANAGEMENT, FieldCondition("readOnly", equals=("false",))]], ""),
        ([[MANAGEMENT, FieldCondition("readOnly", equals=("true",))]], "leaves out"),
        ([[FieldCondition("eventCategory", equals=("Data",))]], "leaves out"),
        ([[MANAGEMENT, FieldCondition("eventSource", not_equals=("kms.amazonaws.com",))]], ""),
        ([[MANAGEMENT, FieldCondition("eventSource", not_equals=("account.amazonaws.com",))]], "leaves out"),
        ([[MANAGEMENT, FieldCondition("eventSource", starts_with=("acc",), not_ends_with=(".com",))]], "leaves out"),
        ([[MANAGEMENT, FieldCondition("eventName", starts_with=("Put",))]], "leaves out DeleteAlternateContact"),
        (
            [
                [MANAGEMENT, FieldCondition("eventName", starts_with=("Put",))],
                [MANAGEMENT, FieldCondition("eventName", ends_with=("Contact",))],
            ],
            "",
        ),
        ([[MANAGEMENT, FieldCondition("userIdentity.arn", equals=("arn:aws:iam::1:user/a",))]], "leaves out"),
        ([[]], "leaves out"),
    ],
)
def test_advanced_selectors(selectors: Sequence[Sequence[FieldCondition]], missing: str) -> None:
    """Advanced selectors are read call by call: all three kinds of changes must be recorded."""
    said = why_not(trail(basic=(), advanced=selectors), TRIGGER_REGION)
    assert said.startswith(missing)
    assert bool(said) is bool(missing)


def test_unread_selectors() -> None:
    """A trail whose selectors may not be read decides nothing, unless another one records the events."""
    denied = AccessDeniedError("GetEventSelectors", "AccessDeniedException", service="cloudtrail")
    unread = trail("other", unread=denied, is_logging=False)
    finding = check_trail([unread], TRIGGER_REGION, "own")
    assert finding.state is State.UNKNOWN
    assert "cloudtrail:GetEventSelectors" in finding.remedy
    assert check_trail([unread, trail()], TRIGGER_REGION, "own").is_ok
