"""What is in the zips of the Lambda functions, and what is not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactsync.lambdas import airflow_runs
from contactsync.packaging.function_zips import SUBSCRIBERS_ZIP, TRIGGER_ZIP, ZIPS, FunctionZip
from contactsync.packaging.imports import needed_files
from tests.support.wheels import make_wheel

ROOT = Path(__file__).parents[3]
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in (ROOT / "contactsync").rglob("*.py")}
CALLS = {"client", "own", "quick", "management", "_client_of"}
"""The functions that make a client of the service that they are given."""
CHOOSERS = ("contactsync/lambdas/", "contactsync/services/")
"""The rooms that choose services for functions; an adapter that functions share with commands can know more."""


def test_every_function_is_in_one_zip() -> None:
    """Each function of the templates has its handler in exactly one zip."""
    found = [handler for zipped in ZIPS for handler in zipped.handlers(SOURCES)]
    texts = [path.read_text() for path in (ROOT / "infra").rglob("*.yaml")]
    wanted = {handler for text in texts for handler in re.findall(r"Handler: (contactsync\.\S+)\.handler", text)}
    assert sorted(found) == sorted(wanted)
    assert TRIGGER_ZIP.handlers(SOURCES) == {"contactsync.lambdas.trigger"}


def test_a_new_function_is_in_the_zip_of_all() -> None:
    """A module of `lambdas` with a handler needs no entry in a list."""
    added = {
        **SOURCES,
        "contactsync/lambdas/tickets.py": b"from x import subscribed\nhandler = subscribed('tickets')\n",
    }
    assert "contactsync.lambdas.tickets" in SUBSCRIBERS_ZIP.handlers(added)


@pytest.mark.parametrize("zipped", ZIPS, ids=lambda zipped: zipped.name)
def test_rooms_left_out(zipped: FunctionZip) -> None:
    """No function has the sandbox, the local Airflow, the command line, the packaging or Airflow's glue."""
    rooms = {path.split("/")[1] for path in needed_files(zipped.handlers(SOURCES), SOURCES)}
    assert not rooms & {"sandbox", "local_airflow", "cli", "packaging", "orchestration", "sync"}
    assert {"lambdas", "errors", "settings"} <= rooms


def services_called(zipped: FunctionZip) -> Iterator[str]:
    """Yield the services for which the modules of a zip make clients."""
    needed = needed_files(zipped.handlers(SOURCES), SOURCES)
    for path in (path for path in needed if path.startswith(CHOOSERS)):
        for node in ast.walk(ast.parse(SOURCES[path])):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                given = node.args[0]
                if name in CALLS and isinstance(given, ast.Constant):
                    yield str(given.value)
                if name == "client" and isinstance(given, ast.Name) and given.id == "SERVICE":
                    yield airflow_runs.SERVICE


@pytest.mark.parametrize("zipped", ZIPS, ids=lambda zipped: zipped.name)
def test_services(zipped: FunctionZip) -> None:
    """The services of a zip are those for which its modules make clients: botocore's other models are left out."""
    assert sorted(set(services_called(zipped))) == sorted(zipped.services)


def test_content(tmp_path: Path) -> None:
    """Of the AWS SDK's data a zip has what all clients read and its services' models; of a wheel what is imported."""
    sdk = make_wheel(
        tmp_path,
        "botocore",
        {
            "botocore/client.py": "",
            "botocore/cacert.pem": "",
            "botocore/data/endpoints.json": "",
            "botocore/data/mwaa/2020-07-01/service-2.json.gz": "",
            "botocore/data/mwaa/2020-07-01/examples-1.json": "",
            "botocore/data/mwaa-serverless/2024-07-26/service-2.json.gz": "",
            "botocore/data/s3/2006-03-01/service-2.json.gz": "",
        },
    )
    other = make_wheel(
        tmp_path,
        "other",
        {
            "other/__init__.py": "",
            "other/types.pyi": "",
            "other/data/s3/file": "",
            "other-1.0.data/scripts/run": "",
            "other-1.0.data/platlib/compiled.so": "",
        },
    )
    content = TRIGGER_ZIP.content(SOURCES, [sdk, other])
    assert {name for name in content if not name.startswith("contactsync/")} == {
        "botocore/client.py",
        "botocore/cacert.pem",
        "botocore/data/endpoints.json",
        "botocore/data/mwaa/2020-07-01/service-2.json.gz",
        "botocore-1.0.dist-info/METADATA",
        "botocore-1.0.dist-info/WHEEL",
        "other/__init__.py",
        "other/data/s3/file",
        "compiled.so",
        "other-1.0.dist-info/METADATA",
        "other-1.0.dist-info/WHEEL",
    }
    assert content["contactsync/lambdas/trigger.py"] == SOURCES["contactsync/lambdas/trigger.py"]
