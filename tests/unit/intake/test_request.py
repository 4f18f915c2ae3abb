"""What a run may be asked to do."""

from typing import Any

import pytest

from contactsync.contacts import ContactType
from contactsync.errors import RunRequestError
from contactsync.intake.request import RunOrigin, RunRequest, check_origin, parse_request
from contactsync.scope.rules import ScopeFilter
from tests.support.builders import MANAGEMENT_ACCOUNT, RUN, change_of, request
from tests.support.recorded import MEMBER_ACCOUNT

DEFAULTS: dict[str, Any] = {
    "contact_types": [],
    "accounts": [],
    "organizational_units": [],
    "dry_run": False,
    "reason": None,
    "change": None,
    "follow_up": 0,
}


def parsed(conf: dict[str, Any]) -> RunRequest:
    """Read a conf as Airflow hands it over: the params are the defaults with the conf laid over them."""
    return parse_request(
        conf,
        {**DEFAULTS, **conf},
        dag_run_id=RUN,
        triggered_by="airflow:admin",
        management_account=MANAGEMENT_ACCOUNT,
    )


def problems(conf: dict[str, Any]) -> list[str]:
    """Return why a conf is refused."""
    with pytest.raises(RunRequestError) as caught:
        parsed(conf)
    return list(caught.value.problems)


def test_empty() -> None:
    """A run without parameters is for everything, by whoever started it."""
    found = parsed({})
    assert (found.contact_types, found.accounts, found.dry_run, found.change) == ((), (), False, None)
    assert found.initiating_user == "airflow:admin"
    assert found.dag_run_id == RUN


def test_change() -> None:
    """A run for a change is initiated by whoever changed the contact."""
    found = parsed({"change": change_of("security")})
    assert found.change is not None
    assert found.initiating_user == found.change.initiating_user


@pytest.mark.parametrize(
    ("conf", "field"),
    [
        ({"acounts": []}, "acounts"),
        ({"contact_types": ["SECURITY"]}, "contact_types"),
        ({"contact_types": "security"}, "contact_types"),
        ({"accounts": ["12345"]}, "accounts"),
        ({"accounts": ["123456789012\n"]}, "accounts"),
        ({"organizational_units": "Workloads"}, "organizational_units"),
        ({"organizational_units": [""]}, "organizational_units"),
        ({"dry_run": "perhaps"}, "dry_run"),
        ({"reason": "x" * 1001}, "reason"),
        ({"change": {}}, "change"),
        ({"change": change_of("security", name="Wanda")}, "change"),
        ({"change": change_of("legal")}, "change"),
        ({"change": change_of("security", source_account=MEMBER_ACCOUNT)}, "change"),
        ({"change": change_of("security", action="delete", event_name="PutAlternateContact")}, "change"),
        ({"change": change_of("security", event_name="PutContactInformation")}, "change"),
        ({"change": change_of("primary", event_name="PutAlternateContact")}, "change"),
        ({"change": change_of("security", event_name="PutRootContact")}, "change"),
        ({"change": change_of("security", initiating_user="**approved** by `ciso`")}, "change"),
        ({"change": change_of("security", initiating_user="user/a\n")}, "change"),
        ({"change": change_of("security", initiating_user="")}, "change"),
        ({"change": change_of("security"), "accounts": [MEMBER_ACCOUNT]}, "change"),
        ({"change": change_of("security"), "organizational_units": ["Workloads"]}, "change"),
        ({"change": change_of("security"), "contact_types": ["security"]}, "change"),
        ({"dag_run_id": "other"}, "dag_run_id"),
        ({"triggered_by": "somebody"}, "triggered_by"),
    ],
)
def test_refused(conf: dict[str, Any], field: str) -> None:
    """Each wrong parameter is refused by its name."""
    found = problems(conf)
    assert found
    assert all(problem.startswith(field) for problem in found)


def test_all_problems() -> None:
    """Unknown keys and wrong values are listed together."""
    assert len(problems({"acounts": [], "accounts": ["1"], "dry_run": 7})) == 3


def test_no_value_in_problems() -> None:
    """A problem names the parameter and does not repeat what was given."""
    given = "wanda.quillfeather@quagga.example"
    assert given not in " ".join(problems({"accounts": [given], "change": {"name": given}, "reason": given * 40}))


def test_requested() -> None:
    """The accounts and organizational units of a run are one filter: an account that either names is meant."""
    found = parsed({"accounts": [MEMBER_ACCOUNT], "organizational_units": ["Workloads/Production", "ou-abcd-12345678"]})
    assert found.run_filter == ScopeFilter(
        accounts=(MEMBER_ACCOUNT,), organizational_units=("Workloads/Production", "ou-abcd-12345678")
    )
    assert parsed({}).run_filter.empty


