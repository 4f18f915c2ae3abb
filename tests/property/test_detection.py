"""Detection: from a recorded change over the deployed rule and the function to its run."""

import itertools
import math
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.contacts import ContactType
from contactsync.errors import ContactSyncError
from contactsync.lambdas import trigger
from contactsync.sandbox.events.rules import EventPattern
from contactsync.sandbox.functions.invocations import RETRY_DELAYS
from contactsync.stacks.templates import load
from tests.support.mwaa_endpoint import STARTED, MwaaEndpoint, aws_error, broken, refused, trigger_surroundings
from tests.support.recorded import ABSENT, MANAGEMENT_ACCOUNT, changed, recorded, user_identities
from tests.support.strategies import contact_types, contacts

RESOURCES: Final = load(Path(__file__).parents[2] / "infra" / "trigger.yaml")["Resources"]
PATTERN: Final = {
    **RESOURCES["ContactChangeRule"]["Properties"]["EventPattern"],
    "account": [MANAGEMENT_ACCOUNT],  # the template's parameter ManagementAccountId
}
RETRIES: Final = RESOURCES["TriggerInvocations"]["Properties"]["MaximumRetryAttempts"]

LONGEST_DELIVERY: Final = 20.0
LONGEST_CALL: Final = 10.0
"""InvokeRestApi ends by itself after so many seconds."""
LONGEST_CRASH: Final = 15.0
DEADLINE: Final = 300.0

Answer = tuple[int, str, dict[str, Any]]

TROUBLES: Final[dict[str, list[Answer]]] = {
    "the process ends before the handler": [],
    "the role is not there yet": [aws_error(403, "AccessDeniedException")],
    "the DAG is not there yet": [refused(404)],
    "throttled": [aws_error(429, "ThrottlingException")] * 3,
    "MWAA fails": [aws_error(500, "InternalServerException")] * 3,
    "Airflow restarts": [broken(502)] * 3,
}
"""What fails one invocation as a whole; the next one finds it fixed."""


@dataclass
class Time:
    """Seconds since the event, which pass only where something takes time."""

    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        """Pass time."""
        self.now += seconds


@dataclass
class Airflow:
    """The runs there are with the time of their start, behind an MWAA that answers what was scripted first."""

    time: Time
    durations: Iterator[float]
    script: list[Answer] = field(default_factory=list)
    loses_answer: bool = False
    runs: dict[str, float] = field(default_factory=dict)
    started: int = 0

    def answer(self, _: str, body: dict[str, Any]) -> Answer:
        """Start the run unless it is there, or fail as scripted."""
        self.time.sleep(next(self.durations))
        if self.script:
            return self.script.pop(0)
        run_id = body["Body"]["dag_run_id"]
        if run_id in self.runs:
            return refused(409)
        self.runs[run_id] = self.time.now
        self.started += 1
        lost, self.loses_answer = self.loses_answer, False
        return broken(504) if lost else STARTED


@pytest.fixture(scope="module")
def mwaa() -> Iterator[MwaaEndpoint]:
    """Give the function its environment, and serve its MWAA."""
    with pytest.MonkeyPatch.context() as patch, trigger_surroundings(patch) as endpoint:
        yield endpoint


def cased(name: str, *, camel: bool) -> str:
    """Return a parameter's name in one of the two casings that CloudTrail has been seen with."""
    return name[0].lower() + name[1:] if camel else name


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    """Give the event of a change of any contact type and any number of fields, in any casing, redacted or not."""
    kind, camel, redacted = draw(contact_types), draw(st.booleans()), draw(st.booleans())
    values = draw(contacts(kind)).values()
    kept = draw(st.lists(st.sampled_from(sorted(values)), unique=True))
    fields = {cased(name, camel=camel): "***" if redacted else values[name] for name in kept}
    if kind is ContactType.PRIMARY:
        event = recorded("put_contact_information")
        whole: Any = draw(st.sampled_from([fields, "***"])) if redacted else fields
        parameters: Any = draw(st.sampled_from([{cased("ContactInformation", camel=camel): whole}, None]))
    else:
        deletes = draw(st.booleans())
        event = recorded("delete_alternate" if deletes else "put_alternate_pascal_redacted")
        parameters = {**({} if deletes else fields), cased("AlternateContactType", camel=camel): kind.upper()}
    event = changed(event, "detail.requestParameters", parameters)
    return changed(event, "detail.eventID", str(uuid.UUID(int=draw(st.integers(0, 2**128 - 1)))))


@dataclass
class Delivery:
    """One of EventBridge's deliveries of an event: when it comes, and what befalls its invocations in turn."""

    arrives: float
    troubles: list[str]
    crashes: Iterator[float]
    loses_answer: bool


def seconds(longest: float) -> st.SearchStrategy[float]:
    """Give durations."""
    return st.floats(0, longest)


def endless(longest: float) -> st.SearchStrategy[Iterator[float]]:
    """Give durations without end."""
    return st.lists(seconds(longest), min_size=1, max_size=9).map(itertools.cycle)


