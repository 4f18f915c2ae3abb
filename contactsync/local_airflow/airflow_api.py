"""A client of Airflow's REST API, version 2, with what tests and the demo need."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Self

import requests

Json = dict[str, Any]
"""An object of the API, with the API's own field names."""

FINISHED = frozenset({"success", "failed"})
"""The states that a DAG run never leaves by itself."""

_PAGE = 500  # items


class AirflowApiError(Exception):
    """A request to Airflow's REST API failed; `status` is the HTTP status, or None when there was no answer."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AirflowApi:
    """A client of one Airflow as one user; it gets a token when it needs one, and a new one when that has expired."""

    def __init__(self, base_url: str, username: str, password: str, *, timeout: float = 30.0) -> None:
        """Keep the address, without /api/v2, and send nothing yet; `timeout` is in seconds, for each request."""
        self.base_url = base_url.rstrip("/")
        self._credentials = {"username": username, "password": password}
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc for an address of this machine

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def health(self) -> Json:
        """Return the health of the components; needs no token."""
        return self._json(self._send("GET", "/api/v2/monitor/health"))

    def dag(self, dag_id: str) -> Json | None:
        """Return the DAG, or None while Airflow does not know it."""
        return self._found(f"/dags/{dag_id}")

    def import_errors(self) -> list[Json]:
        """List the DAG files that could not be imported, with `filename` and `stack_trace`."""
        return list(self._pages("/importErrors", "import_errors"))

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, *, run_id: str | None = None) -> Json:
        """Start a run and return it; raise an error with status 409 when a run with this id exists."""
        body: Json = {"logical_date": None, "conf": dict(conf or {})}
        if run_id is not None:
            body["dag_run_id"] = run_id
        return self.call("POST", f"/dags/{dag_id}/dagRuns", body)

    def runs(self, dag_id: str) -> list[Json]:
        """List the runs of a DAG, the latest first."""
        return list(self._pages(f"/dags/{dag_id}/dagRuns", "dag_runs", order_by="-run_after"))

    def run(self, dag_id: str, run_id: str) -> Json | None:
        """Return one run, or None when there is none of this id."""
        return self._found(f"/dags/{dag_id}/dagRuns/{run_id}")

    def wait_for_run(
        self, dag_id: str, run_id: str, *, states: Sequence[str] | frozenset[str] = FINISHED, seconds: float = 120.0
    ) -> Json:
        """Wait up to `seconds` until the run exists and is in one of the states, and return it."""
        return self.wait_until(
            lambda: run if (run := self.run(dag_id, run_id)) and run["state"] in states else None,
            f"run {run_id} of {dag_id} is {' or '.join(sorted(states))}",
            seconds=seconds,
        )

    def wait_until(self, look: Callable[[], Json | None], what: str, *, seconds: float, every: float = 0.25) -> Json:
        """Call `look` every `every` seconds until it returns something, and return that; `what` is for the error."""
        deadline = time.monotonic() + seconds
        while (seen := look()) is None:
            if time.monotonic() > deadline:
                raise AirflowApiError(f"Gave up after waiting {seconds:.0f} s until {what}.")
            time.sleep(every)
        return seen

    def task_instances(self, dag_id: str, run_id: str, *, task_id: str | None = None) -> list[Json]:
        """List all task instances of a run from all pages, including mapped ones; with `task_id`, those of one task."""
        # Ordered by a column that never changes: otherwise the pages of an active run would overlap.
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        instances = self._pages(path, "task_instances", order_by="id")
        return [instance for instance in instances if task_id in {None, instance["task_id"]}]

    def tries(self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1) -> list[Json]:
        """List the tries of one task instance in their order, including the current one."""
        answer = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/{_mapped(map_index)}tries")
        return sorted(answer["task_instances"], key=lambda instance: instance["try_number"])

    def log(self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1) -> str:
        """Return the log of one try as text: one line per message, followed by its fields."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        lines: list[str] = []
        token: str | None = None
        while True:
            parameters = {"map_index": map_index, "full_content": "true"} | ({"token": token} if token else {})
            answer = self.call("GET", path, parameters=parameters)
            lines += [_log_line(entry) for entry in answer["content"]]
            token, before = answer.get("continuation_token"), token
            if not token or token == before or not answer["content"]:
                return "\n".join(lines)

    def xcom(self, dag_id: str, run_id: str, task_id: str, *, key: str = "return_value", map_index: int = -1) -> object:
        """Return the value that a task pushed, or None when it pushed none."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        found = self._found(path, map_index=map_index, deserialize="false", stringify="false")
        return found["value"] if found else None

    def xcoms(self, dag_id: str, run_id: str) -> list[Json]:
        """List what all tasks of a run pushed, without the values."""
        return list(self._pages(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/~/xcomEntries", "xcom_entries"))

    def clear(
        self,
        dag_id: str,
        run_id: str,
        tasks: Sequence[str | tuple[str, int]] | None = None,
        *,
        only_failed: bool = False,
        downstream: bool = False,
    ) -> list[Json]:
        """Clear tasks of a run (task ids, or pairs with a map index; all tasks by default); return those cleared."""
        body: Json = {
            "dry_run": False,
            "dag_run_id": run_id,
            "only_failed": only_failed,
            "only_running": False,
            "reset_dag_runs": True,
            "include_downstream": downstream,
        }
        if tasks is not None:
            body["task_ids"] = [task if isinstance(task, str) else list(task) for task in tasks]
        cleared: list[Json] = self.call("POST", f"/dags/{dag_id}/clearTaskInstances", body)["task_instances"]
        return cleared

    def pause(self, dag_id: str, *, paused: bool = True) -> None:
        """Pause a DAG, or let it run again."""
        self.call("PATCH", f"/dags/{dag_id}", {"is_paused": paused})

    def call(
        self, method: str, path: str, body: Json | None = None, *, parameters: Mapping[str, Any] | None = None
    ) -> Json:
        """Send a request to /api/v2 and return the object in the answer; raise AirflowApiError unless it succeeds."""
        if "Authorization" not in self._session.headers:
            self._sign_in()
        try:
            return self._json(self._send(method, f"/api/v2{path}", body, parameters))
        except AirflowApiError as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
        self._sign_in()
        return self._json(self._send(method, f"/api/v2{path}", body, parameters))

    def _sign_in(self) -> None:
        self._session.headers.pop("Authorization", None)
        token = self._json(self._send("POST", "/auth/token", self._credentials))["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def _found(self, path: str, **parameters: Any) -> Json | None:  # noqa: ANN401 query parameters are of any type
        try:
            return self.call("GET", path, parameters=parameters)
        except AirflowApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _pages(self, path: str, key: str, **parameters: Any) -> Iterator[Json]:  # noqa: ANN401 query parameters are of any type
        offset = 0
        while True:
            answer = self.call("GET", path, parameters={**parameters, "limit": _PAGE, "offset": offset})
            page: list[Json] = answer[key]
            yield from page
            offset += len(page)
            if not page or offset >= answer["total_entries"]:
                return

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, parameters: Mapping[str, Any] | None = None
    ) -> requests.Response:
        try:
            return self._session.request(
                method, f"{self.base_url}{path}", json=body, params=parameters, timeout=self._timeout
            )
        except requests.RequestException as error:
            raise AirflowApiError(f"{method} {path} got no answer from Airflow: {error}") from error

    def _json(self, response: requests.Response) -> Json:
        if not response.ok:
            request = f"{response.request.method} {response.request.path_url}"
            text = f"{request} was answered with {response.status_code}: {response.text[:2000]}"
            raise AirflowApiError(text, status=response.status_code)
        answer: Json = response.json() if response.content else {}
        return answer


def _mapped(map_index: int) -> str:
    return "" if map_index < 0 else f"{map_index}/"


def _log_line(entry: Json | str) -> str:
    if isinstance(entry, str):
        return entry
    extra = {name: value for name, value in entry.items() if name not in {"timestamp", "level", "event", "logger"}}
    return " ".join([str(entry.get("event", "")), *(f"{name}={value}" for name, value in extra.items())])
