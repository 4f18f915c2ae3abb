"""An Airflow that has the DAG contact_sync: its REST API on the paths that the product uses, and as a server."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from contactsync.errors import AirflowRefusedError
from contactsync.runs.runs import DAG_ID, LONGEST_PATH, Json

DAG = f"/dags/{DAG_ID}"
LIST = "/dags/~/dagRuns/~/taskInstances/list"


class FakeAirflow:
    """Runs and task instances in memory; a path that MWAA would refuse is refused."""

    def __init__(self) -> None:
        """Begin without a run."""
        self.runs: dict[str, Json] = {}
        self.instances: dict[str, list[Json]] = {}
        self.calls: list[tuple[str, str]] = []
        self.errors: list[Exception] = []
        """Raised by the next calls, one each."""
        self.paused = False
        self.has_dag = True
        self.questions: list[Json] = []
        """The required actions, as Airflow shows them."""
        self.looks = 0
        """After so many looks at its tasks, a started run has succeeded."""

    def add(self, run_id: str, state: str = "running", *, accounts: list[str | None], **tasks: str | None) -> None:
        """Add a run with the states of its account tasks and of its other tasks."""
        self.runs[run_id] = {"dag_run_id": run_id, "state": state, "conf": {}}
        single = [{"task_id": task, "map_index": -1, "state": one} for task, one in tasks.items()]
        mapped = [{"task_id": "sync_account", "map_index": n, "state": one} for n, one in enumerate(accounts)]
        self.instances[run_id] = [*single, *mapped]

    def ask(self, run_id: str, subject: str = "Delete the security contact in up to 2 accounts?", **more: Any) -> None:
        """Let a run wait for a person."""
        task = {"dag_run_id": run_id, "task_id": "approve_deletions", "map_index": -1, "state": "awaiting_input"}
        detail = {"subject": subject, "body": "Approve deletes the contact.", "created_at": "2026-11-21T10:00:00Z"}
        answers = {"options": ["Approve", "Reject"], "chosen_options": None, "response_received": False}
        self.questions.append({"task_instance": task, **detail, **answers, **more})

    def call(
        self, method: str, path: str, body: Json | None = None, *, parameters: Mapping[str, Any] | None = None
    ) -> Json:
        """Answer one request, with an error for all that Airflow would not accept."""
        assert len(path) <= LONGEST_PATH
        self.calls.append((method, path))
        if self.errors:
            raise self.errors.pop(0)
        status, answer = self.answer(method, path, body or {}, dict(parameters or {}))
        if status >= 400:
            raise AirflowRefusedError(f"{method} {path}", status, answer["detail"])
        return answer

    def answer(self, method: str, path: str, body: Json, parameters: Json) -> tuple[int, Json]:
        """Return the status and the document for a request."""
        if not self.has_dag and path.startswith(DAG):
            return 404, {"detail": "The Dag with ID: `contact_sync` was not found"}
        routes = {
            ("GET", DAG): lambda: (200, {"dag_id": DAG_ID, "is_paused": self.paused}),
            ("POST", f"{DAG}/dagRuns"): lambda: self._start(body),
            ("GET", f"{DAG}/dagRuns"): lambda: self._listed(parameters),
            ("GET", f"{DAG}/dagRuns/~/hitlDetails"): lambda: self._required_actions(parameters),
            ("POST", LIST): lambda: self._instances(body),
            ("POST", f"{DAG}/clearTaskInstances"): lambda: self._clear(body),
        }
        if (method, path) in routes:
            return routes[method, path]()
        if path.endswith("/hitlDetails"):
            return self._answered(method, path, body)
        run = self.runs.get(path.removeprefix(f"{DAG}/dagRuns/"))
        return (200, run) if run and method == "GET" else (404, {"detail": f"{method} {path} was not found"})

    def _required_actions(self, parameters: Json) -> tuple[int, Json]:
        assert (parameters["response_received"], parameters["state"]) == ("false", "awaiting_input")
        waiting = [one for one in self.questions if not one["response_received"]]
        first = int(parameters["offset"])
        page = waiting[first : first + int(parameters["limit"])]
        return 200, {"hitl_details": page, "total_entries": len(waiting)}

    def _answered(self, method: str, path: str, body: Json) -> tuple[int, Json]:
        run_id = unquote(path.removeprefix(f"{DAG}/dagRuns/").partition("/")[0])
        for one in self.questions:
            task = one["task_instance"]
            own = f"{DAG}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task['task_id']}/-1/hitlDetails"
            if task["dag_run_id"] != run_id or own != path or method != "PATCH":
                continue
            if one["response_received"]:
                return 409, {"detail": "Human-in-the-loop detail has already been updated"}
            one |= {"chosen_options": body["chosen_options"], "response_received": True}
            return 200, {"chosen_options": body["chosen_options"]}
        return 404, {"detail": "Human-in-the-loop detail does not exist"}

    def _start(self, body: Json) -> tuple[int, Json]:
        if "logical_date" not in body:
            return 422, {"detail": "logical_date: Field required"}
        if body["dag_run_id"] in self.runs:
            return 409, {"detail": "The run exists already"}
        self.add(body["dag_run_id"], "queued", accounts=[], plan=None, report=None)
        self.runs[body["dag_run_id"]]["conf"] = body["conf"]
        return 200, self.runs[body["dag_run_id"]]

    def _listed(self, parameters: Json) -> tuple[int, Json]:
        newest_first = list(reversed(self.runs.values()))
        prefix = str(parameters.get("run_id_prefix_pattern", ""))
        runs = [run for run in newest_first if run["dag_run_id"].startswith(prefix)]
        return 200, {"dag_runs": runs[: int(parameters["limit"])], "total_entries": len(runs)}

    def _instances(self, body: Json) -> tuple[int, Json]:
        self.looks -= 1
        if self.looks == 0:
            for run in self.runs.values():
                run["state"] = "success"
        instances = [one for run_id in body["dag_run_ids"] for one in self.instances.get(run_id, [])]
        for key, name in (("task_ids", "task_id"), ("state", "state")):
            instances = [one for one in instances if not body.get(key) or one[name] in body[key]]
        return 200, {"task_instances": instances[: body["page_limit"]], "total_entries": len(instances)}

    def _clear(self, body: Json) -> tuple[int, Json]:
        assert body["only_failed"]
        cleared = [one for one in self.instances[body["dag_run_id"]] if one["state"] in {"failed", "upstream_failed"}]
        for one in cleared:
            one["state"] = None
        if cleared:
            self.runs[body["dag_run_id"]]["state"] = "queued"
        return 200, {"task_instances": cleared, "total_entries": len(cleared)}


@contextmanager
def served(airflow: FakeAirflow) -> Iterator[str]:
    """Serve it, and yield its address; a token costs nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond({})

        def do_PATCH(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            self._respond(json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}"))

        def _respond(self, body: Json) -> None:
            url = urlsplit(self.path)
            if url.path == "/auth/token":
                status, document = 201, {"access_token": "token"}
            else:
                path = url.path.removeprefix("/api/v2")
                airflow.calls.append((self.command, path))
                status, document = airflow.answer(self.command, path, body, dict(parse_qsl(url.query)))
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
