"""The runs of the DAG contact_sync through Airflow's REST API, on paths that MWAA's InvokeRestApi accepts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self

from contactsync.errors import AirflowRefusedError, DagPausedError, NoRunsError, RunUnknownError

DAG_ID: Final = "contact_sync"
ACCOUNT_TASK: Final = "sync_account"
OTHER_TASKS: Final = ("plan", "approve_deletions", "report")

PAGE: Final = 500
"""Task instances for each request: an answer of InvokeRestApi has at most 6 MB."""
LONGEST_PATH: Final = 64
"""Characters of a path that InvokeRestApi accepts
(https://docs.aws.amazon.com/mwaa/latest/API/API_InvokeRestApi.html)."""

ENDED_RUN: Final = frozenset({"success", "failed"})
ENDED_TASK: Final = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
COUNTED: Final = (*sorted(ENDED_TASK), "running", "queued", "up_for_retry", "up_for_reschedule")
"""The states that are counted one by one in a big run."""
NO_STATE: Final = "none"
"""The state of a task that Airflow has not scheduled yet."""

_NOT_FOUND: Final = 404
_CONFLICT: Final = 409

Json = dict[str, Any]
"""An object of Airflow's API, with its own field names."""


class AirflowRest(Protocol):
    """Airflow's REST API; paths begin after /api/v2."""

    def call(
        self, method: str, path: str, body: Json | None = None, *, parameters: Mapping[str, Any] | None = None
    ) -> Json:
        """Send a request, and return the object in the answer; raise AirflowRefusedError for an error of Airflow."""


@dataclass(frozen=True)
class RunProgress:
    """A run and its tasks at one moment."""

    run_id: str
    state: str
    """Airflow's state of the run."""
    accounts: Counter[str] = field(default_factory=Counter)
    """Number of account tasks by state; `none` for tasks in any other state."""
    tasks: Mapping[str, str] = field(default_factory=dict)
    """The states of the other tasks."""

    @classmethod
    def of(cls, run_id: str, state: str, instances: Sequence[Json]) -> Self:
        """Return what all task instances of a run say."""
        return cls(run_id, state, _by_state(one for one in instances if _is_account(one)), _others(instances))

    @property
    def has_ended(self) -> bool:
        """Whether the run has ended; a clear can make it run again."""
        return self.state in ENDED_RUN

    @property
    def ended_accounts(self) -> int:
        """Number of account tasks that have ended."""
        return sum(number for state, number in self.accounts.items() if state in ENDED_TASK)


@dataclass(frozen=True)
class Runs:
    """The runs of contact_sync in one Airflow."""

    rest: AirflowRest

    def start(self, run_id: str, conf: Mapping[str, Any]) -> None:
        """Start a run with this id; repeating it starts no second one. Raises DagPausedError when the DAG is paused."""
        if self.rest.call("GET", f"/dags/{DAG_ID}")["is_paused"]:
            raise DagPausedError(DAG_ID)
        # `logical_date` is required although it may be null.
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        try:
            self.rest.call("POST", f"/dags/{DAG_ID}/dagRuns", body)
        except AirflowRefusedError as error:
            if error.status != _CONFLICT:
                raise

    def newest(self) -> str:
        """Return the id of the newest run; raise NoRunsError when there is none."""
        answer = self.rest.call("GET", f"/dags/{DAG_ID}/dagRuns", parameters={"order_by": "-run_after", "limit": 1})
        if not answer["dag_runs"]:
            raise NoRunsError
        return str(answer["dag_runs"][0]["dag_run_id"])

    def progress(self, run_id: str) -> RunProgress:
        """Return the state of a run and of its tasks; raise RunUnknownError when Airflow does not have it."""
        state = str(self._run(run_id)["state"])
        listed = self._list(run_id, PAGE)
        if listed["total_entries"] <= PAGE:
            return RunProgress.of(run_id, state, listed["task_instances"])
        # Pages of thousands of tasks would use up the few calls per second that InvokeRestApi allows everyone.
        others = self._list(run_id, len(OTHER_TASKS), task_ids=list(OTHER_TASKS))
        return RunProgress(run_id, state, self._account_counts(run_id), _others(others["task_instances"]))

    def retry(self, run_id: str) -> list[str]:
        """Clear all failed tasks of a run with those that did not run because of them; return the ids, one for each."""
        self._run(run_id)
        body = {"dag_run_id": run_id, "dry_run": False, "only_failed": True, "reset_dag_runs": True}
        answer = self.rest.call("POST", f"/dags/{DAG_ID}/clearTaskInstances", body)
        return [str(instance["task_id"]) for instance in answer["task_instances"]]

    def _run(self, run_id: str) -> Json:
        path = f"/dags/{DAG_ID}/dagRuns/{run_id}"
        if len(path) > LONGEST_PATH or "/" in run_id:
            return self._listed(run_id)
        try:
            return self.rest.call("GET", path)
        except AirflowRefusedError as error:
            if error.status != _NOT_FOUND:
                raise
        raise RunUnknownError(run_id)

    def _listed(self, run_id: str) -> Json:
        """Find the run of a long id in a listing: its own path would be too long."""
        parameters = {"run_id_prefix_pattern": run_id, "limit": PAGE}
        for run in self.rest.call("GET", f"/dags/{DAG_ID}/dagRuns", parameters=parameters)["dag_runs"]:
            if run["dag_run_id"] == run_id:
                return dict(run)
        raise RunUnknownError(run_id)

    def _account_counts(self, run_id: str) -> Counter[str]:
        """Count the account tasks without reading them: one call for all, and one for each state that people see."""
        total = self._list(run_id, 1, task_ids=[ACCOUNT_TASK])["total_entries"]
        counts = Counter(
            {name: self._list(run_id, 1, task_ids=[ACCOUNT_TASK], state=[name])["total_entries"] for name in COUNTED}
        )
        counts[NO_STATE] = max(0, total - counts.total())  # a task may change its state between two calls
        return +counts

    def _list(self, run_id: str, limit: int, **filters: list[str]) -> Json:
        body = {"dag_ids": [DAG_ID], "dag_run_ids": [run_id], "order_by": "id", "page_limit": limit, **filters}
        return self.rest.call("POST", "/dags/~/dagRuns/~/taskInstances/list", body)


def _is_account(instance: Json) -> bool:
    return bool(instance["map_index"] >= 0)


def _by_state(instances: Iterable[Json]) -> Counter[str]:
    return Counter(str(instance["state"] or NO_STATE) for instance in instances)


def _others(instances: Iterable[Json]) -> dict[str, str]:
    """Return the states of the tasks beside the accounts'; before the plan ends, Airflow has one that is not mapped."""
    return {
        str(instance["task_id"]): str(instance["state"] or NO_STATE)
        for instance in instances
        if instance["task_id"] != ACCOUNT_TASK
    }
