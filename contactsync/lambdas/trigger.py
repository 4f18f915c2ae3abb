"""The trigger function: it turns a recorded contact change into a run of the DAG contact_sync."""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from contactsync.errors import ChangeRefusedError, ContactSyncError
from contactsync.intake.change import NOT_UNDERSTOOD, changes_in
from contactsync.intake.contact_change import ContactChange
from contactsync.lambdas.airflow_runs import AirflowRuns
from contactsync.settings.groups import Group
from contactsync.settings.settings import Settings, read_settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# The event is never logged: its requestParameters can hold contact values.
logger = Logger(service="contactsync-trigger")


@logger.inject_lambda_context
def handler(event: Any, context: "LambdaContext") -> dict[str, list[str]]:  # noqa: ANN401, ARG001 -- Lambda's own signature
    """Start a run for each change in the event, and return the event ids by what happened to them.

    Refused events are only logged. For an event that is not understood, and for a run that Airflow did not accept, an
    error is raised after all other records were handled: Lambda tries again and in the end keeps the event as a dead
    letter.
    """
    done: dict[str, list[str]] = {"started": [], "already_started": [], "refused": []}
    failures: list[ContactSyncError] = []
    for change in changes_in(event, _settings().management.account):
        try:
            done[_handle(change)].append(change.event_id or "")
        except ContactSyncError as error:
            logger.error(str(error), extra={"event_id": change.event_id, "error": error.code})  # noqa: TRY400 -- the error is raised below, with its traceback
            failures.append(error)
    if failures:
        raise failures[0]
    return done


def _handle(change: ContactChange | ChangeRefusedError) -> str:
    if isinstance(change, ChangeRefusedError):
        if change.reason in NOT_UNDERSTOOD:
            raise change
        logger.info(str(change), extra={"event_id": change.event_id, "reason": change.reason})
        return "refused"
    started = _runs().start(change)
    logger.info(
        "run started" if started else "the run exists already",
        extra={"event_id": change.event_id, "contact_type": change.contact_type, "action": change.action},
    )
    return "started" if started else "already_started"


@cache
def _runs() -> AirflowRuns:
    trigger = _settings().trigger
    return AirflowRuns(trigger.mwaa_environment, trigger.mwaa_region)


def _settings() -> Settings:
    return read_settings(os.environ, (Group.MANAGEMENT, Group.TRIGGER))