deliveries = st.builds(
    Delivery,
    seconds(LONGEST_DELIVERY),
    st.lists(st.sampled_from(sorted(TROUBLES)), max_size=RETRIES),
    endless(LONGEST_CRASH),
    st.booleans(),
)


def deliver(event: dict[str, Any], delivery: Delivery, airflow: Airflow) -> None:
    """Invoke the function as Lambda does: again after its delays, as often as the template says, until it succeeds."""
    time = airflow.time
    time.now = delivery.arrives
    for number, delay in enumerate((0.0, *RETRY_DELAYS[:RETRIES])):
        time.sleep(delay)
        trouble = delivery.troubles[number] if number < len(delivery.troubles) else None
        airflow.script = list(TROUBLES[trouble]) if trouble else []
        airflow.loses_answer = delivery.loses_answer
        if trouble and not airflow.script:
            time.sleep(next(delivery.crashes))
            continue
        try:
            trigger.handler(event, CONTEXT)
        except ContactSyncError:
            continue
        return


CONTEXT: Any = SimpleNamespace(
    function_name="contactsync-prod-trigger",
    memory_limit_in_mb=256,
    invoked_function_arn=f"arn:aws:lambda:us-east-1:{MANAGEMENT_ACCOUNT}:function:contactsync-prod-trigger",
    aws_request_id="6f1d6b9a-7d0c-4d3e-9f7e-000000000001",
)


@given(changes(), st.lists(deliveries, min_size=1, max_size=2), endless(LONGEST_CALL))
def test_detection(
    mwaa: MwaaEndpoint, event: dict[str, Any], copies: list[Delivery], durations: Iterator[float]
) -> None:
    """Feature: aws-contact-sync, Property 1: Contact Change Detection Timing.

    A change of any contact type and any number of fields becomes exactly one run within 300 seconds of the event, also
    when it is delivered twice and two invocations of the function fail.
    """
    time = Time()
    airflow = Airflow(time, durations)
    assert EventPattern(PATTERN).matches(event)
    with pytest.MonkeyPatch.context() as patch:
        # Waits of the function's own tries pass on the test's clock.
        patch.setattr("tenacity.nap.time", SimpleNamespace(sleep=time.sleep))
        patch.setattr(mwaa, "answer", airflow.answer)
        for delivery in copies:
            deliver(event, delivery, airflow)
    assert list(airflow.runs) == [event["detail"]["eventID"]]
    assert airflow.started == 1
    assert airflow.runs[event["detail"]["eventID"]] <= DEADLINE


UNWANTED: Final[list[Callable[[dict[str, Any]], dict[str, Any]]]] = [
    lambda event: changed(event, "detail.errorCode", "AccessDenied"),
    lambda event: changed(event, "detail.eventName", "GetAlternateContact"),
    lambda event: changed(event, "account", "444455556666"),
    *(
        lambda event, name=name: changed(  # type: ignore[misc]
            event,
            "detail.requestParameters",
            {**(event["detail"]["requestParameters"] or {}), name: "444455556666"},
        )
        for name in ("accountId", "AccountId")
    ),
]


@given(changes(), st.sampled_from(UNWANTED))
def test_not_detected(event: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """What is no change of the management account's own contact does not pass the rule."""
    assert not EventPattern(PATTERN).matches(change(event))


@pytest.mark.parametrize("identity", list(user_identities()))
def test_callers(identity: str) -> None:
    """The rule lets a change pass, whoever made it."""
    event = changed(recorded("put_alternate_camel"), "detail.userIdentity", user_identities()[identity])
    assert EventPattern(PATTERN).matches(event)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("detail.recipientAccountId", ABSENT),
        ("detail.requestParameters", ABSENT),
        ("detail.requestParameters", None),
        ("detail.requestParameters", "***"),
        ("detail.requestParameters", "HIDDEN_DUE_TO_SECURITY_REASONS"),
        ("detail.requestParameters", {"omitted": True, "originalSize": 123456, "reason": "too large"}),
        ("detail.requestParameters", {"putAlternateContactRequest": {"alternateContactType": "SECURITY"}}),
        ("detail.requestParameters.alternateContactType", "***"),
        ("detail.requestParameters.alternateContactType", "LEGAL"),
    ],
)
def test_forms(path: str, value: object) -> None:
    """What the function makes a run or a dead letter of passes the rule as well, so it is not dropped before."""
    assert EventPattern(PATTERN).matches(changed(recorded("put_alternate_camel"), path, value))


def test_worst_case() -> None:
    """The longest delivery and two invocations whose calls all take their longest leave time within the 300 seconds."""
    waits = 0.5 + 1.0  # the bounds of the function's own random waits
    invocation = 3 * LONGEST_CALL + waits
    assert math.fsum([LONGEST_DELIVERY, *RETRY_DELAYS[:RETRIES], 3 * invocation]) <= DEADLINE
