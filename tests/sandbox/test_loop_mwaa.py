"""InvokeRestApi through boto3, in front of a small HTTP server that behaves like Airflow's API server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from contactsync.sandbox.loop import mwaa
from tests.sandbox import loop_template
from tests.sandbox.airflow_server import Airflow, small_airflow
from tests.sandbox.loop_sandbox import SmallSandbox, small_sandbox

ENVIRONMENT = "contactsync-local"


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    """Run the small Airflow."""
    with small_airflow() as server:
        yield server


@pytest.fixture
def sandbox(airflow: Airflow) -> Iterator[SmallSandbox]:
    """Run a sandbox that knows the small Airflow as its environment."""
    with small_sandbox() as running:
        register(running, airflow)
        yield running


def register(sandbox: SmallSandbox, airflow: Airflow, password: str = "secret") -> None:  # noqa: S107 - no secret
    """Register the small Airflow over the control API."""
    answer = sandbox.control(
        "PUT",
        "/airflow",
        {
            "environment": ENVIRONMENT,
            "base_url": airflow.url,
            "username": "admin",
            "password": password,
        },
    )
    assert "secret" not in str(answer)


def invoked(sandbox: SmallSandbox, path: str, method: str = "GET", name: str = ENVIRONMENT, **more: Any) -> Any:
    """Call InvokeRestApi with boto3."""
    config = Config(inject_host_prefix=False, retries={"total_max_attempts": 1})
    return sandbox.client("mwaa", config=config).invoke_rest_api(Name=name, Path=path, Method=method, **more)


def refused(sandbox: SmallSandbox, path: str, **more: Any) -> ClientError:
    """Call InvokeRestApi and return its error."""
    with pytest.raises(ClientError) as error:
        invoked(sandbox, path, **more)
    return error.value


def test_read_and_write(sandbox: SmallSandbox, airflow: Airflow) -> None:
    """Methods, query parameters and bodies reach /api/v2, and the answer comes back with its status."""
    assert invoked(sandbox, "/version")["RestApiResponse"] == {"version": "3.3.1"}
    invoked(sandbox, "/version", QueryParameters={"limit": 5, "tags": ["a", "b"]})
    body = {"dag_run_id": "e-1", "logical_date": None, "conf": {"change": None}}
    answer = invoked(sandbox, "/dags/contact_sync/dagRuns", "POST", Body=body)
    assert answer["RestApiStatusCode"] == 200
    assert answer["RestApiResponse"]["state"] == "queued"
    assert airflow.runs["e-1"] == body
    assert ("GET", "/api/v2/version", {"limit": ["5"], "tags": ["a", "b"]}) in airflow.seen
    assert invoked(sandbox, "/dags/x", "DELETE")["RestApiStatusCode"] == 204
    assert invoked(sandbox, "/text")["RestApiResponse"] == "plain"


def test_errors_of_airflow(sandbox: SmallSandbox) -> None:
    """Airflow's 4xx and 5xx become the two REST API exceptions, with status and document."""
    body = {"dag_run_id": "e-1", "logical_date": None}
    invoked(sandbox, "/dags/contact_sync/dagRuns", "POST", Body=body)
    duplicate = refused(sandbox, "/dags/contact_sync/dagRuns", method="POST", Body=body)
    broken = refused(sandbox, "/broken")
    for error, code, status in [
        (duplicate, "RestApiClientException", 409),
        (broken, "RestApiServerException", 500),
    ]:
        assert error.response["Error"]["Code"] == code
        assert error.response["RestApiStatusCode"] == status
        assert error.response["RestApiResponse"]["detail"]
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("path", "more", "code"),
    [
        ("/" + "x" * 64, {}, "ValidationException"),
        ("/../../auth/token", {}, "ValidationException"),
        ("/version", {"method": "HEAD"}, "ValidationException"),
        ("/version", {"name": "9lives"}, "ValidationException"),
        ("/version", {"QueryParameters": ["a"]}, "ValidationException"),
        ("/version", {"name": "somewhere-else"}, "ResourceNotFoundException"),
    ],
)
def test_refusals(sandbox: SmallSandbox, path: str, more: dict[str, Any], code: str) -> None:
    """What the service refuses never reaches Airflow; 64 characters still pass."""
    assert refused(sandbox, path, **more).response["Error"]["Code"] == code
    assert refused(sandbox, "/" + "x" * 63).response["RestApiStatusCode"] == 404


