"""Which variables and files a wrong setting of the AWS SDK is said to be in: those that can hold it, and no others."""

import json
from pathlib import Path

import pytest

from contactsync.aws.sdk.clients import Clients
from contactsync.aws.sdk.error_codes import translated
from contactsync.aws.sdk.sdk_errors import making
from contactsync.errors import AwsSetupError, ContactSyncError, CredentialsExpiredError

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
ROLE = "role_arn = arn:aws:iam::111122223333:role/x\n"
PAST = "2001-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the process what the file of a sandbox gives: empty variables are not set, to the AWS SDK."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "")
    monkeypatch.setenv("http_proxy", "")
    for key in KEYS:
        monkeypatch.setenv(key, "key")


def called() -> ContactSyncError:
    """Make a client and a call as every adapter does, and return what is raised."""
    with pytest.raises(ContactSyncError) as caught:
        _call()
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def _call() -> None:
    client = Clients(management_role=None, connect_timeout=1, read_timeout=1).quick("dynamodb")
    with translated("ListTables"):
        client.list_tables()


def profile(text: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Use a profile in place of keys, and return the path of its file."""
    file = place / "config"
    file.write_text(f"[default]\n{text}")
    for key in KEYS:
        monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    return str(file)


@pytest.mark.parametrize(
    "text",
    [
        "credential_process = /bin/echo hello\n",
        f"{ROLE}source_profile = nowhere\n",
        f"{ROLE}web_identity_token_file = /no/such/token\n",
        "role_arn = short\nsource_profile = other\n[profile other]\naws_access_key_id = a\naws_secret_access_key = b\n",
        "aws_access_key_id = a\n  b\naws_secret_access_key = b\n",
    ],
)
def test_only_the_file(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong in the profile's file is looked for there, and not in variables that are fine, empty or unset."""
    file = profile(text, tmp_path, monkeypatch)
    error = called()
    assert isinstance(error, AwsSetupError)
    assert error.places
    assert all(file in place for place in error.places)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_CREDENTIAL_EXPIRATION", "soon"),
        ("AWS_DEFAULT_REGION", "eu-west-1\n"),
        ("AWS_ACCESS_KEY_ID", "key\n"),
        ("AWS_SESSION_TOKEN", "to\r\nken"),
    ],
)
def test_only_the_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that cannot be read is named alone."""
    monkeypatch.setenv(name, value)
    error = called()
    assert isinstance(error, AwsSetupError)
    assert list(error.places) == [name]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe"])
def test_web_identity(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token file that holds no token is a wrong setting of the call for credentials, which is named."""
    for key in KEYS:
        monkeypatch.delenv(key)
    (tmp_path / "token").write_bytes(content)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/x")
    error = called()
    assert isinstance(error, AwsSetupError)
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in error.places
    assert "is not a URL" not in str(error)


def test_container_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's token that no header can hold is named by its variable."""
    for key in KEYS:
        monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/x")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "to\nken")
    error = called()
    assert isinstance(error, AwsSetupError)
    assert list(error.places) == ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]


def test_no_configuration_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a profile is missing because the file is, the variable that names the file is said."""
    monkeypatch.setenv("AWS_PROFILE", "team")
    monkeypatch.delenv("AWS_SHARED_CREDENTIALS_FILE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "missing"))
    error = called()
    assert isinstance(error, AwsSetupError)
    assert list(error.places) == ["AWS_PROFILE", "AWS_CONFIG_FILE"]


def test_expired_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential process that gives expired credentials is a sign-in that has expired, not a wrong setting."""
    given = json.dumps({"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": PAST})
    profile(f"credential_process = /bin/echo '{given}'\n", tmp_path, monkeypatch)
    assert isinstance(called(), CredentialsExpiredError)


def test_expired_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """So is an expiration among the variables that lies in the past."""
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", PAST)
    assert isinstance(called(), CredentialsExpiredError)


def test_nobody_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that asks for an MFA code where nobody can type one needs a sign-in beforehand."""
    file = profile("", tmp_path, monkeypatch)
    with pytest.raises(AwsSetupError) as caught, making("dynamodb"):
        raise EOFError
    assert "MFA" in str(caught.value)
    assert list(caught.value.places) == [file]


def test_management_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that is none is said to be in contactsync's own variable, when it is that one."""
    monkeypatch.setenv("CONTACTSYNC_MANAGEMENT_ROLE_ARN", "role")
    client = Clients(management_role="role", connect_timeout=1, read_timeout=1).management("organizations")
    with pytest.raises(AwsSetupError) as caught, translated("ListAccounts"):
        client.list_accounts()
    assert (caught.value.api_operation, list(caught.value.places)) == (
        "AssumeRole",
        ["CONTACTSYNC_MANAGEMENT_ROLE_ARN"],
    )
