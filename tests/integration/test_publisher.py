"""The optional publisher function, deployed on the sandbox and called as API Gateway calls it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from contactsync.cli.local.local_system import product_environment
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services

ROOT = Path(__file__).parents[2]
ARN = "arn:aws:iam::111122223333:role/ticketing"
LEAST = {"system": "ticketing", "kind": "ticket.opened", "title": "Ask wanda@quagga.example"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox in which the publisher is enabled."""
    scenario = Scenario.model_validate({"organization": {"accounts": 1}})
    with (
        Sandbox(scenario, templates=ROOT / "infra", parameters={"Enabled": "true"}) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in product_environment(running).items():
            patch.setenv(name, value)
        yield running


def post(body: object, caller: str | None = ARN, **more: Any) -> tuple[int, dict[str, Any]]:
    """Call the function with API Gateway's proxy event, and return status and body."""
    event = {
        "httpMethod": "POST",
        "path": "/events",
        "body": body if isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {"identity": {"userArn": caller}},
        **more,
    }
    answer = boto3.client("lambda").invoke(FunctionName="contactsync-local-publisher", Payload=json.dumps(event))
    assert "FunctionError" not in answer, answer["Payload"].read()
    found = json.loads(answer["Payload"].read())
    return found["statusCode"], json.loads(found["body"])


@pytest.mark.usefixtures("sandbox")
def test_published() -> None:
    """An event of another system is in the audit trail, cleaned, with who sent it; sent again it is there once."""
    trail = Services.from_environment().audit_trail
    status, ids = post({**LEAST, "id": "T-1", "correlation_id": "ticket-1"})
    assert (status, ids["correlation_id"]) == (202, "ticket-1")
    assert post({**LEAST, "id": "T-1", "correlation_id": "ticket-1"}) == (202, ids)
    end = time.monotonic() + 60
    while not (found := list(trail.correlated("ticket-1"))):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert [entry.event_id for entry in found] == [ids["event_id"]]
    assert "***" in found[0].data
    assert "quagga" not in found[0].data
    assert ARN in found[0].data


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("body", "status"),
    [("", 400), ("[]", 400), ("{", 400), ({**LEAST, "type": "x"}, 400), ("x" * 70_000, 413), ("[" * 50_000, 400)],
    ids=["nothing", "list", "broken", "unknown key", "too large", "deep"],
)
def test_refused(body: object, status: int) -> None:
    """Garbage is answered with its problems, never with an error of the function."""
    found, answer = post(body)
    assert found == status
    assert answer["problems"]


@pytest.mark.usefixtures("sandbox")
def test_strange_keys() -> None:
    """The answer names our fields, and repeats no key that the sender chose."""
    status, answer = post({**LEAST, "wanda@quagga.example": 1, "details": {"wanda@quagga.example": 1}})
    assert (status, len(answer["problems"]) > 1) == (400, True)
    assert "wanda" not in json.dumps(answer)


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("caller", [None, "", "somebody"])
def test_nobody(caller: str | None) -> None:
    """Without IAM's caller nothing is published, whatever let the request in."""
    assert post(LEAST, caller=caller)[0] == 403


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    "text", ['{"title": NaN}', '{"a": 1e999}', '{"id": "a", "id": "b"}', '{"a":' * 40 + "1" + "}" * 40, '"\ud800"']
)
def test_no_json(text: str) -> None:
    """JSON that other readers would not take is refused as such."""
    status, answer = post(text)
    assert (status, len(answer["problems"])) == (400, 1)


def found_of(correlation_id: str, count: int) -> list[str]:
    """Return the event ids that the trail has of a correlation id, when there are so many."""
    trail = Services.from_environment().audit_trail
    end = time.monotonic() + 60
    while len(found := [entry.event_id for entry in trail.correlated(correlation_id)]) < count:
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


@pytest.mark.usefixtures("sandbox")
def test_other_content() -> None:
    """Another content under an id that was used before is another event: each answer's ids are found."""
    first = post({**LEAST, "id": "T-2", "correlation_id": "ticket-2"})
    other = post({**LEAST, "id": "T-2", "correlation_id": "ticket-2", "title": "Another"})
    assert post({**LEAST, "id": "T-2", "correlation_id": "ticket-2"}) == first
    assert {first[0], other[0]} == {202}
    assert set(found_of("ticket-2", 2)) == {first[1]["event_id"], other[1]["event_id"]}


@pytest.mark.usefixtures("sandbox")
def test_run_of_airflow() -> None:
    """An event about a run that a person started has the run's id, and is found by it."""
    run = "manual__2026-11-21T10:00:00.123456+00:00"
    status, ids = post({**LEAST, "correlation_id": run})
    assert (status, ids["correlation_id"]) == (202, run)
    assert found_of(run, 1) == [ids["event_id"]]


@pytest.mark.parametrize("code", ["AuthorizationError", "NotFound", "InvalidParameter"])
@pytest.mark.parametrize("stage", ["before", "entry"])
def test_refused_for_good(sandbox: Sandbox, code: str, stage: str) -> None:
    """What does not pass by itself is told as that, once, with the ids, and counted for the alarm."""
    settings = FaultSettings.model_validate(
        {"service": "sns", "operation": "PublishBatch", "error": code, "stage": stage, "containing": "refused"}
    )
    fault = sandbox.conditions.faults.add(settings)
    try:
        status, answer = post({**LEAST, "title": "refused"})
        assert fault.struck == 1
    finally:
        sandbox.conditions.faults.remove(fault.id)
    assert (status, "again" in json.dumps(answer), len(answer["problems"])) == (500, False, 1)
    assert answer["event_id"]
    log = sandbox.loop.functions.invocations("contactsync-local-publisher")[-1].log
    (line,) = [json.loads(line) for line in log.splitlines() if '"EventsRefused"' in line]
    assert (line["Environment"], line["EventsRefused"], line["EventsNotTaken"]) == ("local", 1, 1)
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "ContactSync"


def test_no_metrics_call(sandbox: Sandbox) -> None:
    """The function measures by its log: it calls SNS and nothing else, so CloudWatch cannot hold it up."""
    assert post(LEAST)[0] == 202
    assert sandbox.call_log.query(service="cloudwatch") == []


def test_bus_down(sandbox: Sandbox) -> None:
    """When the bus does not take the event the sender is told to send it again."""
    fault = sandbox.conditions.faults.add(FaultSettings(service="sns", operation="PublishBatch", error="InternalError"))
    try:
        assert post(LEAST)[0] == 503
    finally:
        sandbox.conditions.faults.remove(fault.id)
    assert post(LEAST)[0] == 202
