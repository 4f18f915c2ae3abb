"""What a running task asks Airflow about DAG runs: the state of one, and to start one.

A task speaks to Airflow through its supervisor, as Airflow's own operators do: it has no database and no password.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from contactsync.sync.housekeeping import RunState

if TYPE_CHECKING:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance


NOT_ENDED: Final = (
    "null",  # the execution API's name of no state
    "scheduled",
    "queued",
    "running",
    "restarting",
    "up_for_retry",
    "up_for_reschedule",
    "deferred",
)
"""The states of a task of which more is to come."""


def state_of_run(ti: "RuntimeTaskInstance", dag_id: str, run_id: str) -> RunState | None:
    """Return the state of a run, or None when there is none of this id (any more).

    Asking for the state of a run that does not exist is an error like any other, so its existence is asked first.
    """
    if ti.get_dr_count(dag_id, run_ids=[run_id]) == 0:
        return None
    return RunState(ti.get_dagrun_state(dag_id, run_id))


def unfinished(ti: "RuntimeTaskInstance", dag_id: str, task_id: str) -> int:
    """Return in how many runs of a DAG a task has not ended; runs that are still queued have their tasks too."""
    return int(ti.get_ti_count(dag_id, task_ids=[task_id], states=list(NOT_ENDED)))


def start_run(dag_id: str, run_id: str, conf: Mapping[str, Any], *, note: str | None = None) -> bool:
    """Start a run, and return whether that was needed: a run of this id that exists already is as good.

    A note can be given here only: a task has no way to change that of a run (Airflow 3.3.1).

    This is what TriggerDagRunOperator does; the operator itself would end the task.
    """
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    answer = SUPERVISOR_COMMS.send(TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=dict(conf), note=note))
    if not isinstance(answer, ErrorResponse):
        return True
    if answer.error is ErrorType.DAGRUN_ALREADY_EXISTS:
        return False
    raise AirflowRuntimeError(answer)
