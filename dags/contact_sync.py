"""The DAG that brings every member account to the contacts of the management account."""

from datetime import timedelta

from airflow.sdk import TriggerRule, dag, get_current_context, task

from contactsync.orchestration import steps
from contactsync.orchestration.approval import DeletionApproval
from contactsync.orchestration.notices import About, NoticeNotifier
from contactsync.orchestration.params import contact_sync_params
from contactsync.orchestration.retry import ContactSyncRetryPolicy
from contactsync.sync.bounds import RETRIES_LIMIT

# With delays of 2 s, doubled up to a minute, the ends of a run outlast two minutes of trouble.
ENDS_RETRIES = 6
MAX_DELAY = timedelta(seconds=60)

# A run that waits for an approval is active for up to 30 days. Airflow's default of 16 active runs would let some
# forgotten deletions keep an urgent change from being carried over.
MAX_ACTIVE_RUNS = 1000

DOC = """\
### Contact sync

Brings every member account of the organization to the contacts of the management account.

A contact change in the management account starts a run by itself. To start one by hand, press **Trigger** and fill
in the form: contact types, accounts, organizational units, dry run and the reason.

| task | what it does |
|---|---|
| `plan` | checks credentials and configuration, lists the accounts, reads the management account's contact |
| `approve_deletions` | waits until somebody approves, when contacts are to be deleted; else passes at once |
| `sync_account` | one per member account: compares, writes only a difference, reads it back |
| `report` | counts the outcomes, prints the table, turns the run red when accounts failed |

**A run is red:** open the log of `report`; it names every failed account and its error. Mend the cause, then clear the
run with *only failed* selected: the failed accounts and the report run again, and the run turns green.
**A run waits:** a contact was deleted in the management account. Open **Required actions**: it says in how many
accounts the contact would be deleted. Without an answer nothing is deleted.

Contact values appear in no log, XCom or run configuration.
"""

PLAN_DOC = """\
Checks credentials and configuration, lists the accounts, reads the management account's contact and stores the sync
operation. Fails at once, before anything is written, when the configuration, the caller or the run's parameters are
wrong: the last line of the log says what to mend. Then clear this task.
"""

APPROVE_DELETIONS_DOC = """\
Passes at once when the run deletes nothing, or when the configuration's `deletion.policy` is not `approve`. Else the
run waits here, with the number of accounts that the deletion may touch under **Required actions**. Approved, the
contacts are deleted, unless they are there again in the management account by then. Rejected, or without an answer
within `deletion.approval_timeout`, nothing is deleted and the run ends green; the report says who decided. Clear this
task with its downstream to be asked again.
"""

SYNC_ACCOUNT_DOC = """\
Compares one account's contacts with the desired ones, writes only a difference, reads it back and records the outcome.
Failures are retried as `retry_config` of the configuration says; a refused permission or an invalid contact is final at
once. To try an account again later, clear its task together with its downstream.
"""

REPORT_DOC = """\
Counts the stored outcomes, prints every account and stores the result. Fails when as many outcomes failed as the
configuration's `failure_threshold`: that turns the run red. Cleared together with the failed accounts, it turns green.
"""


@dag(
    dag_id="contact_sync",
    dag_display_name="Contact sync",
    description="Brings every member account to the contacts of the management account",
    schedule=None,
    catchup=False,
    max_active_runs=MAX_ACTIVE_RUNS,
    is_paused_upon_creation=False,
    params=contact_sync_params(),
    tags=["contactsync"],
    doc_md=DOC,
    on_failure_callback=NoticeNotifier(about=About.RUN),
    user_defined_macros={"account_label": steps.account_label},
)
def contact_sync() -> None:
    """Declare the four tasks."""

    @task(
        doc_md=PLAN_DOC,
        retries=ENDS_RETRIES,
        retry_delay=timedelta(seconds=2),
        retry_exponential_backoff=2.0,
        max_retry_delay=MAX_DELAY,
        retry_policy=ContactSyncRetryPolicy(ENDS_RETRIES),
        on_failure_callback=NoticeNotifier(about=About.TASK),
    )
    def plan() -> list[str]:
        """Check, list the accounts, read the source and store the sync operation."""
        return steps.plan(get_current_context())

    approve_deletions = DeletionApproval(
        task_id="approve_deletions",
        doc_md=APPROVE_DELETIONS_DOC,
        notifiers=[NoticeNotifier("approval_waiting")],
        retries=ENDS_RETRIES,
        retry_delay=timedelta(seconds=2),
        retry_exponential_backoff=2.0,
        max_retry_delay=MAX_DELAY,
        retry_policy=ContactSyncRetryPolicy(ENDS_RETRIES),
    )

    @task(
        doc_md=SYNC_ACCOUNT_DOC,
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
        doc_md=REPORT_DOC,
        trigger_rule=TriggerRule.ALL_DONE,
        retries=ENDS_RETRIES,
        retry_delay=timedelta(seconds=2),
        retry_exponential_backoff=2.0,
        max_retry_delay=MAX_DELAY,
        retry_policy=ContactSyncRetryPolicy(ENDS_RETRIES),
        on_success_callback=NoticeNotifier(about=About.OPERATION),
        on_failure_callback=NoticeNotifier(about=About.REPORT),
    )
    def report() -> None:
        """Count and print the outcomes."""
        steps.report(get_current_context(), plan_task="plan", sync_task="sync_account")

    account_ids = plan()
    account_ids >> approve_deletions >> sync_account.expand(account_id=account_ids) >> report()


contact_sync()
