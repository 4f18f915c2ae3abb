"""Handlers of queue messages that the tests deploy; a body that contains `poison` is what they cannot take."""

import json
import os
import time
from pathlib import Path
from typing import Any


def take(event: Any, _context: Any) -> dict[str, Any]:
    """Take every message but the poisonous ones, and say which those are."""
    failed = [record["messageId"] for record in event["Records"] if "poison" in record["body"]]
    return {"batchItemFailures": [{"itemIdentifier": item} for item in failed]} | _seen(event)


def fail(event: Any, _context: Any) -> dict[str, Any]:
    """Raise when one message is poisonous."""
    if any("poison" in record["body"] for record in event["Records"]):
        message = "one of them is poisonous"
        raise ValueError(message)
    return _seen(event)


def answer(event: Any, _context: Any) -> Any:
    """Return what the variable ANSWER holds, in which ID stands for the first message's id."""
    return json.loads(os.environ["ANSWER"].replace("ID", event["Records"][0]["messageId"]))


def slow(event: Any, _context: Any) -> dict[str, Any]:
    """Take longer than the shrunk visibility timeout."""
    time.sleep(0.5)
    return _seen(event)


def wait(event: Any, _context: Any) -> dict[str, Any]:
    """Say that it has begun, and never return."""
    Path(os.environ["BEGUN"]).write_text("yes")
    time.sleep(86_400)
    return _seen(event)


def _seen(event: Any) -> dict[str, Any]:
    return {"records": event["Records"]}
