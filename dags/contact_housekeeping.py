"""The DAG that keeps the records of contact synchronization true when its runs cannot."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, get_current_context, task

from contactsync.orchestration import steps
from contactsync.orchestration.causes import log_cause
from contactsync.orchestration.dag_settings import OWNER, described, owner_links

DOC = """\
### Contact housekeeping

This DAG runs every five minutes.

- It closes sync operations whose run of `contact_sync` can no longer report: the run was deleted, somebody marked it as
  failed or successful, or it ended without a report. Accounts without an outcome are stored as failed (`no_outcome`).
  The operation gets its counts, its status and a note that says why it was closed. Runs that are queued or running are
  not touched, even if they wait for the approval of a deletion.
- It requests a notice about operations that have not finished in time, and about runs that have not started in time.
- It publishes events that are left in the outbox.

If `close_abandoned` fails, its log names the operations that it could not close. The next run tries them again, and
people get at most one notice about this per day. More: docs/operations.md
"""

# There is one run at a time, so a run that hangs would stop all later ones.
TIMEOUT = timedelta(hours=1)


CLOSE_ABANDONED_DOC = """\
Asks Airflow for the run of every operation that has no end yet. If the run is gone or has ended, closes the operation.
If the run's own report finishes at the same time, the report is kept. The log names every operation that was closed,
with the reason. People get the same notices as if the run had reported.
"""

TELL_OF_OVERDUE_DOC = """\
Requests the notice `overdue`, once for each operation that has not finished one hour after its plan, or one hour after
the decision about its deletion. `CONTACTSYNC_OVERDUE_AFTER` sets another time, in seconds. Operations that wait for
that decision are left out, because people have been asked already.

Also requests this notice when runs of `contact_sync` have been waiting that long without a finished `plan`: the DAG is
paused, no worker is free, or `plan` hangs.
"""

SEND_OUTBOX_DOC = """\
Publishes events that are still in the outbox a minute after they were stored: the event bus could not be reached, or
the process that stored them was killed. If the bus still does not accept them, this task fails and the next run tries
again. No event is lost.
"""


@dag(
    dag_id="contact_housekeeping",
    dag_display_name="Contact housekeeping",
    description="Closes sync operations whose run can no longer report, and publishes what is left in the outbox",
    # Start with the next fifth minute: a plain cron expression, and False too, would start the previous interval's run
    # at once, when an Airflow that is being installed cannot run tasks yet.
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    # One retry is enough: the next run does the same.
    default_args={
        "owner": OWNER,
        "on_failure_callback": log_cause,
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": TIMEOUT,
    },
    owner_links=owner_links(),
    tags=["contactsync", "aws", "contacts"],
    doc_md=described(DOC),
)
def contact_housekeeping() -> None:
    """Declare the three tasks."""

    @task(task_display_name="Close abandoned operations", doc_md=CLOSE_ABANDONED_DOC)
    def close_abandoned() -> None:
        """Close operations without a run."""
        steps.close_abandoned(get_current_context(), sync_dag="contact_sync")

    @task(task_display_name="Send outbox", doc_md=SEND_OUTBOX_DOC)
    def send_outbox() -> None:
        """Publish what could not be published when it happened."""
        steps.send_outbox(get_current_context())

    @task(task_display_name="Report overdue runs", doc_md=TELL_OF_OVERDUE_DOC)
    def tell_of_overdue() -> None:
        """Have people told of operations that have not finished, and of runs that do not begin, in time."""
        steps.tell_of_overdue(get_current_context(), sync_dag="contact_sync", plan_task="plan")

    # No task waits for another: a failure of one must not stop the others.
    close_abandoned()
    tell_of_overdue()
    send_outbox()


contact_housekeeping()
