"""DAG runs of an MWAA environment, started through InvokeRestApi."""

from functools import cached_property
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from contactsync.errors import TriggerError
from contactsync.intake.contact_change import ContactChange

DAG_ID: Final = "contact_sync"
SERVICE: Final = "mwaa"
"""The one service that the trigger function calls; its zip has botocore's model of no other."""
SUCCESS: Final = 200
REDIRECTION: Final = 300
CONFLICT: Final = 409
SERVER_FAULT: Final = 500
ATTEMPTS: Final = 3
NOT_STARTED: Final = "an answer that names no started run"

# InvokeRestApi ends by itself after 10 s. Three attempts and the waits between them fit into the function's timeout of
# 60 s.
CLIENT_CONFIG: Final = Config(connect_timeout=3, read_timeout=12, retries={"mode": "standard", "total_max_attempts": 1})

PASSING: Final = frozenset(
    {"ThrottlingException", "TooManyRequestsException", "InternalServerException", "RestApiServerException"}
)
"""Codes that may pass within seconds: InvokeRestApi allows 10 calls per second, or the web server is restarting."""


class AirflowRuns:
    """The runs of contact_sync in one MWAA environment."""

    def __init__(self, environment: str, region: str) -> None:
        self._environment = environment
        self._region = region

    def start(self, change: ContactChange) -> bool:
        """Start the run of a change; False when the change has a run already.

        The run's id is the event's, so a second delivery of the event finds the first one's run (status 409). Raises
        TriggerError when Airflow does not accept the run.
        """
        attempts = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.5, max=5),
            reraise=True,
        )
        try:
            status = attempts(self._post, change)
        except ClientError as error:
            if _status(error) == CONFLICT:
                return False
            raise TriggerError(change.event_id, _status(error), _code(error)) from None
        except Exception as error:  # noqa: BLE001 -- a boundary: botocore lets pass what a wrong setting or answer raises
            raise TriggerError(change.event_id, None, type(error).__name__) from None
        if status is None or not SUCCESS <= status < REDIRECTION:
            raise TriggerError(change.event_id, status, NOT_STARTED)
        return True

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 -- boto3 makes its type
        """Made at the first call, so that what botocore finds wrong with its settings fails only that change."""
        return boto3.client(SERVICE, region_name=self._region, config=CLIENT_CONFIG)

    def _post(self, change: ContactChange) -> int | None:
        """Return the status of Airflow's answer; None when something other than MWAA answered, such as a proxy."""
        # `logical_date` is required although it may be null: without it Airflow answers 422.
        body: dict[str, Any] = {
            "dag_run_id": change.event_id,
            "logical_date": None,
            "conf": {"change": change.as_conf()},
            "note": change.note,
        }
        path = f"/dags/{DAG_ID}/dagRuns"
        return _status_in(
            self._client.invoke_rest_api(Name=self._environment, Path=path, Method="POST", Body=body),
        )


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, ClientError):
        return _code(error) in PASSING or error.response["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_FAULT
    return isinstance(error, (HTTPClientError, UnreachableError))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def _status(error: ClientError) -> int | None:
    """Return the status that Airflow's REST API answered; None when the call did not reach it."""
    return _status_in(error.response)


def _status_in(answer: Any) -> int | None:  # noqa: ANN401 -- the modelled shapes have only the common keys
    status = answer.get("RestApiStatusCode")
    return status if isinstance(status, int) else None
