"""The adapter of MWAA's web server: a login token becomes a cookie, and the cookie signs requests of Airflow's API."""

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.stub import Stubber
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contactsync.aws.mwaa_web_server import LOGIN, MwaaWebServer
from contactsync.errors import AccessDeniedError, AirflowRefusedError, AirflowSilentError, ResourceMissingError

HOST = "127.0.0.1"


@dataclass
class WebServer:
    """MWAA's web server, and what it got."""

    port: int = 0
    cookie: str | None = "_token=airflow-token; Path=/; Secure; HttpOnly; SameSite=Lax"
    status: int = 200
    location: str | None = None
    requests: list[tuple[str, str, str, str | None]] = field(default_factory=list)


def certificate(folder: Path) -> Path:
    """Make a certificate of this machine's address, and return its file, with the key in it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def web_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """Serve with TLS, and let this process trust the certificate."""
    server = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._respond(self.rfile.read(int(self.headers["Content-Length"])).decode())

        do_PATCH = do_POST  # noqa: N815 -- the name that the server looks for

        def do_GET(self) -> None:
            self._respond("")

        def _respond(self, body: str) -> None:
            server.requests.append((self.command, self.path, body, self.headers.get("Authorization")))
            login = self.path == LOGIN
            self.send_response(server.status if login else 200)
            if login and server.location:
                self.send_header("Location", server.location)
            elif self.path in {LOGIN, "/home"} and server.cookie:
                self.send_header("Set-Cookie", server.cookie)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    path = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    listening = ThreadingHTTPServer((HOST, 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.port = listening.server_port
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def environment(host: str = "", error: str = "") -> MwaaWebServer:
    """Return the adapter for an environment whose login token, or error, AWS gives once."""
    client: Any = boto3.client(
        "mwaa",
        region_name="eu-west-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    stub = Stubber(client)
    if error:
        stub.add_client_error("create_web_login_token", error, http_status_code=403)
    else:
        answer = {"WebToken": "web-token", "WebServerHostname": host}
        stub.add_response("create_web_login_token", answer, {"Name": "airflow"})
    stub.activate()
    return MwaaWebServer(client, "airflow")


def test_signed_in(web_server: WebServer) -> None:
    """The web token is sent once, as a form, and each request then has Airflow's own token."""
    airflow = environment(f"{HOST}:{web_server.port}")
    assert airflow.call("PATCH", "/dags/contact_sync/x", {"chosen_options": ["Approve"]}) == {}
    assert airflow.call("GET", "/dags", parameters={"limit": 1}) == {}
    login, answered, listed = web_server.requests
    assert (login[:2], parse_qs(login[2]), login[3]) == (("POST", LOGIN), {"token": ["web-token"]}, None)
    assert (answered[1], json.loads(answered[2])) == ("/api/v2/dags/contact_sync/x", {"chosen_options": ["Approve"]})
    assert {answered[3], listed[3]} == {"Bearer airflow-token"}


def test_cookie_after_redirection(web_server: WebServer) -> None:
    """A login that leads on within the server is followed to its cookie."""
    web_server.status, web_server.location = 302, f"https://{HOST}:{web_server.port}/home"
    assert environment(f"{HOST}:{web_server.port}").call("GET", "/dags") == {}
    assert [path for _, path, *_ in web_server.requests] == [LOGIN, "/home", "/api/v2/dags"]


@pytest.mark.parametrize(
    "changes",
    [
        {"cookie": None},
        {"cookie": "_token=; Path=/"},
        {"cookie": "other=x; Path=/"},
        {"status": 403},
        {"status": 302, "location": "https://elsewhere.example.com/home"},
    ],
)
def test_no_sign_in(web_server: WebServer, changes: dict[str, Any]) -> None:
    """Without the cookie there is one sentence, and nothing else is requested, here or elsewhere."""
    vars(web_server).update(changes)
    with pytest.raises(AirflowRefusedError, match="no sign-in"):
        environment(f"{HOST}:{web_server.port}").call("GET", "/dags")
    assert [path for _, path, *_ in web_server.requests] == [LOGIN]


def test_untrusted(web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose certificate is not trusted gets no token."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(AirflowSilentError, match="certificate"):
        environment(f"{HOST}:{web_server.port}").call("GET", "/dags")
    assert web_server.requests == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [("AccessDeniedException", AccessDeniedError), ("ResourceNotFoundException", ResourceMissingError)],
)
def test_no_token(error: str, kind: type[Exception]) -> None:
    """What AWS refuses is an error of AWS, and no server is called."""
    with pytest.raises(kind):
        environment(error=error).call("GET", "/dags")
