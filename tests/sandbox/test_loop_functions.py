"""Functions run by their Handler string, called synchronously through boto3."""

import base64
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.loop_sandbox import HANDLERS, SmallSandbox, small_sandbox, wait_for


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SmallSandbox]:
    """Share one sandbox: each test deploys a function of its own."""
    with small_sandbox() as running:
        yield running


def deployed(sandbox: SmallSandbox, handler: str, *, timeout: int = 10, **variables: str) -> str:
    """Create a function and return its name."""
    name = f"{handler.replace('.', '-')}-{len(sandbox.client('lambda').list_functions()['Functions'])}"
    sandbox.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/tried-role",
        Handler=handler if "." in handler else f"loop_handlers.{handler}",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
        Timeout=timeout,
        MemorySize=256,
        Environment={"Variables": variables},
    )
    return name


def invoked(sandbox: SmallSandbox, name: str, payload: object = None, **settings: Any) -> tuple[Any, dict[str, Any]]:
    """Invoke a function and return its payload and the whole answer."""
    answer = sandbox.client("lambda").invoke(FunctionName=name, Payload=json.dumps(payload), **settings)
    return json.loads(answer["Payload"].read() or "null"), answer


def test_surroundings(sandbox: SmallSandbox) -> None:
    """A handler sees its own variables, Lambda's, the sandbox's endpoint and nothing of the process that started it."""
    os.environ["SECRET_OF_THE_TEST"] = "never"
    result, answer = invoked(sandbox, deployed(sandbox, "echo", COLOUR="blue"), {"a": [1]})
    environment = result["environment"]
    assert result["event"] == {"a": [1]}
    assert "FunctionError" not in answer
    assert environment["COLOUR"] == "blue"
    assert environment["AWS_ENDPOINT_URL"] == sandbox.endpoint_url
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_REGION"] == "us-east-1"
    assert "SECRET_OF_THE_TEST" not in environment
    assert "HOME" not in environment
    assert 0 < result["remaining"] <= 10_000
    assert result["arn"].endswith(":function:" + environment["AWS_LAMBDA_FUNCTION_NAME"])
    assert result["path"][0] == str(HANDLERS)
    assert not any("contactsync/sandbox" in entry for entry in result["path"])


def test_warm(sandbox: SmallSandbox) -> None:
    """A process is reused while it lives, so module state lasts, and a changed function gets a new one."""
    name = deployed(sandbox, "echo")
    first, second = (invoked(sandbox, name)[0] for _ in range(2))
    assert (first["pid"], first["calls"], second["calls"]) == (second["pid"], 1, 2)
    assert first["request_id"] != second["request_id"]
    sandbox.client("lambda").update_function_configuration(FunctionName=name, Environment={"Variables": {"NEW": "1"}})
    third = invoked(sandbox, name)[0]
    assert (third["calls"], third["environment"]["NEW"]) == (1, "1")
    logs = sandbox.control("GET", f"/functions/{name}/logs")["invocations"]
    assert [item["cold_start"] for item in logs] == [True, False, True]


def test_logs(sandbox: SmallSandbox) -> None:
    """What a handler prints is kept per invocation and returned as the log tail."""
    name = deployed(sandbox, "echo")
    _, answer = invoked(sandbox, name, LogType="Tail")
    invoked(sandbox, name)
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert "printed by the handler" in tail
    assert tail.startswith("START RequestId: ")
    logs = sandbox.control("GET", f"/functions/{name}/logs")["invocations"]
    assert [item["log"].count("printed by the handler") for item in logs] == [1, 1]
    assert "to stderr" in logs[1]["log"]


def test_identity(sandbox: SmallSandbox) -> None:
    """A function calls AWS as a session of its role."""
    name = deployed(sandbox, "identity")
    assert invoked(sandbox, name)[0] == f"arn:aws:sts::123456789012:assumed-role/tried-role/{name}"


