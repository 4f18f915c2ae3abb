"""The DAG's params: one schema with the run request, for changes and for people."""

from dataclasses import fields
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.contacts import ContactType
from contactsync.errors import RunRequestError
from contactsync.intake.change import parse_change
from contactsync.intake.contact_change import CONTACT_TYPES, ContactChange
from contactsync.intake.request import PARAMETERS, RequestedChange, RunRequest, parse_request
from contactsync.limits import FOLLOW_UPS_LIMIT
from contactsync.orchestration.params import CHANGE_SCHEMA, contact_sync_params
from tests.support.builders import MANAGEMENT_ACCOUNT, RUN, change_of
from tests.support.recorded import NAMES, changed, recorded, user_identities
from tests.support.strategies import account_ids, contact_types

PARAMS = contact_sync_params()


def valid(name: str, value: object) -> bool:
    """Tell whether Airflow accepts the value of a param."""
    return jsonschema.Draft7Validator(PARAMS[name].schema).is_valid(value)


def accepted(conf: dict[str, Any]) -> RunRequest:
    """Read a conf as the step `plan` does."""
    params = {name: param.value for name, param in PARAMS.items()} | conf
    return parse_request(conf, params, dag_run_id=RUN, triggered_by="airflow:a", management_account=MANAGEMENT_ACCOUNT)


def test_names() -> None:
    """The params are the keys of a run's conf, and those of the request."""
    assert set(PARAMS) == set(PARAMETERS)
    assert set(RunRequest.model_fields) == {*PARAMETERS, "dag_run_id", "triggered_by"}


def test_contact_types() -> None:
    """The contact types of params and of changes are the product's."""
    assert tuple(ContactType) == CONTACT_TYPES


def test_change_schema() -> None:
    """The param `change` is what it was before it followed from the change's one declaration."""
    text = {"type": "string", "maxLength": 512}
    optional = {"type": ["string", "null"], "maxLength": 512}
    assert {
        "type": ["object", "null"],
        "additionalProperties": False,
        "required": [
            "event_id",
            "event_time",
            "event_name",
            "contact_type",
            "action",
            "initiating_user",
            "source_account",
        ],
        "properties": {
            "event_id": text,
            "event_time": text,
            "event_name": {
                "type": "string",
                "enum": ["PutContactInformation", "PutAlternateContact", "DeleteAlternateContact"],
            },
            "contact_type": {"type": "string", "enum": ["primary", "billing", "operations", "security", "alternate"]},
            "action": {"type": "string", "enum": ["put", "delete"]},
            "initiating_user": {"type": "string", "pattern": r"^[A-Za-z0-9+=,.@_/:%-]{1,512}$(?!\n)"},
            "source_account": {"type": "string", "pattern": r"^[0-9]{12}$(?!\n)"},
            "source_ip_address": optional,
            "user_agent": optional,
        },
    } == CHANGE_SCHEMA


CHANGE = change_of("security")
WRONG: dict[str, list[object]] = {
    "event_id": [None, 7, "x" * 513],
    "event_time": [None, [], "x" * 513],
    "event_name": [None, "PutRootContact", "", 1],
    "contact_type": [None, "legal", "SECURITY", True],
    "action": [None, "update", "PUT"],
    "initiating_user": [None, "", "user/a\n", "**approved**", "x" * 513],
    "source_account": [None, "1", "123456789012\n", 123456789012],
    "source_ip_address": [7, "x" * 513],
    "user_agent": [{}, "x" * 513],
}


def test_all_fields_are_tried() -> None:
    """A field that is added to the change needs values here that are refused."""
    assert WRONG.keys() == {field.name for field in fields(ContactChange)} == CHANGE_SCHEMA["properties"].keys()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_change(name: str, value: object) -> None:
    """What Airflow refuses of a change, the plan refuses as well, by the field's name, and the other way round."""
    change = {**CHANGE, name: value}
    assert not valid("change", change)
    with pytest.raises(RunRequestError) as caught:
        accepted({"change": change})
    assert caught.value.problems[0].startswith(f"change.{name}: ")


