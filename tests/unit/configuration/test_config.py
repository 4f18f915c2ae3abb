"""The configuration's validation: defaults, bounds, and problems that name the field and the nearest key."""

from typing import Any

import pytest
from boto3.dynamodb.types import Binary

from contactsync.configuration.schema import Configuration, DeletionPolicy, RetryConfig, parse_configuration
from contactsync.configuration.versions import StoredVersion
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationInvalidError
from contactsync.limits import RETRIES_LIMIT
from tests.support.builders import configuration

DOCUMENT_000 = {
    "contact_types": ["primary", "billing", "operations", "security"],
    "excluded_accounts": ["123456789012", "234567890123"],
    "retry_config": {"max_attempts": 3, "base_delay": 2, "max_delay": 60},
    "notification_settings": {
        "user_notifications_config": {
            "notification_hub_region": "us-east-1",
            "delivery_channels": ["EMAIL", "SMS", "SLACK"],
            "notification_rules": {
                "high_priority": ["complete_failure", "permission_errors", "system_errors"],
                "medium_priority": ["partial_failure", "configuration_errors"],
                "low_priority": ["success_completion"],
            },
        },
        "fallback_sns_topic": "arn:aws:sns:us-east-1:111122223333:contactsync-fallback",
        "notify_on_failure": True,
        "notify_on_success": False,
        "notify_on_partial_failure": True,
        "failure_threshold": 1,
    },
}
RULES = "notification_settings.user_notifications_config.notification_rules"

TYPES = "'primary', 'billing', 'operations' or 'security'"
SCENARIOS = (
    "'complete_failure', 'permission_errors', 'system_errors', 'partial_failure', 'configuration_errors', "
    "'success_completion', 'halted', 'approval_waiting', 'overdue' or 'delivery_trouble'"
)


def nested(path: str, value: object) -> dict[str, Any]:
    """Return data with one value at a dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def problems(data: object) -> list[str]:
    """Return what is wrong with the data."""
    with pytest.raises(ConfigurationInvalidError) as caught:
        parse_configuration(data, version=4)
    assert "version 4" in str(caught.value)
    return list(caught.value.problems)


def test_document() -> None:
    """The schema's own example is valid, and every name of it is kept."""
    assert parse_configuration(DOCUMENT_000).model_dump(mode="json", include=set(DOCUMENT_000)) == DOCUMENT_000


def test_defaults() -> None:
    """An empty configuration is the documented defaults."""
    settings = configuration()
    assert settings.contact_types == tuple(ContactType)
    assert settings.excluded_accounts == ()
    assert settings.retry_config == RetryConfig(max_attempts=3, base_delay=2, max_delay=60)
    assert settings.notification_settings.failure_threshold == 1
    assert settings.deletion.policy is DeletionPolicy.APPROVE


