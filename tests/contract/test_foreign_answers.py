"""Answers that are not AWS's or a sandbox's: of a proxy, of another service there, of a network's sign-in page."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from typer.testing import CliRunner, Result

from contactsync.aws.sdk.clients import Clients
from contactsync.aws.sdk.error_codes import translated
from contactsync.cli.app import app
from contactsync.errors import AwsCallError, ServiceUnavailableError

ANSWERS = [
    (200, b""),
    (200, b"{}"),
    (200, b"[]"),
    (200, b"null"),
    (200, b'{"TableNames": []}'),
    (200, b'{"calls": 1, "faults": {}, "endpoint_url": 1}'),
    (200, b"<html>Please sign in.</html>"),
    (200, b"[" * 100_000),
    (403, b"<html>Please sign in.</html>"),
    (404, b"no such page"),
    (500, b"null"),
    (400, b"[]"),
]


@pytest.fixture(params=ANSWERS, ids=lambda answer: f"{answer[0]} {answer[1][:20]!r}")
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Serve the same to everybody."""
    status, body = request.param

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815 -- the base class asks for these names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("dynamodb", "list_tables"),
        ("sqs", "list_queues"),
        ("sns", "list_topics"),
        ("organizations", "list_accounts"),
        ("account", "get_contact_information"),
        ("s3", "list_buckets"),
    ],
)
def test_not_of_aws(server: str, service: str, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a call that failed and may be tried again: no answer of AWS, no permission denied and nothing missing."""
    for name, value in {"AWS_ENDPOINT_URL": server, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    client = Clients(management_role=None, connect_timeout=1, read_timeout=5).management(service, single_attempt=True)
    with pytest.raises(AwsCallError) as caught, translated("TheCall"):
        getattr(client, call)()
    assert isinstance(caught.value, ServiceUnavailableError)
    assert caught.value.retryable
    assert server in str(caught.value)


def sandbox(*arguments: str) -> Result:
    """Run a command of the sandbox."""
    return CliRunner().invoke(app, ["sandbox", *arguments])


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "calls",
        "events",
        "inbox",
        "faults list",
        "faults add --error X",
        "resources list",
        "trusted-access on",
    ],
)
def test_no_sandbox(server: str, command: str) -> None:
    """A command of the sandbox says that what listens there is none."""
    ended = sandbox(*command.split(), "--url", server)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert f"What listens at {server} is no sandbox" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("url", [f"http://{'a' * 70}.example", "http://[::1", "http://.x", "x", ""])
def test_no_address(url: str) -> None:
    """An address that is none is said to be where no sandbox answers."""
    ended = sandbox("status", "--url", url)
    assert ended.exit_code == 1
    assert "No sandbox answers at" in ended.stderr
