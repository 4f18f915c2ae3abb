"""What the AWS SDK raises on a machine that is set up wrong: one sentence that names the variable or the file."""

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError

from contactsync.aws.sdk.clients import Clients
from contactsync.aws.sdk.error_codes import translated
from contactsync.errors import (
    AwsCallError,
    AwsSetupError,
    ContactSyncError,
    CredentialsMissingError,
    CredentialsUnreachableError,
    ServiceUnavailableError,
)

NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
SECRET = "not-to-be-seen"
ROLE = "role_arn = arn:aws:iam::111122223333:role/x\n"
SSO = "sso_account_id = 111122223333\nsso_role_name = x\n"
EXPIRING = json.dumps({"Version": 1, "AccessKeyId": "a", "SecretAccessKey": SECRET, "Expiration": "soon"})


@pytest.fixture(autouse=True)
def _shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the process keys, a region, and an endpoint where nobody listens."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def _call() -> None:
    client = Clients(management_role=None, connect_timeout=1, read_timeout=1).quick("dynamodb")
    with translated("ListTables"):
        client.list_tables()


def called() -> ContactSyncError:
    """Make a client and a call as every adapter does, and return what is raised."""
    with pytest.raises(ContactSyncError) as caught:
        _call()
    assert SECRET not in f"{caught.value} {caught.value!r}"
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).endswith(".")
    return caught.value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_PROFILE", "missing"),
        ("AWS_PROFILE", ""),
        ("AWS_DEFAULT_PROFILE", "missing"),
        ("AWS_DEFAULT_REGION", "eu-west-1 "),
        ("AWS_DEFAULT_REGION", "eu_west_1/x"),
        ("AWS_ENDPOINT_URL", "localhost:4599"),
        ("AWS_ENDPOINT_URL", "nonsense"),
        ("AWS_ENDPOINT_URL", "http://[::1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:99999"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:abc"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "nonsense"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "x"),
        ("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "x"),
        ("AWS_DEFAULTS_MODE", "x"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "x"),
        ("AWS_RESPONSE_CHECKSUM_VALIDATION", "x"),
        ("AWS_ACCOUNT_ID_ENDPOINT_MODE", "x"),
        ("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", "x"),
        ("AWS_ENDPOINT_DISCOVERY_ENABLED", "x"),
        ("AWS_ACCESS_KEY_ID", "key\n"),
        ("AWS_SESSION_TOKEN", "to\nken"),
    ],
)
def test_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value of a variable is an error that names it, and that no retry fixes."""
    monkeypatch.setenv(name, value)
    error = called()
    assert isinstance(error, AwsSetupError)
    assert name in error.places
    assert name in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_METADATA_SERVICE_TIMEOUT", "x"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "x"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "x"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://credentials.example/x"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token"),
    ],
)
def test_source_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a wrong variable of a source of credentials."""
    for key in NO_KEYS:
        monkeypatch.delenv(key)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    monkeypatch.setenv(name, value)
    error = called()
    assert isinstance(error, AwsSetupError)
    assert name in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "hello\nthere\n",
        "[default]\ns3 =\n  hello\n",
        "[default]\na = 1\na = 2\n",
        f"[default]\n{ROLE}source_profile = nowhere\n",
        (
            f"[default]\n{ROLE}source_profile = a\n[profile a]\n{ROLE}source_profile = b\n"
            f"[profile b]\n{ROLE}source_profile = a\n"
        ),
        f"[default]\n{ROLE}credential_source = Nowhere\n",
        f"[default]\n{SSO}sso_session = nowhere\n",
        f"[default]\n{SSO}sso_start_url = https://x\n",
        "[default]\ncredential_process = /bin/false\n",
        f"[default]\ncredential_process = /bin/sh -c 'echo {SECRET} >&2; exit 1'\n",
        "[default]\ncredential_process = /no/such/command\n",
        "[default]\ncredential_process = /bin/echo hello\n",
        "[default]\ncredential_process = /bin/echo []\n",
        '[default]\ncredential_process = /bin/echo "\n',
        f"[default]\ncredential_process = /bin/echo '{EXPIRING}'\n",
    ],
)
def test_file(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong in a configuration file, or with the command that it names, is an error that names the file."""
    file = tmp_path / "config"
    file.write_text(text)
    for key in NO_KEYS:
        monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    error = called()
    assert isinstance(error, AwsSetupError)
    assert str(file) in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[default]\naws_access_key_id = a\n",
        f"[default]\n{SSO}sso_session = s\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://x\n",
    ],
)
def test_not_signed_in(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that are not there, or not whole, and an SSO session without a token, are missing credentials."""
    file = tmp_path / "config"
    file.write_text(text)
    for key in NO_KEYS:
        monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    error = called()
    assert isinstance(error, CredentialsMissingError)
    assert "aws sso login" in str(error)


@pytest.fixture
def listener() -> Iterator[int]:
    """Listen on a port, and never speak."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("value", ["/no/such/bundle.pem", __file__])
def test_certificates(name: str, value: str, listener: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of certificates that is missing, or is none, is named."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{listener}")
    monkeypatch.setenv(name, value)
    error = called()
    assert isinstance(error, AwsSetupError)
    assert name in str(error)


def test_unreachable() -> None:
    """An endpoint where nobody listens is named, with its service and region; it may answer the next time."""
    error = called()
    assert isinstance(error, ServiceUnavailableError)
    assert (error.service, error.region, error.endpoint) == ("dynamodb", "eu-west-1", "http://127.0.0.1:9")
    assert all(part in str(error) for part in ("DynamoDB", "eu-west-1", "http://127.0.0.1:9", "AWS_ENDPOINT_URL"))
    assert (error.retryable, error.answered) == (True, True)


def test_password_in_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in an endpoint's URL is not repeated."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:{SECRET}@127.0.0.1:9")
    assert "http://127.0.0.1:9" in str(called())


def test_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that nobody can reach is said to be that."""
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    error = called()
    assert isinstance(error, ServiceUnavailableError)
    assert "HTTPS_PROXY" in str(error)


def test_proxy_is_no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy variable that holds no URL is named."""
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:abc")
    error = called()
    assert isinstance(error, AwsSetupError)
    assert "http_proxy" in error.places


@pytest.mark.parametrize(
    "error",
    [
        ConnectionClosedError(endpoint_url="https://x"),
        HTTPClientError(error=OSError("reset")),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        ReadTimeoutError(endpoint_url="https://x"),
        ResponseStreamingError(error="broken"),
    ],
)
def test_broken_connection(error: BotoCoreError) -> None:
    """A connection that broke leaves open whether the call was carried out, and may work the next time."""
    with pytest.raises(ServiceUnavailableError) as caught, translated("PutItem"):
        raise error
    assert (caught.value.code, caught.value.answered) == (type(error).__name__, False)


@pytest.mark.parametrize(
    "error",
    [
        MetadataRetrievalError(error_msg="timeout"),
        CredentialRetrievalError(provider="iam-role", error_msg="timeout"),
        CredentialRetrievalError(provider="container-role", error_msg="timeout"),
    ],
)
def test_source_out_of_reach(error: BotoCoreError) -> None:
    """A machine's own source of credentials that does not answer may answer the next time."""
    with pytest.raises(CredentialsUnreachableError) as caught, translated("PutItem"):
        raise error
    assert caught.value.retryable


def test_rubbish_answer() -> None:
    """An answer that is none of AWS's, such as a captive portal's page, is a service that failed."""
    client = Clients(management_role=None, connect_timeout=1, read_timeout=1).quick("dynamodb")

    def rubbish(**_: object) -> None:
        raise ResponseParserError

    client.meta.events.register("before-send.dynamodb", rubbish)
    with pytest.raises(AwsCallError) as caught, translated("ListTables"):
        client.list_tables()
    assert isinstance(caught.value, ServiceUnavailableError)
    assert caught.value.code == "ResponseParserError"


def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is logged of the variables that are wrong."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"nonsense-{SECRET}")
    called()
    assert SECRET not in caplog.text
