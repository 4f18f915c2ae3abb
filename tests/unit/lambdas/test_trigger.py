"""The trigger Lambda, called as Lambda calls it, in front of a scripted MWAA endpoint."""

import io
import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from contactsync.errors import ChangeRefusedError, SettingsError, TriggerError
from contactsync.intake.change import parse_change
from contactsync.lambdas import airflow_runs, trigger
from tests.support.mwaa_endpoint import STARTED, MwaaEndpoint, aws_error, broken, refused, trigger_surroundings
from tests.support.recorded import MANAGEMENT_ACCOUNT, NAMES, changed, in_sns, in_sqs, recorded

CONTEXT: Any = SimpleNamespace(
    function_name="contactsync-prod-trigger",
    memory_limit_in_mb=256,
    invoked_function_arn=f"arn:aws:lambda:us-east-1:{MANAGEMENT_ACCOUNT}:function:contactsync-prod-trigger",
    aws_request_id="6f1d6b9a-7d0c-4d3e-9f7e-000000000001",
)
EVENT = recorded("put_alternate_camel")
EVENT_ID = EVENT["detail"]["eventID"]


@pytest.fixture
def mwaa(monkeypatch: pytest.MonkeyPatch) -> Iterator[MwaaEndpoint]:
    """Give the function its environment, and serve its MWAA."""
    with trigger_surroundings(monkeypatch) as endpoint:
        yield endpoint


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Catch what the function logs, as it is written."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(trigger.logger.registered_formatter)
    trigger.logger.addHandler(handler)
    yield text
    trigger.logger.removeHandler(handler)


def invoke(event: object) -> dict[str, list[str]]:
    """Call the handler."""
    result: dict[str, list[str]] = trigger.handler(event, CONTEXT)
    return result


def test_started(mwaa: MwaaEndpoint) -> None:
    """A change starts one run, with the bare event id as run id and the change as conf."""
    assert invoke(EVENT) == {"started": [EVENT_ID], "already_started": [], "refused": []}
    (request,) = mwaa.requests
    assert request["url"] == "/restapi/contactsync-local"
    assert (request["Method"], request["Path"]) == ("POST", "/dags/contact_sync/dagRuns")
    assert len(request["Path"]) <= 64
    assert request["Body"] == {
        "dag_run_id": EVENT_ID,
        "logical_date": None,
        "conf": {"change": parse_change(EVENT, MANAGEMENT_ACCOUNT).as_conf()},
        "note": "security put by user/breakglass",
    }


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        {"RestApiStatusCode": None},
        {"RestApiStatusCode": "many"},
        {"RestApiStatusCode": 302},
        {"RestApiStatusCode": 503},
        {"RestApiResponse": {}},
    ],
)
def test_no_answer_of_mwaa(mwaa: MwaaEndpoint, answer: Any) -> None:
    """An answer that says of no run that it was started, as of a proxy, loses no change; the others go their way."""
    mwaa.script = [(200, "", answer)]
    other = changed(EVENT, "detail.eventID", "0d1f6c5e-8a57-4f0e-9b3c-2f6f5e1a7c44")
    with pytest.raises(TriggerError):
        invoke(in_sqs(EVENT, other))
    assert [request["Body"]["dag_run_id"] for request in mwaa.requests] == [EVENT_ID, other["detail"]["eventID"]]


def test_duplicate(mwaa: MwaaEndpoint) -> None:
    """An existing run is success, at once."""
    mwaa.script = [refused(409)]
    assert invoke(EVENT)["already_started"] == [EVENT_ID]
    assert len(mwaa.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        aws_error(429, "ThrottlingException"),
        aws_error(500, "InternalServerException"),
        aws_error(503, "ServiceUnavailableException"),
        broken(502),
    ],
)
def test_passing(mwaa: MwaaEndpoint, answer: Any) -> None:
    """What may pass within seconds is tried again."""
    mwaa.script = [answer, STARTED]
    assert invoke(EVENT)["started"] == [EVENT_ID]
    assert len(mwaa.requests) == 2


def test_lost_answer(mwaa: MwaaEndpoint) -> None:
    """A run that was started although the answer was an error is found by the next try."""
    mwaa.script = [broken(500), refused(409)]
    assert invoke(EVENT)["already_started"] == [EVENT_ID]


def test_not_passing(mwaa: MwaaEndpoint) -> None:
    """What does not pass raises after a bounded number of tries, so that Lambda's retries take over."""
    mwaa.script = [aws_error(429, "ThrottlingException")]
    with pytest.raises(TriggerError, match=EVENT_ID):
        invoke(EVENT)
    assert len(mwaa.requests) == airflow_runs.ATTEMPTS


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_refused_by_airflow(mwaa: MwaaEndpoint, status: int) -> None:
    """A run that Airflow does not accept raises with Airflow's status, without a second try."""
    mwaa.script = [refused(status)]
    with pytest.raises(TriggerError, match=f"status {status}"):
        invoke(EVENT)
    assert len(mwaa.requests) == 1


