"""What a running task asks of Airflow about DAG runs: the state of one, and to start one.

A task talks to Airflow through its supervisor, like Airflow's own operators: it has no database and no password.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from contactsync.sync.housekeeping import RunState

if TYPE_CHECKING:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance


NOT_ENDED: Final = (
    "null",  # the execution API's name for no state
    "scheduled",
    "queued",
    "running",
    "restarting",
    "up_for_retry",
    "up_for_reschedule",
    "deferred",
)
"""The states of a task that has not ended."""


def state_of_run(ti: "RuntimeTaskInstance", dag_id: str, run_id: str) -> RunState | None:
    """Return the state of a run, or None when there is no run with this id.

    Asking for the state of a missing run is an error like any other, so first ask whether the run exists.
    """
    if ti.get_dr_count(dag_id, run_ids=[run_id]) == 0:
        return None
    return RunState(ti.get_dagrun_state(dag_id, run_id))


def unfinished(ti: "RuntimeTaskInstance", dag_id: str, task_id: str) -> int:
    """Return in how many runs of a DAG a task has not ended; the tasks of queued runs count too."""
    return int(ti.get_ti_count(dag_id, task_ids=[task_id], states=list(NOT_ENDED)))


def start_run(dag_id: str, run_id: str, conf: Mapping[str, Any], *, note: str | None = None) -> bool:
    """Start a run, and return whether that was needed: an existing run with this id is a success too.

    A note can only be given here: a task cannot change the note of a run (Airflow 3.3.1).

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
