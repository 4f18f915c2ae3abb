"""What the trigger Lambda loads: its zip holds boto3, aws-lambda-powertools and tenacity, and nothing else."""

import json
import os
import subprocess
import sys
from functools import cache
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PACKAGES = ("boto3", "aws-lambda-powertools", "tenacity")
PROBE = """
import json, sys, time
started = time.process_time()
import contactsync.lambdas.trigger
seconds = time.process_time() - started
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps({"seconds": seconds, "files": files, "standard": sorted(sys.stdlib_module_names)}))
"""


@cache
def cold_import() -> dict[str, Any]:
    """Import the handler in a process of its own."""
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
    answer = subprocess.run(
        [sys.executable, "-c", PROBE], check=True, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60
    )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


@cache
def allowed(name: str) -> frozenset[str]:
    """Return a package and everything that it needs, as import names."""
    required = [Requirement(text) for text in requires(name) or []]
    needed = [r.name for r in required if r.marker is None or r.marker.evaluate({"extra": ""})]
    own = name.replace("-", "_").replace("python_dateutil", "dateutil")
    return frozenset({own}).union(*(allowed(other) for other in needed))


def test_packages() -> None:
    """Only the three packages, what they need, the standard library and what reads events of ours are loaded."""
    found = cold_import()
    standard = {*found["standard"], "__main__"}
    loaded = {name.split(".")[0] for name, file in found["files"].items() if file and "site-packages" in file}
    # setuptools' finder of editable installs is loaded at every start of the interpreter.
    foreign = {name for name in loaded - standard if not name.startswith(("__editable__", "_virtualenv", "_distutils"))}
    # botocore takes certifi's certificates where it is installed, and needs it nowhere.
    assert foreign - {"contactsync", "certifi"} <= frozenset().union(*map(allowed, PACKAGES))
    ours = {name for name in found["files"] if name.split(".")[0] == "contactsync"}
    # The tree of errors is one package, which the import contracts hold to the standard library.
    assert {name for name in ours if not name.startswith("contactsync.errors.")} == {
        "contactsync",
        "contactsync.settings",
        "contactsync.settings.groups",
        "contactsync.settings.readers",
        "contactsync.settings.settings",
        "contactsync.settings.variables",
        "contactsync.fingerprint_keys",
        "contactsync.errors",
        "contactsync.lambdas",
        "contactsync.lambdas.airflow_runs",
        "contactsync.lambdas.trigger",
        "contactsync.own_variables",
        "contactsync.plain_text",
        "contactsync.intake",
        "contactsync.limits",
        "contactsync.intake.call_parameters",
        "contactsync.intake.change",
        "contactsync.intake.contact_change",
        "contactsync.intake.principal",
    }


def test_cold_import() -> None:
    """Importing the handler is far less work than fits into Lambda's free ten seconds of start-up."""
    assert cold_import()["seconds"] < 5
