"""Configurations of any shape."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contactsync.errors import ConfigurationInvalidError
from contactsync.sync.config import Configuration, RetryConfig, parse_configuration
from tests.strategies import json_values

KEYS = [*Configuration.model_fields, *RetryConfig.model_fields, "policy", "contact_typ"]


@given(json_values | st.recursive(json_values, lambda inner: st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)))
def test_any_data(data: Any) -> None:
    """Any data is a valid configuration or one of our errors that names a problem.

    Feature: aws-contact-sync, Property 7: invalid configurations are rejected before application.
    """
    try:
        settings = parse_configuration(data)
    except ConfigurationInvalidError as error:
        listed = list(error.problems)
    else:
        listed = ["valid"]
        assert parse_configuration(settings.model_dump(mode="json")) == settings
    assert all(listed)
    assert listed


@given(st.integers(1, 60), st.floats(0.1, 3600), st.floats(0.1, 86400))
def test_delays(retry: int, base: float, limit: float) -> None:
    """Delays never shrink from retry to retry, and never exceed the cap."""
    if limit < base:
        base, limit = limit, base
    base = min(base, 3600)
    config = RetryConfig(base_delay=base, max_delay=limit)
    assert config.delay(1) == base
    assert config.delay(retry) <= config.delay(retry + 1) <= limit