@pytest.mark.parametrize("data", [None, [], "text", 3, [("contact_types", [])]])
def test_no_object(data: object) -> None:
    """What is no object is refused."""
    assert problems(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("contact_types", []),
        ("contact_types", ["SECURITY"]),
        ("contact_types", "security"),
        ("contact_types", ["security", "security"]),
        ("excluded_accounts", ["12345678901"]),
        ("excluded_accounts", ["123456789012\n"]),
        ("excluded_accounts", ["12345678901a"]),
        ("excluded_accounts", ["١١١١٢٢٢٢٣٣٣٣"]),
        ("excluded_accounts", [123456789012]),
        ("excluded_accounts", "123456789012"),
        ("excluded_accounts", None),
        ("retry_config.max_attempts", -1),
        ("retry_config.max_attempts", RETRIES_LIMIT + 1),
        ("retry_config.max_attempts", 2.5),
        ("retry_config.max_attempts", "3"),
        ("retry_config.max_attempts", True),
        ("retry_config.base_delay", 0),
        ("retry_config.base_delay", -1),
        ("retry_config.base_delay", 3601),
        ("retry_config.base_delay", float("nan")),
        ("retry_config.max_delay", float("inf")),
        ("retry_config.max_delay", 86401),
        ("retry_config.max_delay", 1),
        ("notification_settings.failure_threshold", 0),
        ("notification_settings.failure_threshold", 1.5),
        ("notification_settings.fallback_sns_topic", "contactsync-fallback"),
        ("notification_settings.fallback_sns_topic", "arn:aws:sns:eu-west-1:111122223333:fallback.fifo"),
        ("notification_settings.fallback_sns_topic", "arn:aws:sns:-:111122223333:fallback"),
        ("notification_settings.fallback_sns_topic", "arn:aws:sns:eu-west-1:111122223333:fallback:a-subscription"),
        ("notification_settings.notify_on_failure", "perhaps"),
        ("notification_settings.user_notifications_config.notification_hub_region", "US-EAST-1"),
        ("notification_settings.user_notifications_config.delivery_channels", ["PIGEON"]),
        ("notification_settings.user_notifications_config.delivery_channels", []),
        ("notification_settings.user_notifications_config.delivery_channels", ["SMS", "SMS"]),
        ("notification_settings.user_notifications_config.notification_rules.high_priority", ["unknown_scenario"]),
        ("deletion.policy", "always"),
    ],
)
def test_refused(path: str, value: object) -> None:
    """Each field refuses what is out of its bounds, and every problem starts with the field's section."""
    section = path.split(".", maxsplit=1)[0]
    assert all(problem.startswith(section) for problem in problems(nested(path, value)))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("contact_type", "contact_type: unknown key; did you mean contact_types?"),
        ("retry_config.max_attempt", "retry_config.max_attempt: unknown key; did you mean max_attempts?"),
        ("deletion.policies", "deletion.policies: unknown key; did you mean policy?"),
        (
            f"{RULES}.hi_priority",
            f"{RULES}.hi_priority: unknown key; did you mean high_priority?",
        ),
    ],
)
def test_nearest_key(path: str, expected: str) -> None:
    """An unknown key is refused with the nearest valid one, in nested sections too."""
    assert problems(nested(path, 1)) == [expected]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (nested("scope.exclude.acounts", []), "scope.exclude.acounts: unknown key; did you mean accounts?"),
        (nested("rates.clockskew", 1), "rates.clockskew: unknown key; did you mean clock_skew?"),
        (nested("breaker.treshold", 1), "breaker.treshold: unknown key; did you mean threshold?"),
        (
            nested("scope.contact_types.billing.exclude.acounts", []),
            "scope.contact_types.billing.exclude.acounts: unknown key; did you mean accounts?",
        ),
        (
            nested("scope.contact_types.biling", {}),
            "scope.contact_types.biling: unknown key; did you mean billing?",
        ),
        (
            nested("scope.contact_types.BILLING", {}),
            "scope.contact_types.BILLING: unknown key; did you mean billing?",
        ),
        (
            nested("scope.contact_types.zzz", {}),
            "scope.contact_types.zzz: unknown key; valid keys are billing, operations, primary, security",
        ),
        (
            nested("rates.operations.PutAlternateContac", {"rate": 1, "burst": 1}),
            "rates.operations.PutAlternateContac: unknown key; did you mean PutAlternateContact?",
        ),
        (
            nested("rates.operations.PutAlternateContact", {"rate": 1, "burst": 1, "brust": 2}),
            "rates.operations.PutAlternateContact.brust: unknown key; did you mean burst?",
        ),
        (
            {"contact_types": ["SECURITY"]},
            f"contact_types.0: input should be {TYPES}; did you mean 'security'?",
        ),
        (
            nested("deletion.policy", "propagated"),
            "deletion.policy: input should be 'approve', 'propagate' or 'ignore'; did you mean 'propagate'?",
        ),
        (
            nested("rates.preset", "chine"),
            "rates.preset: input should be 'commercial' or 'china'; did you mean 'china'?",
        ),
        (
            nested(f"{RULES}.high_priority", ["complete_failures"]),
            f"{RULES}.high_priority.0: input should be {SCENARIOS}; did you mean 'complete_failure'?",
        ),
        (
            nested("scope.include.tags", {"": []}),
            "scope.include.tags.: the key: string should have at least 1 character",
        ),
        (nested("scope.include.accounts", "1"), "scope.include.accounts: must be a list"),
        (nested("retry_config", []), "retry_config: must be an object"),
        (nested("breaker.window", 1e-300), "breaker.window: is too small; the smallest number is 1e-09"),
        ({"[key]": 1}, f"[key]: unknown key; valid keys are {', '.join(sorted(Configuration.model_fields))}"),
        ({"\x1b[31m": 1}, f"'\\x1b[31m': unknown key; valid keys are {', '.join(sorted(Configuration.model_fields))}"),
    ],
)
def test_nearest(data: dict[str, Any], expected: str) -> None:
    """In every section, map and list the problem names the field, and the nearest valid key or value."""
    assert problems(data) == [expected]


