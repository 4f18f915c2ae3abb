"""The params of the DAG contact_sync: one schema for runs that a change starts and runs that a person starts.

Airflow validates them and makes the trigger form from them. No model of contactsync is imported here, because DAG files
import this module when they are parsed; tests compare both.
"""

from airflow.sdk import Param

from contactsync.intake.contact_change import ACCOUNT_ID, CONTACT_TYPES, END, change_schema
from contactsync.limits import FOLLOW_UPS_LIMIT

ACCOUNT_ID_PATTERN = f"^{ACCOUNT_ID}{END}"

NOT_FOR_PEOPLE = "Filled in by contactsync itself: leave this section as it is"

CHANGE_SCHEMA = change_schema()


def contact_sync_params() -> dict[str, Param]:
    """Return the params, in the order of the form."""
    return {
        "contact_types": Param(
            [],
            type=["array", "null"],
            items={"type": "string", "enum": list(CONTACT_TYPES)},
            examples=list(CONTACT_TYPES),
            uniqueItems=True,
            title="Contact types",
            description="Which contacts to synchronize. Empty: all contact types that the configuration names.",
        ),
        "accounts": Param(
            [],
            type=["array", "null"],
            items={"type": "string", "pattern": ACCOUNT_ID_PATTERN},
            uniqueItems=True,
            title="Accounts",
            description=(
                "Ids (12 digits) of member accounts, one per line. If this field and Organizational units are both "
                "empty: all accounts that the configuration admits."
            ),
        ),
        "organizational_units": Param(
            [],
            type=["array", "null"],
            items={"type": "string", "minLength": 1, "maxLength": 1024},
            uniqueItems=True,
            title="Organizational units",
            description=(
                "Ids (ou-...) or paths of names (Workloads/Production), one per line. The run includes all accounts in "
                "these units and in the units below them, in addition to the accounts above. If both fields are empty: "
                "all accounts that the configuration admits."
            ),
        ),
        "dry_run": Param(
            False,  # noqa: FBT003 -- Param's default comes first, whatever its type
            type="boolean",
            title="Dry run",
            description=(
                "Off: contacts are written to the accounts. On: nothing is written; the report says what would change."
            ),
        ),
        "reason": Param(
            None,
            type=["null", "string"],
            maxLength=1000,
            title="Reason",
            description=(
                "Optional: why you start this run. The text is stored with the sync operation; enter no personal data."
            ),
        ),
        "change": Param(
            None,
            **CHANGE_SCHEMA,
            title="Contact change",
            description=(
                "The trigger function fills this in when a contact was changed. A run with a change from anybody else "
                "is refused, so leave the editor as it is. The text that it shows at first has no meaning."
            ),
            section=NOT_FOR_PEOPLE,
        ),
        "follow_up": Param(
            0,
            type="integer",
            minimum=0,
            maximum=FOLLOW_UPS_LIMIT,
            title="Follow-up",
            description=(
                "A report sets this number when it starts another run because the contact changed again. Leave it at 0."
            ),
            section=NOT_FOR_PEOPLE,
        ),
        "correlation_id": Param(
            None,
            type=["null", "string"],
            maxLength=512,
            title="Correlation id",
            description="Connects a follow-up run with the run before it. Leave it empty.",
            section=NOT_FOR_PEOPLE,
        ),
    }
