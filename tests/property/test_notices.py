"""Notices of any operation with any outcomes."""

import csv
import io
import json
import re
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from contactsync.bus.events import NoticeRequested
from contactsync.contacts import AlternateContact, ContactType, contact_class
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    AwsCallError,
    RequestInvalidError,
    ServiceUnavailableError,
    WaitingError,
)
from contactsync.notices.failures import LISTED, failures_csv
from contactsync.notices.forms.render_chat import chat_message, render_chat
from contactsync.notices.forms.render_json import render_json
from contactsync.notices.forms.render_sms import render_sms
from contactsync.notices.forms.render_text import render_text, subject_of
from contactsync.notices.notice import Notice, NoticeOrigin, notice_of
from contactsync.notices.scenarios import SWITCHES, Scenario, is_sent, scenarios_of
from contactsync.operations.counting import is_failure
from contactsync.operations.operation import AccountOutcome, OperationStatus, SyncOperation
from contactsync.operations.outcome_counts import OutcomeCounts
from contactsync.sync.report import stored_report
from tests.support.builders import RUN, alternate_values, configuration, primary_values
from tests.support.fakes.surroundings import START, Fault
from tests.support.leaks import LeakSearch
from tests.support.strategies import operations, outcomes
from tests.support.worlds.world import World

SOURCE: Final = {
    ContactType.PRIMARY: primary_values(StateOrRegion="Wobbleshire", CountryCode="FR"),
    ContactType.SECURITY: alternate_values(Title="Quibblemaster"),
}
OLDER: Final = alternate_values(Name="Odo Brandywhistle", Title="Fuddlewright", EmailAddress="odo@grumblewick.example")
SEARCH: Final = LeakSearch(
    {**SOURCE[ContactType.PRIMARY], "CountryCode": "Wobbleshire"}, SOURCE[ContactType.SECURITY], OLDER
)
"""Every word stands nowhere else; the country's two letters stand everywhere."""
ERRORS: Final = (AccessDeniedError, RequestInvalidError, ServiceUnavailableError)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
some_outcomes = st.lists(outcomes, max_size=8, unique_by=lambda outcome: outcome.key)
origins = st.builds(NoticeOrigin, names, names, st.just(START), st.none() | st.just("https://airflow.example.com"))
requests = st.builds(
    NoticeRequested,
    notice_id=names,
    scenario=st.sampled_from(Scenario),
    priority=st.sampled_from(["high", "medium", "low", "info"]),
    dag_id=st.none() | names,
    dag_run_id=st.none() | names,
    sync_id=st.none() | names,
    code=st.none() | names,
    message=st.none() | names,
)
switches = st.fixed_dictionaries(
    {},
    optional={**dict.fromkeys(sorted(set(SWITCHES.values())), st.booleans()), "failure_threshold": st.integers(1, 4)},
)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, list[str]]:
    """Give rules in which every scenario stands once at most."""
    keys = ["high_priority", "medium_priority", "low_priority", "none"]
    places = [(scenario, draw(st.sampled_from(keys))) for scenario in Scenario]
    return {key: [str(scenario) for scenario, place in places if place == key] for key in keys[:3]}


def forms(notice: Notice) -> list[str]:
    """Return every form of a notice."""
    return [subject_of(notice), render_text(notice), render_json(notice), render_chat(notice), render_sms(notice)]


@given(requests, origins, st.none() | operations(), some_outcomes)
def test_forms(request: NoticeRequested, origin: NoticeOrigin, operation: SyncOperation | None, kept: Any) -> None:
    """Whatever is stored can be rendered, within the limits of every channel, in printable lines."""
    notice = notice_of(request, origin, operation, kept)
    content = chat_message(notice)["content"]
    assert len(content["title"]) <= 250
    assert 0 < len(content["description"]) <= 8000
    assert all(0 < len(step) <= 350 for step in content["nextSteps"])
    assert all(0 < len(word) <= 75 for word in content["keywords"])
    assert re.fullmatch(r"[ -~]{1,99}", subject_of(notice))
    assert re.fullmatch(r"[ -Z_a-z]{1,140}", render_sms(notice))
    assert all(line.isprintable() for line in render_text(notice).split("\n"))
    assert all(len(form.encode()) < 250_000 for form in forms(notice))
    assert json.loads(render_json(notice))["failures_total"] == (
        stored_report(operation, kept, 1).outcome_counts.failures if operation else sum(map(is_failure, kept))
    )