def test_follow_up() -> None:
    """A follow-up is no person's run, and what the configuration no longer has is no mistake of its."""
    found = parsed({"contact_types": ["security", "billing"], "follow_up": 2})
    assert not found.by_hand
    assert found.types_among((ContactType.SECURITY, ContactType.PRIMARY)) == (ContactType.SECURITY,)
    assert parsed({}).by_hand


def test_types_among() -> None:
    """Types keep the configuration's order; none named means all configured ones."""
    configured = (ContactType.SECURITY, ContactType.PRIMARY)
    assert request().types_among(configured) == configured
    assert request(contact_types=["primary", "security"]).types_among(configured) == configured
    assert request(contact_types=["primary"]).types_among(configured) == (ContactType.PRIMARY,)


TRIGGER = "assumed-role/contactsync-prod-trigger"
CHANGE = {"change": change_of("security")}


@pytest.mark.parametrize("user", [TRIGGER, f"{TRIGGER}/contactsync-prod-trigger"])
def test_origin(user: str) -> None:
    """The trigger function's user may name a change, with or without its session."""
    check_origin(request(**CHANGE), RunOrigin(user, "manual"), trigger_user=TRIGGER)


@pytest.mark.parametrize(
    ("parts", "user", "run_type", "field"),
    [
        (CHANGE, "admin", "manual", "change"),
        (CHANGE, None, "manual", "change"),
        (CHANGE, "", "manual", "change"),
        (CHANGE, f"{TRIGGER}2", "manual", "change"),
        (CHANGE, f"x{TRIGGER}", "manual", "change"),
        (CHANGE, TRIGGER.upper(), "manual", "change"),
        (CHANGE, TRIGGER, "scheduled", "change"),
        (CHANGE, TRIGGER, "operator_triggered", "change"),
        ({"change": change_of("security", event_id="another")}, TRIGGER, "manual", "change"),
        ({"follow_up": 1}, "admin", "manual", "follow_up"),
        ({"follow_up": 1}, TRIGGER, "manual", "follow_up"),
        ({"correlation_id": RUN}, "admin", "manual", "correlation_id"),
    ],
)
def test_origin_refused(parts: dict[str, Any], user: str | None, run_type: str, field: str) -> None:
    """What only the trigger or a report may say is refused from anybody else, in one sentence."""
    with pytest.raises(RunRequestError) as caught:
        check_origin(request(**parts), RunOrigin(user, run_type), trigger_user=TRIGGER)
    (problem,) = caught.value.problems
    assert problem.startswith(field)


def test_origin_of_others() -> None:
    """A person's run and a report's follow-up claim nothing that is not theirs."""
    check_origin(request(reason="ticket 7"), RunOrigin("admin", "manual"), trigger_user=TRIGGER)
    check_origin(request(), RunOrigin(None, "scheduled"), trigger_user=TRIGGER)
    follow_up = request(follow_up=1, correlation_id=RUN)
    check_origin(follow_up, RunOrigin("admin", "operator_triggered"), trigger_user=TRIGGER)


def test_unclear_change() -> None:
    """A change whose contact type CloudTrail does not tell concerns each alternate contact that is configured."""
    found = request(change=change_of("alternate"))
    assert found.types_among((ContactType.SECURITY, ContactType.PRIMARY, ContactType.BILLING)) == (
        ContactType.SECURITY,
        ContactType.BILLING,
    )


def test_types_not_configured() -> None:
    """A person who names a type that is not configured is told; a change of one is simply not synchronized."""
    with pytest.raises(RunRequestError, match="billing"):
        request(contact_types=["billing"]).types_among((ContactType.SECURITY,))
    assert request(change=change_of("billing")).types_among((ContactType.SECURITY,)) == ()


@pytest.mark.parametrize(
    ("conf", "params"),
    [
        ({"accounts": [MEMBER_ACCOUNT]}, {"accounts": []}),
        ({"dry_run": True}, {"dry_run": False}),
        ({"contact_types": ["security"]}, {"contact_types": ["billing"]}),
        ({"reason": "one"}, {"reason": "another"}),
        ({"change": change_of("security")}, {}),
    ],
)
def test_conf_and_params_differ(conf: dict[str, Any], params: dict[str, Any]) -> None:
    """A conf that Airflow did not lay over the params is refused: the run would not do what it was asked to."""
    with pytest.raises(RunRequestError) as caught:
        parse_request(
            conf,
            {**DEFAULTS, **params},
            dag_run_id=RUN,
            triggered_by="airflow:admin",
            management_account=MANAGEMENT_ACCOUNT,
        )
    assert list(caught.value.problems) == [f"{next(iter(conf))}: the run's conf and its params differ"]


def test_conf_with_missing_param() -> None:
    """A conf key for which there is no param at all is refused too."""
    with pytest.raises(RunRequestError, match=r"dry_run: .* differ"):
        parse_request({"dry_run": True}, {}, dag_run_id=RUN, triggered_by="a", management_account=MANAGEMENT_ACCOUNT)
