"""An MWAA endpoint of a few lines: answers InvokeRestApi as a test scripts it, and keeps the requests."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from contactsync.lambdas import trigger
from tests.support.recorded import MANAGEMENT_ACCOUNT

STARTED = (200, "", {"RestApiStatusCode": 200, "RestApiResponse": {"state": "queued"}})


def refused(status: int) -> tuple[int, str, dict[str, Any]]:
    """Answer as MWAA does when Airflow answered with a client's error."""
    return 400, "RestApiClientException", {"RestApiStatusCode": status, "RestApiResponse": {"detail": "no"}}


def broken(status: int) -> tuple[int, str, dict[str, Any]]:
    """Answer as MWAA does when Airflow failed."""
    return 400, "RestApiServerException", {"RestApiStatusCode": status, "RestApiResponse": {"detail": "oops"}}


def aws_error(status: int, code: str) -> tuple[int, str, dict[str, Any]]:
    """Answer with an error of AWS itself."""
    return status, code, {"message": "an error of AWS"}


@dataclass
class MwaaEndpoint:
    """The script and the requests; the last answer of the script repeats."""

    url: str
    script: list[tuple[int, str, dict[str, Any]]] = field(default_factory=lambda: [STARTED])
    requests: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
        """Keep the request and take the next answer."""
        self.requests.append({"url": path, **body})
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def mwaa_endpoint() -> Iterator[MwaaEndpoint]:
    """Serve on a free port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Requests)
    endpoint = MwaaEndpoint(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass.endpoint = endpoint  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def trigger_surroundings(patch: pytest.MonkeyPatch) -> Iterator[MwaaEndpoint]:
    """Give the trigger function its environment, and serve its MWAA."""
    with mwaa_endpoint() as endpoint:
        environment = {
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "CONTACTSYNC_MANAGEMENT_ACCOUNT_ID": MANAGEMENT_ACCOUNT,
            "CONTACTSYNC_MWAA_ENVIRONMENT": "contactsync-local",
            "CONTACTSYNC_MWAA_REGION": "eu-central-1",
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        trigger._runs.cache_clear()
        yield endpoint
        trigger._runs.cache_clear()


class _Requests(BaseHTTPRequestHandler):
    endpoint: MwaaEndpoint

    def do_POST(self) -> None:
        """Answer InvokeRestApi."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, code, answer = self.endpoint.answer(self.path, body)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if code:
            self.send_header("x-amzn-ErrorType", code)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""
