"""The DAG that keeps the records of contact synchronization true when its runs cannot."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, get_current_context, task

from contactsync.orchestration import steps
from contactsync.orchestration.causes import log_cause
from contactsync.orchestration.dag_settings import OWNER, linked, owner_links

DOC = """\
### Contact housekeeping

Every five minutes: closes sync operations whose run of `contact_sync` was deleted, was marked as failed or successful,
or never got to its report. Accounts that no task settled are stored as failed (`no_outcome`), the operation gets its
counts, its status and a note that says why it was closed. Runs that are queued or running are left alone, also those
that wait for the approval of a deletion. Publishes events that are left in the outbox.

A red run names the operations that it could not close; the next run tries them again, and people are told once a day.
More: docs/operations.md
"""

# There is one run at a time, so a run that hangs would stop all later ones.
TIMEOUT = timedelta(hours=1)


CLOSE_ABANDONED_DOC = """\
Asks Airflow for the run of every operation that has no end yet, and closes the operation when that run is gone or has
ended. A report that finishes meanwhile wins. The log names every operation that was closed, with the reason, and people
are told of its end as if its run had reported.
"""

TELL_OF_OVERDUE_DOC = """\
Requests the notice `overdue` for every operation that has not finished an hour (`CONTACTSYNC_OVERDUE_AFTER`) after its
plan, or after the decision about its deletion, once for each. Those that wait for that decision are left out: people
were asked. Also when there have been runs of `contact_sync` for that long whose `plan` is to come: the DAG is paused,
no worker is free, or `plan` hangs.
"""

SEND_OUTBOX_DOC = """\
Publishes the events that are still in the outbox a minute after they were stored: the event bus was out of reach, or
the process that stored them was killed. Fails when the bus still does not take them; the next run tries again, and
nothing is lost.
"""


@dag(
    dag_id="contact_housekeeping",
    dag_display_name="Contact housekeeping",
    description="Closes sync operations whose run can no longer report, and sends what is left in the outbox",
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
    doc_md=linked(DOC),
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
