"""The DAG files as Airflow sees them."""

import json
import os
import subprocess
import sys
import warnings
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contactsync.limits import RETRIES_LIMIT

LONGEST_MARK_WAIT_HOURS = 1
"""CONTACTSYNC_MARK_WAIT is at most 3600 s, once for each of four contact types."""

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"


@cache
def bag() -> Any:
    """Parse the folder dags/ once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from airflow.dag_processing.dagbag import DagBag

        return DagBag(str(DAGS))


def dag() -> Any:
    """Return the DAG contact_sync."""
    return bag().dags["contact_sync"]


def test_no_import_errors() -> None:
    """Every file parses."""
    assert bag().import_errors == {}
    assert bag().dags


def test_file_names() -> None:
    """A DAG's id is its file's name, and each file holds one DAG."""
    assert {(found.dag_id, Path(found.fileloc).name) for found in bag().dags.values()} == {
        (path.stem, path.name) for path in DAGS.glob("*.py")
    }


def test_runs_at_once() -> None:
    """The DAG is not paused when it first appears, has no schedule, and catches nothing up."""
    assert dag().is_paused_upon_creation is False
    assert dag().schedule is None
    assert dag().catchup is False


def test_tasks() -> None:
    """Plan, the approval of deletions, one mapped task per account, report, in this order."""
    assert set(dag().task_dict) == {"plan", "approve_deletions", "sync_account", "report"}
    assert dag().get_task("plan").downstream_task_ids == {"approve_deletions", "sync_account"}
    assert dag().get_task("approve_deletions").downstream_task_ids == {"sync_account"}
    assert dag().get_task("sync_account").downstream_task_ids == {"report"}
    assert dag().get_task("sync_account").is_mapped


def test_waiting_runs_block_none() -> None:
    """Runs that wait for an approval leave room for urgent ones: Airflow's own limit is 16."""
    assert dag().max_active_runs >= 500


def test_nobody_approves_by_silence() -> None:
    """When nobody answers in time, the deletion is rejected."""
    assert dag().get_task("approve_deletions").defaults == ["Reject"]


def test_housekeeping() -> None:
    """Housekeeping runs every five minutes, one run at a time, beginning with the next fifth minute."""
    housekeeping = bag().dags["contact_housekeeping"]
    assert set(housekeeping.task_dict) == {"close_abandoned", "tell_of_overdue", "send_outbox"}
    assert housekeeping.timetable.expression == "*/5 * * * *"
    assert housekeeping.timetable.run_immediately == timedelta(0)
    assert housekeeping.max_active_runs == 1
    assert housekeeping.catchup is False
    assert housekeeping.is_paused_upon_creation is False


def test_report_runs_always() -> None:
    """The report runs whatever became of the accounts."""
    assert dag().get_task("report").trigger_rule == "all_done"


def test_retries() -> None:
    """The mapped task has the retries that are the configuration's bound, and a policy that knows them."""
    task = dag().get_task("sync_account")
    assert task.retries == RETRIES_LIMIT
    assert task.partial_kwargs["retry_policy"].serialize() == {"retries": RETRIES_LIMIT}
    for name in ("plan", "approve_deletions", "report"):
        other = dag().get_task(name)
        assert other.retry_policy.serialize() == {"retries": other.retries}


def test_documented() -> None:
    """The DAGs and each of their tasks have documentation that an operator reads."""
    for found in bag().dags.values():
        assert len(found.doc_md) > 200
        assert found.description
        for task in found.tasks:
            text = task.partial_kwargs["doc_md"] if task.is_mapped else task.doc_md
            assert len(text) > 100, task.task_id


def test_owned() -> None:
    """Every DAG has an owner and tags to be found by, and every task a name to be read."""
    for found in bag().dags.values():
        assert found.owner == "contactsync"
        assert "contactsync" in found.tags
        for task in found.tasks:
            name = task.partial_kwargs["task_display_name"] if task.is_mapped else task.task_display_name
            assert name[:1].isupper()


def test_room_for_others() -> None:
    """Accounts never take all of Airflow's default slots, neither of a run nor of the environment."""
    assert 1 <= dag().get_task("sync_account").partial_kwargs["max_active_tis_per_dag"] < 16


def test_timeouts() -> None:
    """What hangs ends, long after the longest wait of a try; the approval has an end of its own, the run has none."""
    tasks = {task.task_id: task for found in bag().dags.values() for task in found.tasks}
    limits = {
        name: task.partial_kwargs["execution_timeout"] if task.is_mapped else task.execution_timeout
        for name, task in tasks.items()
    }
    assert limits.pop("approve_deletions") is None
    assert all(limit is not None and limit >= timedelta(hours=1) for limit in limits.values())
    assert limits["sync_account"] > timedelta(hours=4 * LONGEST_MARK_WAIT_HOURS)
    assert dag().dagrun_timeout is None


def test_form() -> None:
    """The params make a form, in the order of use."""
    order = [
        "contact_types",
        "accounts",
        "organizational_units",
        "dry_run",
        "reason",
        "change",
        "follow_up",
        "correlation_id",
    ]
    assert list(dag().params) == order


def test_label() -> None:
    """A mapped task is labelled before it runs, from its account."""
    template = dag().get_task("sync_account").partial_kwargs["map_index_template"]
    assert "account_id" in template
    assert "account_label" in dag().user_defined_macros


def test_serializes() -> None:
    """Airflow can store the DAGs."""
    from airflow.serialization.serialized_objects import DagSerialization

    assert all(json.dumps(DagSerialization.to_dict(found)) for found in bag().dags.values())


PROBE = """
import json, sys
{imports}
before = set(sys.modules)
{load}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
BASE = "import airflow.sdk\nfrom airflow.sdk import Param, RetryPolicy, TriggerRule, dag, get_current_context, task\n"
OPERATORS = "import airflow.providers.standard.decorators.python, airflow.providers.standard.operators.hitl\n"
LOAD = "import runpy\nrunpy.run_path({path!r}, run_name='parsed')"
HEAVY = ("boto3", "botocore", "moto", "s3transfer", "aiobotocore", "tenacity", "rich", "pydantic", "fastapi")


def added_modules(path: Path) -> list[str]:
    """Return the modules that parsing a DAG file loads on top of airflow.sdk and the operators used."""
    code = PROBE.format(imports=BASE + OPERATORS, load=LOAD.format(path=str(path)))
    answer = subprocess.run(  # noqa: PLW1510 -- checked below, with its output
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), cwd=ROOT, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    found: list[str] = json.loads(answer.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_parsing_is_light(path: Path) -> None:
    """Parsing adds nothing heavy: no boto3, no moto, no model of ours."""
    added = added_modules(path)
    assert [name for name in added if name.split(".")[0] in HEAVY] == []
    ours = {name for name in added if name.split(".")[0] == "contactsync"}
    # The tree of errors is one package, which the import contracts hold to the standard library.
    assert {name for name in ours if not name.startswith("contactsync.errors.")} <= {
        "contactsync",
        "contactsync.doc_links",
        "contactsync.errors",
        "contactsync.orchestration",
        "contactsync.own_variables",
        "contactsync.plain_text",
        "contactsync.orchestration.approval",
        "contactsync.orchestration.causes",
        "contactsync.orchestration.dag_settings",
        "contactsync.orchestration.notices",
        "contactsync.orchestration.params",
        "contactsync.orchestration.retry",
        "contactsync.orchestration.steps",
        "contactsync.limits",
        "contactsync.intake",
        "contactsync.intake.call_parameters",
        "contactsync.intake.contact_change",
        "contactsync.intake.principal",
    }
