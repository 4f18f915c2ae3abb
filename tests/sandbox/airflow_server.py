"""A small HTTP server that behaves like Airflow's API server."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Airflow(ThreadingHTTPServer):
    """Answers like Airflow: tokens, DAG runs once per id, errors."""

    daemon_threads = False
    block_on_close = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Requests)
        self.tokens = 0
        self.runs: dict[str, Any] = {}
        self.seen: list[tuple[str, str, dict[str, list[str]]]] = []
        self.release = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class Requests(BaseHTTPRequestHandler):
    """One request to the small Airflow."""

    server: Airflow

    def do_GET(self) -> None:
        """Answer a read."""
        self.answer(*self.respond({}))

    def do_POST(self) -> None:
        """Answer a write."""
        self.answer(*self.respond(json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")))

    def do_DELETE(self) -> None:
        """Answer a removal."""
        self.answer(204, None)

    def respond(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Decide on status and document."""
        server, url = self.server, urlsplit(self.path)
        server.seen.append((self.command, url.path, parse_qs(url.query)))
        if url.path == "/auth/token":
            if body.get("password") != "secret":
                return 401, {"detail": "Invalid credentials"}
            server.tokens += 1
            return 201, {"access_token": f"token-{server.tokens}"}
        if self.headers["Authorization"] != f"Bearer token-{server.tokens}":
            return 401, {"detail": "Invalid token"}
        return self.api(url.path.removeprefix("/api/v2"), body)

    def api(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Answer a call of the REST API."""
        if path == "/slow":
            self.server.release.wait(10)
        if path == "/broken":
            return 500, {"detail": "boom"}
        if path == "/text":
            return 200, "plain"
        if path == "/dags/contact_sync/dagRuns":
            if body["dag_run_id"] in self.server.runs:
                return 409, {"detail": "Unique constraint violation"}
            self.server.runs[body["dag_run_id"]] = body
            return 200, body | {"state": "queued"}
        return (404, {"detail": "not found"}) if path != "/version" else (200, {"version": "3.3.1"})

    def answer(self, status: int, document: Any) -> None:
        """Send the answer."""
        data = document.encode() if isinstance(document, str) else json.dumps(document).encode() if document else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the class gives it
        """Keep quiet."""


@contextlib.contextmanager
def small_airflow() -> Iterator[Airflow]:
    """Run the small Airflow, and leave no thread behind."""
    server = Airflow()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()
