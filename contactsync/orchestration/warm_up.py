"""Warm-up: the modules of every task are imported once, in the process that an executor forks its tasks from.

A mapped task spends most of its processor time on importing boto3 and reading botocore's service models. The scheduler
forks the workers of the LocalExecutor, the main process of `airflow celery worker` those of the CeleryExecutor, and
each worker forks a process per task: what the plugin has imported before, all tasks have (docs/performance.md).
The main process of a Celery worker loads plugins only with `core.lazy_load_plugins = False`, which infra/airflow.yaml
sets. Where tasks are started in another way, nothing is lost: they import for themselves.
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

PARENTS: Final = (("scheduler",), ("celery", "worker"))
"""The commands of `airflow` whose processes fork the workers of an executor."""


def warm_up_executor() -> None:
    """Warm up in Airflow's scheduler and Celery workers; Airflow loads plugins in every process, also in tasks."""
    if any(_starts_with(command, sys.argv[1:]) for command in PARENTS):
        warm_up()


def _starts_with(command: tuple[str, ...], arguments: list[str]) -> bool:
    return tuple(arguments[: len(command)]) == command


@cache
def warm_up() -> None:
    """Import the modules and read the service models; this makes no connection and reads no credentials."""
    from contactsync.services.adapters import read_service_models

    for module in MODULES:
        importlib.import_module(module)
    read_service_models()