@pytest.mark.parametrize("name", [field.name for field in fields(ContactChange)])
def test_missing_field(name: str) -> None:
    """A field may be missing for Airflow where it may be missing for the plan."""
    change = {key: value for key, value in CHANGE.items() if key != name}
    if valid("change", change):
        assert accepted({"change": change})
    else:
        with pytest.raises(RunRequestError, match=f"{name}: Field required"):
            accepted({"change": change})


def test_unknown_field() -> None:
    """A key that a change does not have is refused by both."""
    change = {**CHANGE, "name": "Wanda"}
    assert not valid("change", change)
    with pytest.raises(RunRequestError, match=r"change\.name: Extra inputs are not permitted"):
        accepted({"change": change})


def test_defaults() -> None:
    """The defaults of the form are valid, and mean everything, for real."""
    assert all(valid(name, param.value) for name, param in PARAMS.items())
    request = accepted({})
    assert (request.contact_types, request.accounts, request.dry_run) == ((), (), False)


def test_form() -> None:
    """Every param explains itself in the form."""
    for param in PARAMS.values():
        assert param.description
        assert param.schema["title"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("identity", list(user_identities()))
def test_recorded_changes(name: str, identity: str) -> None:
    """What the Lambda makes of a recorded event is a valid param and a valid request."""
    event = changed(recorded(name), "detail.userIdentity", user_identities()[identity])
    change = parse_change(event, MANAGEMENT_ACCOUNT).as_conf()
    assert valid("change", change)
    assert accepted({"change": change}).change == RequestedChange(**change)


@given(st.sampled_from(NAMES), st.sampled_from(["eventTime", "sourceIPAddress", "userAgent"]), st.text(max_size=2000))
def test_any_change(name: str, key: str, text: str) -> None:
    """Whatever texts an event holds, the Lambda's conf is a valid param."""
    event = changed(recorded(name), f"detail.{key}", text or "x")
    assert valid("change", parse_change(event, MANAGEMENT_ACCOUNT).as_conf())


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "contact_types": st.lists(contact_types.map(str), unique=True),
            "accounts": st.lists(account_ids, unique=True, max_size=5),
            "organizational_units": st.lists(st.text(min_size=1, max_size=1024), unique=True, max_size=3),
            "dry_run": st.booleans(),
            "reason": st.none() | st.text(max_size=1000),
            "follow_up": st.integers(0, FOLLOW_UPS_LIMIT),
        },
    )
)
def test_one_schema(conf: dict[str, Any]) -> None:
    """What the form accepts is a valid request, and the same request."""
    assert all(valid(name, value) for name, value in conf.items())
    request = accepted(conf)
    assert [str(kind) for kind in request.contact_types] == conf.get("contact_types", [])
    assert list(request.accounts) == conf.get("accounts", [])
    assert list(request.organizational_units) == conf.get("organizational_units", [])
    assert request.reason == conf.get("reason")
    assert request.follow_up == conf.get("follow_up", 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contact_types", ["SECURITY"]),
        ("contact_types", "security"),
        ("accounts", ["1234"]),
        ("accounts", ["12345678901x"]),
        ("organizational_units", [""]),
        ("organizational_units", "Workloads"),
        ("organizational_units", ["x" * 1025]),
        ("follow_up", -1),
        ("follow_up", FOLLOW_UPS_LIMIT + 1),
        ("follow_up", "1"),
        ("dry_run", "perhaps"),
        ("dry_run", None),
        ("reason", "x" * 1001),
        ("change", {}),
        ("change", change_of("security", name="Wanda")),
        ("change", change_of("legal")),
        ("change", change_of("security", action="purge")),
        ("change", change_of("security", user_agent="x" * 513)),
    ],
)
def test_both_refuse(name: str, value: object) -> None:
    """What one of the two refuses, the other refuses."""
    assert not valid(name, value)
    if value is not None:
        with pytest.raises(Exception, match="refused"):
            accepted({name: value})