def test_long_key() -> None:
    """A key of any length is named in a few words."""
    (problem,) = problems({"x" * 100_000: 1})
    assert len(problem) < 300


def test_no_near_key() -> None:
    """Where no key is near, the valid ones are listed."""
    assert problems({"retry_config": {"zzz": 1}}) == [
        "retry_config.zzz: unknown key; valid keys are base_delay, max_attempts, max_delay"
    ]


def test_all_problems() -> None:
    """Every problem is listed, not the first alone."""
    found = problems({"contact_typo": 1, "excluded_accounts": ["1"], "retry_config": {"max_attempts": 99}})
    assert len(found) == 3


def test_odd_key() -> None:
    """A key that is no text is a problem, not a crash."""
    assert problems({1: 2})


@pytest.mark.parametrize(
    ("base", "limit", "delays"),
    [(2, 60, [2, 4, 8]), (2, 5, [2, 4, 5]), (0.5, 60, [0.5, 1, 2]), (60, 60, [60, 60, 60])],
)
def test_delay(base: float, limit: float, delays: list[float]) -> None:
    """Delays double from the base and are capped."""
    config = RetryConfig(base_delay=base, max_delay=limit)
    assert [config.delay(retry) for retry in (1, 2, 3)] == delays


def test_bounds_accepted() -> None:
    """The bounds themselves are valid."""
    settings = configuration(retry_config={"max_attempts": RETRIES_LIMIT, "base_delay": 3600, "max_delay": 86400})
    assert settings.retry_config.max_attempts == RETRIES_LIMIT
    assert configuration(retry_config={"max_attempts": 0}).retry_config.max_attempts == 0


@pytest.mark.parametrize(
    ("retries", "skew", "delays"),
    [
        ({}, 1, [2, 4, 8]),
        ({"base_delay": 0.5, "max_delay": 1}, 0, [0.5, 1, 1]),
        ({"base_delay": 0.5, "max_delay": 1}, 1, [1, 1, 1]),
        ({"base_delay": 2, "max_delay": 60}, 10, [10, 20, 40]),
        ({"base_delay": 2, "max_delay": 3}, 10, [10, 10, 10]),
    ],
)
def test_no_retry_within_the_skew(retries: dict[str, Any], skew: float, delays: list[float]) -> None:
    """No account is tried again sooner than clocks differ: of two tries the one that started later counts."""
    settings = configuration(retry_config=retries, rates={"clock_skew": skew})
    assert [settings.retries.delay(retry) for retry in (1, 2, 3)] == delays


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({Binary(b"\x00")}, ["(Binary)"]),
        ({"x", "security"}, ["security", "x"]),
        ({1, 2}, ["1", "2"]),
        (Binary(b"\x00"), "(Binary)"),
    ],
)
def test_shown_whatever_it_is(stored: object, shown: object) -> None:
    """An invalid version that somebody's hand stored is shown with whatever a table can hold, bytes in a set too."""
    assert StoredVersion(1, {"breaker": stored}, None, None, None).effective == {"breaker": shown}