def test_error(sandbox: SmallSandbox) -> None:
    """An exception comes back in Lambda's words, and the process goes on."""
    name = deployed(sandbox, "fail")
    error, answer = invoked(sandbox, name, {"detail": {"eventName": "X"}})
    assert answer["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("LookupError", "no luck with X")
    assert "in fail" in error["stackTrace"][0]
    invoked(sandbox, name, {})
    logs = sandbox.control("GET", f"/functions/{name}/logs")["invocations"]
    assert "about to fail" in logs[0]["log"]
    assert not logs[1]["cold_start"]


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        ("end", "Runtime.ExitError", "exit status 3"),
        ("killed", "Runtime.ExitError", "signal: killed"),
        ("unserializable", "Runtime.MarshalError", "Unable to marshal response"),
        ("big", "Function.ResponseSizeTooLarge", "exceeded maximum allowed payload size"),
        ("nowhere", "Runtime.HandlerNotFound", "Handler 'nowhere' missing on module 'loop_handlers'"),
        ("no_such_module.handler", "Runtime.ImportModuleError", "Unable to import module 'no_such_module'"),
    ],
)
def test_poison(sandbox: SmallSandbox, handler: str, error_type: str, message: str) -> None:
    """A handler that ends, dies, or cannot be found or answered is an error each time, never a hang."""
    name = deployed(sandbox, handler)
    for _ in range(2):
        error, answer = invoked(sandbox, name, {})
        assert answer["FunctionError"] == "Unhandled"
        assert error["errorType"] == error_type
        assert message in error["errorMessage"]


def test_timeout(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A handler that hangs is killed at its timeout, with the process that it started."""
    counter = tmp_path / "child"
    name = deployed(sandbox, "hang", timeout=1, COUNTER=str(counter))
    error, _ = invoked(sandbox, name, {})
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    wait_for(lambda: not alive(int(counter.read_text())))


def test_noise(sandbox: SmallSandbox) -> None:
    """Endless output neither blocks the handler nor is kept whole: the last of it is."""
    name = deployed(sandbox, "noisy")
    result, _ = invoked(sandbox, name, "p" * 3_000_000)
    (logged,) = sandbox.control("GET", f"/functions/{name}/logs")["invocations"]
    assert result == "y" * 1000
    assert "the end" in logged["log"]
    assert len(logged["log"]) < 300_000


def test_killed_while_idle(sandbox: SmallSandbox) -> None:
    """A warm process that somebody kills is replaced at the next invocation."""
    name = deployed(sandbox, "echo")
    pid = invoked(sandbox, name)[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: pid not in sandbox.control("GET", "/functions")["processes"] or not alive(pid))
    assert invoked(sandbox, name)[0]["pid"] != pid


def test_unknown_function_and_payload(sandbox: SmallSandbox) -> None:
    """An unknown function and a payload that is not JSON are errors of the call."""
    client = sandbox.client("lambda")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody", Payload="{}")
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName=deployed(sandbox, "echo"), Payload="{oops")


def test_event_invocation(sandbox: SmallSandbox) -> None:
    """An asynchronous Invoke answers at once with 202 and runs later."""
    name = deployed(sandbox, "echo")
    _, answer = invoked(sandbox, name, {"a": 1}, InvocationType="Event")
    sandbox.settle()
    assert answer["StatusCode"] == 202
    (logged,) = sandbox.control("GET", f"/functions/{name}/logs")["invocations"]
    assert logged["result"]["event"] == {"a": 1}


def test_stop_leaves_nothing() -> None:
    """Stopping kills warm and busy processes and ends every thread."""
    before = set(threading.enumerate())
    with small_sandbox() as running:
        warm = invoked(running, deployed(running, "echo"))[0]["pid"]
        name = deployed(running, "hang", timeout=60, COUNTER="/dev/null")
        invoked(running, name, {}, InvocationType="Event")
        busy = wait_for(lambda: [pid for pid in running.loop.functions.process_ids() if pid != warm])
    assert not [pid for pid in [warm, *busy] if alive(pid)]
    assert set(threading.enumerate()) <= before


def alive(pid: int) -> bool:
    """Tell whether the process runs (a dead one that nobody waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
