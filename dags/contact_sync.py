"""The DAG that brings every member account to the contacts of the management account."""

from datetime import timedelta

from airflow.sdk import TriggerRule, dag, get_current_context, task

from contactsync.limits import RETRIES_LIMIT
from contactsync.orchestration import steps
from contactsync.orchestration.approval import DeletionApproval
from contactsync.orchestration.causes import log_cause
from contactsync.orchestration.dag_settings import OWNER, account_tasks, described, owner_links
from contactsync.orchestration.notices import NoticeNotifier, NoticeSubject
from contactsync.orchestration.params import contact_sync_params
from contactsync.orchestration.retry import ContactSyncRetryPolicy

# With delays of 2 s, doubled up to a minute, the first and last tasks of a run survive two minutes of failures.
ENDS_RETRIES = 6
MAX_DELAY = timedelta(seconds=60)

# A run that waits for an approval is active for up to 30 days. With Airflow's default of 16 active runs, some forgotten
# deletions could keep an urgent change from being synchronized.
MAX_ACTIVE_RUNS = 1000

# Calls have timeouts of their own; these are for what hangs all the same, and would hold its worker for ever. The waits
# of a try are far shorter: longer ones give the worker back. The run itself has no timeout: Airflow would end it
# without a report, and an approval may take 30 days. People are notified of a run that takes long (`overdue`).
ENDS_TIMEOUT = timedelta(hours=3)
ACCOUNT_TIMEOUT = timedelta(hours=6)

DOC = """\
### Contact sync

Makes the contacts of every member account in the organization equal to those of the management account.

When a contact of the management account changes, a run starts automatically. To start a run by hand, press **Trigger**
and fill in the form: contact types, accounts, organizational units, dry run and the reason.

| task | what it does |
|---|---|
| `plan` | checks credentials and configuration, lists the accounts, reads the management account's contacts |
| `approve_deletions` | waits for a person's decision if contacts would be deleted; otherwise passes at once |
| `sync_account` | one task per member account: compares, writes only what is different, reads it back |
| `report` | counts the outcomes, prints the table, turns the run red when accounts failed |

**A run is red:** open the log of `report`. It names every failed account and its error, or says why `plan` failed. Fix
the cause, then clear the run with *only failed* selected: the failed tasks and the report run again, and the run turns
green. If the parameters of the run were wrong, start another run instead.

**A run waits at `approve_deletions`:** a contact was deleted in the management account. Open **Required actions**,
which shows in how many accounts the contact would be deleted. Without an answer nothing is deleted.

If a change started the run, the run's note says who changed which contact. Logs, XComs, notes and run configurations
never contain contact values. More: docs/operations.md, docs/contact-changes.md
"""

PLAN_DOC = """\
Checks credentials and configuration, lists the accounts, reads the management account's contacts and stores the sync
operation. If the configuration, the credentials or the run's parameters are wrong, this task fails at once, before
anything is written. The end of the log says what to fix. Then clear the run with *only failed* selected. If the
parameters of the run were wrong, start another run instead, because a cleared run keeps its parameters.
"""

APPROVE_DELETIONS_DOC = """\
Passes at once if the run deletes nothing, or if `deletion.policy` in the configuration is not `approve`. Otherwise the
run waits here, and **Required actions** shows how many accounts the deletion may touch.

- If a person approves, the contacts are deleted, except those that the management account has again by then.
- If a person rejects, or nobody answers within `deletion.approval_timeout` (24 hours by default), nothing is deleted
  and the run ends green.

The report says who decided. To be asked again, clear this task with *Downstream* selected.
"""

SYNC_ACCOUNT_DOC = """\
Compares one account's contacts with the desired ones, writes only what is different, reads it back and records the
outcome. A failed task is retried as `retry_config` in the configuration says. It is not retried if a permission is
denied or the contact is invalid. To try an account again later, clear its task with *Downstream* selected.
"""

