"""Handlers that the tests of the event side deploy: well-behaved ones and poisonous ones."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3

served: list[str] = []


def echo(event: Any, context: Any) -> dict[str, Any]:
    """Return the event with what a handler can see of its surroundings."""
    served.append(context.aws_request_id)
    print("printed by the handler")  # noqa: T201 - handlers may print
    print("to stderr", file=sys.stderr)  # noqa: T201 - handlers may print
    return {
        "event": event,
        "calls": len(served),
        "pid": os.getpid(),
        "environment": dict(os.environ),
        "request_id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
        "path": sys.path,
    }


def identity(_event: Any, _context: Any) -> str:
    """Ask STS who the function is."""
    return str(boto3.client("sts").get_caller_identity()["Arn"])


def fail(event: Any, _context: Any) -> None:
    """Raise, after saying so."""
    print("about to fail")  # noqa: T201 - handlers may print
    message = f"no luck with {event.get('detail', {}).get('eventName')}"
    raise LookupError(message)


def flaky(_event: Any, _context: Any) -> str:
    """Fail until the file that COUNTER names holds as many characters as FAILURES says."""
    counter = Path(os.environ["COUNTER"])
    tries = len(counter.read_text()) if counter.exists() else 0
    counter.write_text("x" * (tries + 1))
    if tries < int(os.environ["FAILURES"]):
        message = "not yet"
        raise RuntimeError(message)
    return "done"


def hang(_event: Any, _context: Any) -> None:
    """Start a process of its own and never return."""
    child = subprocess.Popen(["/bin/sleep", "300"])
    Path(os.environ["COUNTER"]).write_text(str(child.pid))
    time.sleep(300)


def end(_event: Any, _context: Any) -> None:
    """Exit."""
    print("leaving")  # noqa: T201 - handlers may print
    sys.exit(3)


def killed(_event: Any, _context: Any) -> None:
    """Die of a signal."""
    os.kill(os.getpid(), signal.SIGKILL)


def unserializable(_event: Any, _context: Any) -> object:
    """Return what is not JSON."""
    return {1, 2}


def noisy(_event: Any, _context: Any) -> str:
    """Print more than is kept."""
    for _ in range(20_000):
        print("x" * 100)  # noqa: T201 - handlers may print
    print("the end")  # noqa: T201 - handlers may print
    return "y" * 1000


def big(_event: Any, _context: Any) -> str:
    """Return more than Lambda lets through."""
    return "z" * (7 * 1024 * 1024)


def start_run(event: Any, _context: Any) -> Any:
    """Start a DAG run through MWAA, as the trigger does."""
    client = boto3.client("mwaa")
    answer = client.invoke_rest_api(
        Name=os.environ["ENVIRONMENT"],
        Method="POST",
        Path="/dags/contact_sync/dagRuns",
        Body={"dag_run_id": event["detail"]["eventID"], "logical_date": None},
    )
    return json.loads(json.dumps(answer["RestApiResponse"]))
