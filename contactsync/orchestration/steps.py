"""What the tasks of the DAG contact_sync call, one function each.

Imports of the product stand inside the functions: DAG files import this module when they are parsed, and nothing heavy
may be loaded then.
"""

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from contactsync.orchestration.retry import RETRY_CONFIG_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from contactsync.services import Services
    from contactsync.sync.operation import AccountOutcome

log = logging.getLogger(__name__)


@cache
def _services() -> "Services":
    from contactsync.services import Services

    return Services.from_environment()


def plan(context: Any) -> list[str]:  # noqa: ANN401 -- Airflow's context is a TypedDict with private parts
    """Plan the run and return the ids of the accounts to map `sync_account` over."""
    from airflow.sdk.configuration import conf

    from contactsync.sync.request import parse_request

    dag_run = context["dag_run"]
    services = _services()
    request = parse_request(
        dag_run.conf or {},
        context["params"],
        dag_run_id=dag_run.run_id,
        triggered_by=f"airflow:{dag_run.triggering_user_name or dag_run.run_type.value}",
        management_account=services.settings.management_account,
    )
    account_ids = services.planner.plan(request, map_limit=conf.getint("core", "max_map_length"))
    log.info("%s accounts may be touched", len(account_ids))
    return list(account_ids)


def sync_account(account_id: str, context: Any) -> None:  # noqa: ANN401 -- as above
    """Bring one account to the desired contacts."""
    account_sync = _services().account_sync
    operation, context[RETRY_CONFIG_KEY] = account_sync.open(context["dag_run"].run_id)
    ti = context["ti"]
    # Tries keep counting when a task is cleared (FACTS 5.16); max_tries grows with them.
    first_try = ti.max_tries - ti.task.retries + 1
    for outcome in account_sync.sync(operation, account_id, ti.try_number, first_try=first_try):
        fields = ", ".join(outcome.changed_fields)
        log.info("%s: %s, %s %s", outcome.contact_type, outcome.status, outcome.detail, fields)


def report(context: Any, *, plan_task: str, sync_task: str) -> None:  # noqa: ANN401 -- as above
    """Build, store and print the report; raise when as many outcomes failed as the configuration's threshold."""
    from contactsync.sync.report_table import report_parts

    rows: list[AccountOutcome] = []
    ti, run_id = context["ti"], context["dag_run"].run_id
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[plan_task, sync_task], run_ids=[run_id]).get(run_id, {})
    result = _services().reporter.report(
        run_id,
        _account_states(states, ti.xcom_pull(task_ids=plan_task) or [], sync_task),
        planned=states.get(plan_task) == "success",
        show=rows.append,
    )
    for part in report_parts(result, rows):
        log.info("%s", part)
    result.check()


def _account_states(states: "Mapping[str, str]", account_ids: "Sequence[str]", sync_task: str) -> dict[str, str]:
    """Return Airflow's state of each account's task; mapped tasks are numbered in the order of plan's list."""
    return {
        account_id: states[f"{sync_task}_{index}"]
        for index, account_id in enumerate(account_ids)
        if f"{sync_task}_{index}" in states
    }


@cache
def account_label(account_id: str, run_id: str) -> str:
    """Return the name and id that label a mapped task in the grid; the id alone when the name cannot be read."""
    from contactsync.errors import ContactSyncError
    from contactsync.sync.operation import sync_id_of

    try:
        outcomes = _services().operations.outcomes_of(sync_id_of(run_id), account_id)
    except ContactSyncError:
        return account_id
    name = next((outcome.account_name for outcome in outcomes.values()), "")
    return f"{name} ({account_id})" if name else account_id