REPORT_DOC = """\
Counts the stored outcomes, prints every account and stores the result. If `plan` failed, this task says why in one
sentence, and fails too. It also fails, and turns the run red, when the number of failed outcomes reaches
`failure_threshold` in the configuration. When it is cleared together with the failed accounts, the run can turn green.
"""


@dag(
    dag_id="contact_sync",
    dag_display_name="Contact sync",
    description="Makes the contacts of every member account equal to those of the management account",
    schedule=None,
    catchup=False,
    max_active_runs=MAX_ACTIVE_RUNS,
    is_paused_upon_creation=False,
    params=contact_sync_params(),
    default_args={"owner": OWNER, "on_failure_callback": log_cause},
    owner_links=owner_links(),
    tags=["contactsync", "aws", "contacts"],
    doc_md=described(DOC),
    on_failure_callback=NoticeNotifier(about=NoticeSubject.RUN),
    user_defined_macros={"account_label": steps.account_label},
)
def contact_sync() -> None:
    """Declare the four tasks."""

    @task(
        task_display_name="Plan",
        doc_md=PLAN_DOC,
        execution_timeout=ENDS_TIMEOUT,
        retries=ENDS_RETRIES,
        retry_delay=timedelta(seconds=2),
        retry_exponential_backoff=2.0,
        max_retry_delay=MAX_DELAY,
        retry_policy=ContactSyncRetryPolicy(ENDS_RETRIES),
        on_failure_callback=[NoticeNotifier(about=NoticeSubject.TASK), log_cause],
    )
    def plan() -> list[str]:
        """Check, list the accounts, read the source and store the sync operation."""
        return steps.plan(get_current_context())

    approve_deletions = DeletionApproval(
        task_id="approve_deletions",
        task_display_name="Approve deletions",
        doc_md=APPROVE_DELETIONS_DOC,
        notifiers=[NoticeNotifier("approval_waiting")],
        retries=ENDS_RETRIES,
        retry_delay=timedelta(seconds=2),
        retry_exponential_backoff=2.0,
        max_retry_delay=MAX_DELAY,
        retry_policy=ContactSyncRetryPolicy(ENDS_RETRIES),
    )

    @task(
        task_display_name="Sync account",
        doc_md=SYNC_ACCOUNT_DOC,
        execution_timeout=ACCOUNT_TIMEOUT,
        # Not a pool: if a pool does not exist, its tasks never run, and MWAA cannot deploy one.
        max_active_tis_per_dag=account_tasks(),
        retries=RETRIES_LIMIT,
        retry_delay=timedelta(seconds=2),
        retry_exponential_backoff=2.0,
        max_retry_delay=MAX_DELAY,
        retry_policy=ContactSyncRetryPolicy(RETRIES_LIMIT),
        map_index_template="{{ account_label(task.op_kwargs['account_id'], run_id) }}",
    )
    def sync_account(account_id: str) -> None:
        """Bring one account to the desired contacts."""
        steps.sync_account(account_id, get_current_context())

    @task(
        task_display_name="Report",
        doc_md=REPORT_DOC,
        execution_timeout=ENDS_TIMEOUT,
        trigger_rule=TriggerRule.ALL_DONE,
        retries=ENDS_RETRIES,
        retry_delay=timedelta(seconds=2),
        retry_exponential_backoff=2.0,
        max_retry_delay=MAX_DELAY,
        retry_policy=ContactSyncRetryPolicy(ENDS_RETRIES),
        on_success_callback=NoticeNotifier(about=NoticeSubject.OPERATION),
        on_failure_callback=[NoticeNotifier(about=NoticeSubject.REPORT), log_cause],
    )
    def report() -> None:
        """Count and print the outcomes."""
        steps.report(get_current_context(), plan_task="plan", sync_task="sync_account")

    account_ids = plan()
    account_ids >> approve_deletions >> sync_account.expand(account_id=account_ids) >> report()


contact_sync()
