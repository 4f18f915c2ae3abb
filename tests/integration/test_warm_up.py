"""Warm-up: only what forks tasks imports ahead of time, and without calling anybody; the plugin file that starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contactsync.orchestration.warm_up import MODULES

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, socket, sys

connections = []

def connect(self, address):
    connections.append(repr(address))
    raise OSError("no connections")

socket.socket.connect = socket.socket.connect_ex = connect
sys.argv = json.loads(sys.argv[1])
before = set(sys.modules)
{body}
print(json.dumps({{"modules": sorted(set(sys.modules) - before), "connections": connections}}))
"""
CALL = "from contactsync.orchestration.warm_up import warm_up_executor; warm_up_executor()"
LOAD = f"import runpy; runpy.run_path({str(ROOT / 'plugins' / 'contactsync_plugin.py')!r})"


def ran(body: str, *arguments: str) -> Any:
    """Run code in a fresh process with a command line, and return the modules it imported and whom it called."""
    command = [sys.executable, "-c", PROGRAM.format(body=body), json.dumps(["airflow", *arguments])]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=120)
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("dag-processor",),
        ("api-server",),
        ("tasks", "run", "contact_sync"),
        ("celery", "stop"),
        ("dags", "scheduler"),
    ],
)
def test_others_stay_cold(arguments: tuple[str, ...]) -> None:
    """A process that forks no tasks imports nothing of the product's ahead of time."""
    found = ran(CALL, *arguments)
    assert not {"boto3", "botocore", "airflow", "contactsync.services", "contactsync.aws"} & set(found["modules"])


@pytest.mark.parametrize("arguments", [("scheduler",), ("celery", "worker", "--skip-serve-logs")])
def test_what_forks_tasks(arguments: tuple[str, ...]) -> None:
    """Scheduler and Celery worker import what every task needs, call nobody, and need no credentials or settings."""
    assert not [name for name in os.environ if name.startswith("CONTACTSYNC_")]
    found = ran(CALL, *arguments)
    assert set(MODULES) <= set(found["modules"])
    assert found["connections"] == []


def test_models_are_shared() -> None:
    """The service models that the warm-up read are those that clients find; none is read from disk again."""
    body = f"""{CALL}
import os
from botocore.loaders import JSONFileLoader
from contactsync.aws.sdk.clients import Clients
"""
    body += """
read = []
plain = JSONFileLoader.load_file
JSONFileLoader.load_file = lambda self, path: read.append(path) or plain(self, path)
clients = Clients(management_role=None, connect_timeout=1, read_timeout=1)
os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION="us-east-1")
for service in ("account", "organizations", "sts"):
    clients.management(service)
clients.own("dynamodb")
clients.own("secretsmanager")
assert not [path for path in read if "service-2" in path], read
"""
    assert ran(body, "scheduler")["connections"] == []


def test_plugin_file_in_the_scheduler() -> None:
    """Loading the plugin file in the scheduler warms it up."""
    found = ran(LOAD, "scheduler")
    assert "contactsync.services" in found["modules"]
    assert found["connections"] == []


def test_plugin_file_elsewhere() -> None:
    """Loading it in any other process imports nothing heavy of ours."""
    assert not {"boto3", "contactsync.services"} & set(ran(LOAD, "dag-processor")["modules"])


def test_plugin_is_registered() -> None:
    """Airflow finds the plugin in the folder plugins/, without an import error."""
    command = [sys.executable, "-m", "airflow", "plugins", "--output", "json"]
    environment = {**os.environ, "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins")}
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120)
    (found,) = [plugin for plugin in json.loads(answer.stdout) if plugin["name"] == "contactsync"]
    assert "contactsync_plugin.py" in found["source"]
    assert "Failed to import plugin" not in answer.stderr