def test_access_denied(mwaa: MwaaEndpoint) -> None:
    """A missing permission raises at once and names AWS's code."""
    mwaa.script = [aws_error(403, "AccessDeniedException")]
    with pytest.raises(TriggerError, match="AccessDeniedException"):
        invoke(EVENT)
    assert len(mwaa.requests) == 1


def test_unreachable(mwaa: MwaaEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that nobody listens on raises our error too, after the tries."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert mwaa.requests == []
    with pytest.raises(TriggerError):
        invoke(EVENT)


def test_unreachable_hides_nothing(mwaa: MwaaEndpoint, monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
    """Every record is handled although none reaches Airflow."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert mwaa.requests == []
    with pytest.raises(TriggerError):
        invoke(in_sqs(recorded(NAMES[0]), recorded(NAMES[1])))
    assert all(recorded(name)["detail"]["eventID"] in log.getvalue() for name in NAMES[:2])


def test_refused(mwaa: MwaaEndpoint, log: io.StringIO) -> None:
    """A refused event is logged with its reason and done with: no call, no error, no retry."""
    event = changed(EVENT, "detail.errorCode", "AccessDenied")
    assert invoke(event) == {"started": [], "already_started": [], "refused": [EVENT_ID]}
    assert mwaa.requests == []
    entry = json.loads(log.getvalue().splitlines()[-1])
    assert (entry["reason"], entry["event_id"], entry["level"]) == ("failed_call", EVENT_ID, "INFO")


def test_malformed_last(mwaa: MwaaEndpoint) -> None:
    """A malformed record raises, so that it becomes a dead letter, after all others were handled."""
    payload = in_sqs(recorded(NAMES[0]), recorded(NAMES[2]))
    payload["Records"].insert(0, {"body": "{"})
    with pytest.raises(ChangeRefusedError, match="malformed"):
        invoke(payload)
    assert [request["Body"]["dag_run_id"] for request in mwaa.requests] == [
        recorded(name)["detail"]["eventID"] for name in (NAMES[0], NAMES[2])
    ]


def test_not_understood(mwaa: MwaaEndpoint) -> None:
    """A change of a contact type that this version does not know is no change to drop: it becomes a dead letter."""
    with pytest.raises(ChangeRefusedError, match="unknown_contact_type"):
        invoke(changed(EVENT, "detail.requestParameters.alternateContactType", "LEGAL"))
    assert mwaa.requests == []


def test_one_failure_among_others(mwaa: MwaaEndpoint) -> None:
    """A run that cannot be started keeps no other from being started."""
    mwaa.script = [refused(400), STARTED]
    with pytest.raises(TriggerError, match="status 400"):
        invoke(in_sns(recorded(NAMES[0]), recorded(NAMES[1])))
    assert len(mwaa.requests) == 2


@pytest.mark.parametrize(
    "name",
    ["CONTACTSYNC_MANAGEMENT_ACCOUNT_ID", "CONTACTSYNC_MWAA_ENVIRONMENT", "CONTACTSYNC_MWAA_REGION"],
)
@pytest.mark.usefixtures("mwaa")
def test_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function without one of its variables says which."""
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=name):
        invoke(EVENT)


@pytest.mark.parametrize("name", ["put_alternate_camel", "put_contact_information"])
@pytest.mark.parametrize(
    ("path", "value", "script"),
    [
        ("detail.errorMessage", "Value Wanda Quillfeather failed to satisfy constraint", STARTED),
        ("detail.eventSource", "account.amazonaws.com", STARTED),
        ("detail.requestParameters.accountId", "Wanda Quillfeather", STARTED),
        ("detail.eventID", "Wanda Quillfeather", STARTED),
        ("detail.readOnly", False, refused(400)),
    ],
)
def test_silent(mwaa: MwaaEndpoint, log: io.StringIO, name: str, path: str, value: object, script: Any) -> None:
    """No contact value of an event is logged, raised or sent on, whatever becomes of the event."""
    mwaa.script = [script]
    event = changed(recorded(name), path, value)
    raised = ""
    try:
        invoke(event)
    except (TriggerError, ChangeRefusedError) as error:
        raised = f"{error!r} {error}"
    parameters = event["detail"]["requestParameters"]
    values = [*parameters.values(), *parameters.get("contactInformation", {}).values()]
    texts = [v for v in values if isinstance(v, str) and len(v) > 2 and v != "SECURITY"]
    assert texts
    assert not [text for text in texts if text in log.getvalue() + raised + json.dumps(mwaa.requests)]


def test_run_id_fits() -> None:
    """The run's path fits InvokeRestApi's 64 characters."""
    assert len(f"/dags/{airflow_runs.DAG_ID}/dagRuns/{EVENT_ID}") <= 64