def test_token(sandbox: SmallSandbox, airflow: Airflow) -> None:
    """The token is fetched once, and again when Airflow no longer accepts it."""
    invoked(sandbox, "/version")
    invoked(sandbox, "/version")
    assert airflow.tokens == 1
    airflow.tokens = 7
    assert invoked(sandbox, "/version")["RestApiStatusCode"] == 200
    assert airflow.tokens == 8
    register(sandbox, airflow, "wrong")
    assert refused(sandbox, "/version").response["RestApiStatusCode"] == 401


def test_rate(sandbox: SmallSandbox) -> None:
    """Ten calls per second pass, then the service throttles."""
    codes = []
    for _ in range(25):
        try:
            codes.append(str(invoked(sandbox, "/version")["RestApiStatusCode"]))
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert codes[:10] == ["200"] * 10
    assert "ThrottlingException" in codes


def test_not_answering(airflow: Airflow) -> None:
    """No Airflow, one that cannot be reached and one that does not answer are errors of the server's side."""
    with small_sandbox() as sandbox:
        assert refused(sandbox, "/version").response["Error"]["Code"] == "InternalServerException"
        register(sandbox, airflow)
        sandbox.loop.mwaa = mwaa.Mwaa(timeout=0.3)
        register(sandbox, airflow)
        slow = refused(sandbox, "/slow")
        assert (slow.response["Error"]["Code"], slow.response["RestApiStatusCode"]) == ("RestApiServerException", 504)
        nowhere = {"environment": ENVIRONMENT, "base_url": "http://127.0.0.1:9", "username": "a"}
        sandbox.control("PUT", "/airflow", nowhere)
        gone = refused(sandbox, "/version")
        assert (gone.response["Error"]["Code"], gone.response["RestApiStatusCode"]) == ("RestApiServerException", 503)


def test_environment(sandbox: SmallSandbox) -> None:
    """GetEnvironment describes the registered Airflow."""
    client = sandbox.client("mwaa", config=Config(inject_host_prefix=False))
    environment = client.get_environment(Name=ENVIRONMENT)["Environment"]
    assert (environment["Status"], environment["AirflowVersion"]) == ("AVAILABLE", "3.3.1")


def test_no_environment() -> None:
    """A sandbox without any Airflow has no environment: the name is unknown, which is no failure of the service."""
    with small_sandbox() as empty, pytest.raises(ClientError) as error:
        empty.client("mwaa", config=Config(inject_host_prefix=False)).get_environment(Name=ENVIRONMENT)
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_whole_loop(sandbox: SmallSandbox, airflow: Airflow, tmp_path: Path) -> None:
    """An event starts one DAG run through a function that calls MWAA with plain boto3; a second delivery is a 409."""
    sandbox.deploy(loop_template.write(tmp_path, "start_run", variables={"ENVIRONMENT": ENVIRONMENT}))
    event_id = sandbox.put(eventID="11111111-1111-1111-1111-111111111111")
    sandbox.settle()
    assert list(airflow.runs) == ["11111111-1111-1111-1111-111111111111"]
    sandbox.control("POST", f"/events/{event_id}/redeliver")
    sandbox.settle()
    last = sandbox.control("GET", "/functions/tried/logs")["invocations"][-1]
    assert last["error"]["errorType"] == "RestApiClientException"
    assert len(airflow.runs) == 1
