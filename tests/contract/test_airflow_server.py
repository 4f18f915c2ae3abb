"""The adapter of an Airflow at an address, against small servers: signing in, and everything that can go wrong."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from contactsync.airflow_server import AirflowServer, SignIn
from contactsync.errors import AirflowRefusedError, AirflowSilentError, Reader

Answer = tuple[int, str | bytes]
USER = SignIn("sam", "secret-word")


@dataclass
class Server:
    """A server, what it answers, and the requests that it got."""

    url: str = ""
    answer: Callable[[str, str], Answer] = lambda _, __: (200, "{}")
    """From the method and the path, where the token is good."""
    good_token: str = "token-1"
    tokens: list[str] = field(default_factory=lambda: ["token-1"])
    """What sign-ins give, one after the other; the last one repeats."""
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond(None)

        def do_POST(self) -> None:
            self._respond(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _respond(self, body: Any) -> None:
            server.requests.append((self.command, self.path, body))
            if self.path == "/auth/token":
                status, content = self._token(body)
            elif self.headers.get("Authorization") != f"Bearer {server.good_token}":
                status, content = 401, '{"detail": "Invalid JWT token"}'
            else:
                status, content = server.answer(self.command, self.path)
            data = content.encode() if isinstance(content, str) else content
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **server.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def _token(self, body: Any) -> Answer:
            if body is not None and body != {"username": USER.username, "password": USER.password}:
                return 401, '{"detail": "Invalid credentials"}'
            token = server.tokens.pop(0) if len(server.tokens) > 1 else server.tokens[0]
            return 201, json.dumps({"access_token": token})

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.url = f"http://127.0.0.1:{listening.server_port}"
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    """Give a server that answers with an empty object."""
    with serving(Server()) as running:
        yield running


@pytest.mark.parametrize("who", [USER, SignIn()], ids=["user", "nobody"])
def test_sign_in(server: Server, who: SignIn) -> None:
    """A token is fetched once, with the password or where everybody is an administrator without one."""
    airflow = AirflowServer(server.url, who)
    assert airflow.call("GET", "/dags", parameters={"limit": 1, "tags": ["a", "b"]}) == {}
    airflow.call("POST", "/dags/contact_sync/dagRuns", {"conf": {}})
    (method, _, body), *others = server.requests
    assert (method, body is None) == (("POST", False) if who is USER else ("GET", True))
    assert others == [
        ("GET", "/api/v2/dags?limit=1&tags=a&tags=b", None),
        ("POST", "/api/v2/dags/contact_sync/dagRuns", {"conf": {}}),
    ]


def test_token(server: Server) -> None:
    """A token that somebody made is used as it is; when it is refused, nobody signs in instead."""
    assert AirflowServer(server.url, SignIn(token="token-1")).call("GET", "/dags") == {}
    with pytest.raises(AirflowRefusedError, match="CONTACTSYNC_AIRFLOW_TOKEN"):
        AirflowServer(server.url, SignIn(token="other")).call("GET", "/dags")
    assert {path for _, path, _ in server.requests} == {"/api/v2/dags"}


def test_expired(server: Server) -> None:
    """When a token has expired, a new one is fetched, and the request is repeated once."""
    airflow = AirflowServer(server.url, USER)
    airflow.call("GET", "/dags")
    server.good_token, server.tokens = "token-2", ["token-2"]
    assert airflow.call("GET", "/dags") == {}
    server.good_token = "never"
    before = len(server.requests)
    with pytest.raises(AirflowRefusedError, match="Invalid JWT token"):
        airflow.call("GET", "/dags")
    assert len(server.requests) == before + 3


def test_wrong_password(server: Server) -> None:
    """A wrong password is said, with the settings to check and without the password."""
    with pytest.raises(AirflowRefusedError) as refused:
        AirflowServer(server.url, SignIn("sam", "other-word")).call("GET", "/dags")
    sentence = refused.value.sentence_for(Reader.COMMAND)
    assert "POST /auth/token (status 401: Invalid credentials)" in sentence
    assert "CONTACTSYNC_AIRFLOW_PASSWORD" in sentence
    assert "other-word" not in sentence
    assert not refused.value.retryable


@pytest.mark.parametrize(
    ("status", "content", "text"),
    [
        (403, '{"detail": "Forbidden"}', "use a user with the role Op or Admin"),
        (404, '{"detail": "The Dag was not found"}', "The Dag was not found"),
        (422, '{"detail": [{"loc": ["body"], "msg": "Field required"}]}', "Field required"),
        (404, "<html>no such page</html>", "status 404: no reason"),
        (500, b"\xff\xfe", "see whether CONTACTSYNC_AIRFLOW_URL is the address of Airflow 3"),
        (200, "<html>some page</html>", "its answer is not an object of Airflow's API"),
        (200, "[1]", "its answer is not an object of Airflow's API"),
        (200, "[" * 100_000, "its answer is not an object of Airflow's API"),
        (302, "", "status 302"),
    ],
)
def test_refused(server: Server, status: int, content: str | bytes, text: str) -> None:
    """Every error, and every answer of something else than Airflow, is one sentence with the address."""
    server.answer = lambda _, __: (status, content)
    with pytest.raises(AirflowRefusedError) as refused:
        AirflowServer(server.url, USER).call("GET", "/dags")
    sentence = refused.value.sentence_for(Reader.COMMAND)
    assert text in sentence
    assert f"Airflow at {server.url} did not do GET /dags" in sentence
    assert "html" not in sentence
    assert "\n" not in sentence


def test_no_redirection(server: Server) -> None:
    """A token does not follow a redirection to another server."""
    with serving(Server()) as other:
        server.answer, server.headers = lambda _, __: (307, "{}"), {"Location": f"{other.url}/api/v2/dags"}
        with pytest.raises(AirflowRefusedError):
            AirflowServer(server.url, USER).call("GET", "/dags")
        assert other.requests == []


@pytest.mark.parametrize("content", ["{}", '{"access_token": null}', "[]", "<html>"])
def test_no_token(server: Server, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that signs nobody in is no Airflow."""
    monkeypatch.setattr(json, "dumps", lambda *_, **__: content)
    with pytest.raises(AirflowRefusedError, match="address of Airflow 3"):
        AirflowServer(server.url, SignIn()).call("GET", "/dags")


def test_silent() -> None:
    """An address where nothing listens is a sentence with the reason, and may be tried again."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(AirflowSilentError) as silent:
            AirflowServer(url, USER).call("GET", "/dags")
    assert f"No Airflow answers at {url} (Connection refused)" in silent.value.sentence_for(Reader.COMMAND)
    assert silent.value.retryable


def test_hangs_up() -> None:
    """A server that takes a connection and says nothing, or something else than HTTP, is silent too."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(AirflowSilentError, match="timed out"):
            AirflowServer(url, USER, timeout=0.2).call("GET", "/dags")

        def babble() -> None:
            while True:
                connection, _ = listening.accept()
                with connection:
                    if not connection.recv(4096):
                        return
                    connection.sendall(b"SSH-2.0-none\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        with pytest.raises(AirflowSilentError):
            AirflowServer(url, USER).call("GET", "/dags")
        socket.create_connection(listening.getsockname()).close()
        thread.join(30)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_proxy(server: Server, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No proxy is asked for an Airflow on this machine."""
    for other in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert AirflowServer(server.url, USER).call("GET", "/dags") == {}
