"""Configurations of any shape."""

import contextlib
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from contactsync.account_management.api_operations import ApiOperation
from contactsync.aws.dynamodb.items import from_item, to_item
from contactsync.configuration.schema import Configuration, DeletionPolicy, RetryConfig, parse_configuration
from contactsync.configuration.versions import changed, differences
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationInvalidError
from tests.support.strategies import account_ids, json_values


def keys_of(*models: type[BaseModel]) -> list[str]:
    """Return every key of a configuration, in sections of any depth."""
    return [name for model in models for name in model.model_fields]


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return a model with the sections that it holds by default."""
    parts = [value for _, value in model.model_construct() if isinstance(value, BaseModel)]
    return [model, *(found for part in parts for found in sections(type(part)))]


WORDS = [*ContactType, *ApiOperation, *DeletionPolicy, "rate", "burst", "contact_typ", "[key]", "polici", ""]
KEYS = [*keys_of(*sections(Configuration)), *map(str, WORDS)]
LEAVES = json_values | st.sampled_from(KEYS) | account_ids
anything = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)
shaped = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(Configuration.model_fields, anything)
    | {
        "scope": st.fixed_dictionaries(
            {}, optional={"contact_types": st.dictionaries(st.sampled_from(KEYS), anything)}
        ),
        "rates": st.fixed_dictionaries({}, optional={"operations": st.dictionaries(st.sampled_from(KEYS), anything)}),
    },
)

filters = st.fixed_dictionaries(
    {},
    optional={
        "accounts": st.lists(account_ids, max_size=3),
        "organizational_units": st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=2),
        "tags": st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9),
            st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=2),
            max_size=2,
        ),
    },
)
scopes = st.fixed_dictionaries({}, optional={"include": filters, "exclude": filters})
positive = st.floats(0, 3600, exclude_min=True) | st.integers(1, 3600)
settings = st.fixed_dictionaries(
    {},
    optional={
        "contact_types": st.lists(st.sampled_from(ContactType).map(str), min_size=1, unique=True),
        "excluded_accounts": st.lists(account_ids, max_size=4),
        "scope": st.fixed_dictionaries(
            {},
            optional={
                "include": filters,
                "exclude": filters,
                "contact_types": st.dictionaries(st.sampled_from(ContactType).map(str), scopes, max_size=2),
            },
        ),
        "retry_config": st.fixed_dictionaries(
            {}, optional={"base_delay": positive, "max_attempts": st.integers(0, 10)}
        ),
        "deletion": st.fixed_dictionaries({}, optional={"policy": st.sampled_from(DeletionPolicy).map(str)}),
        "rates": st.fixed_dictionaries(
            {},
            optional={
                "clock_skew": st.floats(0, 10),
                "operations": st.dictionaries(
                    st.sampled_from(ApiOperation).map(str),
                    st.fixed_dictionaries({"rate": st.floats(0, 1000), "burst": st.integers(1, 100)}),
                    max_size=2,
                ),
            },
        ),
        "breaker": st.fixed_dictionaries({}, optional={"window": positive, "failure_ratio": st.floats(0, 1)}),
    },
)


@given(anything | shaped)
@example({"rates": {"operations": {"PutAlternateContact": {"rat": 1}}}})
@example({"scope": {"contact_types": {"billing": {"exclude": {"tags": {"": 1}}}}}})
@example({"[key]": 1})
def test_any_data(data: Any) -> None:
    """Any data is a valid configuration or one of our errors that names a problem.

    Feature: aws-contact-sync, Property 7: invalid configurations are rejected before application.
    """
    try:
        parsed = parse_configuration(data)
    except ConfigurationInvalidError as error:
        listed = list(error.problems)
    else:
        listed = ["valid"]
        assert parse_configuration(parsed.model_dump(mode="json")) == parsed
    assert all(listed)
    assert listed


def valid(data: Any) -> Configuration | None:
    """Return the configuration, or None when it is refused."""
    try:
        return parse_configuration(data)
    except ConfigurationInvalidError:
        return None


@given(settings)
@example({"rates": {"clock_skew": 5e-324}})
def test_stored(data: Any) -> None:
    """Whatever is valid can be stored, and is read as it was."""
    parsed = valid(data)
    if parsed:
        item = to_item(parsed.model_dump(mode="json"))
        assert parse_configuration(from_item(item)) == parsed


@given(settings, settings)
def test_differences(one: Any, other: Any) -> None:
    """Setting the fields that differ turns one version into the other; a version does not differ from itself."""
    before, after = (
        parse_configuration({} if not valid(data) else data).model_dump(mode="json") for data in (one, other)
    )
    found = list(differences(before, after))
    assert bool(found) is (before != after)
    assert list(differences(before, before)) == []
    # Tags, and contact types of the scope, may be missing in one of the two, and tags may have dots.
    whole = {difference.path.split(".")[0] for difference in found}
    assert changed(before, [(key, after[key]) for key in whole]) == after


@given(st.text(max_size=20), json_values, st.text(max_size=20))
def test_changed(path: str, value: Any, other: str) -> None:
    """Any path and value give data that can be validated, or one of our errors; what they came from stays."""
    before = parse_configuration({}).model_dump(mode="json")
    with contextlib.suppress(ConfigurationInvalidError):
        valid(changed(before, [(path, value), (f"{other}.{path}", value)]))
    assert before == parse_configuration({}).model_dump(mode="json")


@given(st.integers(1, 60), st.floats(0.1, 3600), st.floats(0.1, 86400))
def test_delays(retry: int, base: float, limit: float) -> None:
    """Delays never shrink from retry to retry, and never exceed the cap."""
    if limit < base:
        base, limit = limit, base
    base = min(base, 3600)
    config = RetryConfig(base_delay=base, max_delay=limit)
    assert config.delay(1) == base
    assert config.delay(retry) <= config.delay(retry + 1) <= limit
