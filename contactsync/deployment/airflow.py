"""The Airflow of a deployment: its environment in words, active runs, and DAG files that it cannot import."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from contactsync.clock import Clock
from contactsync.deployment.live import AirflowEnvironment
from contactsync.deployment.ports import Airflow, Screen
from contactsync.errors import AirflowRefusedError, EnvironmentUnhealthyError, ServiceUnavailableError
from contactsync.plain_text import one_line

DAG_IDS: Final = ("contact_sync", "contact_housekeeping")
SYNC: Final = "contact_sync"
RUN_POLL: Final = 30.0
"""Seconds between two looks at active runs."""
DAG_POLL: Final = 15.0
DAG_SECONDS: Final = 600.0
"""MWAA reads new DAG files within minutes: ten at most are waited."""
PAGE: Final = 100
REASON: Final = 300
"""Characters of an import error."""

_WORDS: Final = {
    "CREATING": "MWAA makes the environment",
    "CREATING_SNAPSHOT": "MWAA saves the environment's database before the update",
    "PENDING": "MWAA waits for the network's endpoints",
    "AVAILABLE": "the environment is available",
    "UPDATING": "MWAA updates the environment",
    "ROLLING_BACK": "MWAA takes the update back",
    "MAINTENANCE": "MWAA maintains the environment",
    "UNAVAILABLE": "the environment is not available",
    "CREATE_FAILED": "the environment could not be made",
    "UPDATE_FAILED": "the environment could not be updated, and is as it was before",
    "DELETING": "MWAA deletes the environment",
    "DELETED": "the environment is deleted",
}


def environment_words(environment: AirflowEnvironment, *, failed: bool = False) -> str:
    """Return an environment's status in words, and for one that failed MWAA's own reason."""
    words = _WORDS.get(environment.status, f"the environment is {environment.status}")
    reason = f" ({one_line(environment.error, REASON)})" if environment.error and failed else ""
    return f"{words}{reason}"


@dataclass(frozen=True)
class Health:
    """Questions to an environment's Airflow."""

    airflow: Callable[[str], Airflow]
    """Returns the REST API of an environment by its name."""
    screen: Screen
    clock: Clock

    def active_runs(self, environment: str) -> list[str]:
        """Return the ids of the runs of contact_sync that have not ended."""
        rest = self.airflow(environment)
        body = {"dag_ids": [SYNC], "states": ["queued", "running"], "page_limit": PAGE}
        return [str(run["dag_run_id"]) for run in rest.call("POST", "/dags/~/dagRuns/list", body)["dag_runs"]]

    def wait_for_runs(self, environment: str, meanwhile: Callable[[], None]) -> None:
        """Return when no run of contact_sync is active; name those for which it waits, and call `meanwhile`."""
        named: list[str] = []
        while runs := self.active_runs(environment):
            if runs != named:
                self.screen.say(
                    f"Waiting for active runs: {', '.join(runs)}. An update of the environment would interrupt them "
                    "(--interrupt-runs)."
                )
                named = runs
            meanwhile()
            self.clock.sleep(RUN_POLL)

    def check_dags(self, environment: str) -> None:
        """Wait until Airflow has read the DAG files; raise EnvironmentUnhealthyError for those it cannot import."""
        rest = self.airflow(environment)
        end = self.clock.monotonic() + DAG_SECONDS
        while problems := self._problems(rest, environment):
            self.screen.tick(environment, f"waiting until Airflow has read its DAG files ({', '.join(problems)})")
            if self.clock.monotonic() >= end:
                raise EnvironmentUnhealthyError(environment, problems)
            self.clock.sleep(DAG_POLL)

    def _problems(self, rest: Airflow, environment: str) -> list[str]:
        """Return what is not there yet; raise EnvironmentUnhealthyError for files that cannot be imported."""
        try:
            listed: list[dict[str, Any]] = rest.call("GET", "/importErrors")["import_errors"]
            if listed:
                errors = [f"{one['filename']}: {_last_line(str(one['stack_trace']))}" for one in listed]
                raise EnvironmentUnhealthyError(environment, errors)
            return [f"{name} is not there yet" for name in DAG_IDS if not self._has(rest, name)]
        except ServiceUnavailableError:  # a web server that has just been replaced
            return ["Airflow does not answer yet"]

    def _has(self, rest: Airflow, dag_id: str) -> bool:
        try:
            rest.call("GET", f"/dags/{dag_id}")
        except AirflowRefusedError:
            return False
        return True


def _last_line(trace: str) -> str:
    lines = [line for line in trace.splitlines() if line.strip()]
    return one_line(lines[-1], REASON) if lines else "without a reason"