@given(requests, origins, operations(), some_outcomes, st.randoms(use_true_random=False))
def test_order(
    request: NoticeRequested, origin: NoticeOrigin, operation: SyncOperation, kept: Any, random: Any
) -> None:
    """Outcomes in any order give the same notice."""
    mixed = list(kept)
    random.shuffle(mixed)
    assert notice_of(request, origin, operation, mixed) == notice_of(request, origin, operation, iter(kept))


@given(requests, operations(), st.lists(outcomes, max_size=70, unique_by=lambda outcome: outcome.key))
def test_every_failure(request: NoticeRequested, operation: SyncOperation, kept: list[AccountOutcome]) -> None:
    """Every failed account is in the notice's list, unless there are too many; then all are in the full list."""
    notice = notice_of(request, NoticeOrigin("test", "c", START), operation, kept)
    failed = [outcome.key for outcome in kept if is_failure(outcome)]
    listed = [(failure.account_id, failure.contact_type) for failure in notice.failures]
    assert len(listed) == min(len(failed), LISTED)
    assert set(listed) <= set(failed)
    assert len(listed) + notice.failures_left_out == len(failed)
    rows = csv.DictReader(io.StringIO("".join(failures_csv(kept)), newline=""))
    assert [(row["account_id"], row["contact_type"]) for row in rows] == failed
    text = render_text(notice)
    assert all(account_id in text for account_id, _ in listed)
    in_causes = sum(cause.accounts for cause in notice.causes)
    assert in_causes >= len({account_id for account_id, _ in failed})


@given(operations(), some_outcomes, switches, rules())
def test_fewest(operation: SyncOperation, kept: Any, keys: dict[str, Any], priorities: Any) -> None:
    """No notice comes twice or against its switch; every ended operation is told unless somebody switched that off."""
    settings = configuration(
        notification_settings={**keys, "user_notifications_config": {"notification_rules": priorities}}
    ).notification_settings
    outcome_counts = OutcomeCounts()
    for outcome in kept:
        outcome_counts.add(outcome)
    found = scenarios_of(operation, outcome_counts, settings)
    assert len(found) == len(set(found)) <= 3
    refused = any(plan.decision for plan in operation.plans.values())
    assert all(is_sent(scenario, settings) for scenario in found if not refused)
    everything = configuration(notification_settings={"notify_on_success": True}).notification_settings
    ended = operation.status in {OperationStatus.COMPLETED, OperationStatus.FAILED}
    assert bool(scenarios_of(operation, outcome_counts, everything)) is ended


@given(
    st.lists(st.tuples(st.sampled_from(ERRORS), st.sampled_from(["read", "write"]), st.integers(1, 3)), max_size=3),
    st.sampled_from(Scenario),
)
def test_no_contact_value(faults: list[tuple[type[AwsCallError], Any, int]], scenario: Scenario) -> None:
    """No form of a notice about a real run's outcomes holds a contact value, nor does the full list.

    Feature: aws-contact-sync, no rendered notice contains a contact value.
    """
    world = World.of(3, contact_types=[str(one) for one in SOURCE], breaker={"enabled": False, "max_pause": 60})
    for contact_type, values in SOURCE.items():
        world.contacts.stored[None, contact_type] = contact_class(contact_type).model_validate(values)
    world.contacts.stored["200000000001", ContactType.SECURITY] = AlternateContact.observed(OLDER)
    for error, kind, number in faults:
        account_id = f"{200000000000 + number:012}"
        world.contacts.faults.append(Fault(error("Scripted", "ScriptedException", account_id), kind, account_id))
    for account_id in world.plan():
        try:
            world.sync(account_id)
        except (AccountsFailedError, WaitingError):
            continue
    operation = world.reporter.report(RUN, {}, has_plan=True).operation
    kept = list(world.outcomes().values())
    request = NoticeRequested.model_validate({"notice_id": "n", "scenario": scenario, "priority": "high"})
    notice = notice_of(request, NoticeOrigin("test", "c", START), operation, kept)
    assert {outcome.contact_type for outcome in kept} == set(SOURCE)
    assert not SEARCH.in_value([*forms(notice), *failures_csv(kept)])
