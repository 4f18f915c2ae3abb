"""The optional publisher function, deployed on the sandbox and called as API Gateway calls it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from contactsync.cli.local_system import product_environment
from contactsync.sandbox.faults import FaultSettings
from contactsync.sandbox.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services import Services

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


def test_bus_down(sandbox: Sandbox) -> None:
    """When the bus does not take the event the sender is told to send it again."""
    fault = sandbox.conditions.faults.add(FaultSettings(service="sns", operation="PublishBatch", error="InternalError"))
    try:
        assert post(LEAST)[0] == 503
    finally:
        sandbox.conditions.faults.remove(fault.id)
    assert post(LEAST)[0] == 202
