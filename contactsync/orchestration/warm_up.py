"""Warm-up: the modules of every task are imported once, in the process that LocalExecutor forks its tasks from.

A mapped task spends most of its processor time on importing boto3 and reading botocore's service models. The scheduler
loads plugins before its executor forks the workers, and each worker forks a process per task: what the plugin has
imported by then, all tasks have (measured in docs/performance.md). Where tasks are started in another way, nothing is
lost: they import for themselves.
"""

import importlib
import sys
from functools import cache
from typing import Final

MODULES: Final = (
    "airflow.dag_processing.dagbag",
    "airflow.dag_processing.importers.python_importer",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.operators.hitl",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.execution_time.context",
    "airflow.sdk.execution_time.task_runner",
    "botocore.endpoint",
    "botocore.httpsession",
    "contactsync.services.services",
    "contactsync.views.report_table",
    "contactsync.intake.request",
    "jinja2.ext",
    "packaging.requirements",
)


def warm_up_scheduler() -> None:
    """Warm up when this process is Airflow's scheduler; Airflow loads plugins in every process, also in tasks."""
    if "scheduler" in sys.argv:
        warm_up()


@cache
def warm_up() -> None:
    """Import the modules and read the service models; this makes no connection and reads no credentials."""
    from contactsync.services.adapters import read_service_models

    for module in MODULES:
        importlib.import_module(module)
    read_service_models()
