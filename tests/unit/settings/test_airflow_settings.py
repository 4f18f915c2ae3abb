"""Which Airflow commands use: an MWAA environment, or an Airflow at an address."""

import pytest

from contactsync.errors import SettingsError
from contactsync.settings.groups import AirflowSettings, Group
from contactsync.settings.settings import read_settings

MWAA = {"MWAA_ENVIRONMENT": "airflow", "MWAA_REGION": "eu-west-1"}
URL = {"AIRFLOW_URL": "https://airflow.example.com"}
USER = {"AIRFLOW_USERNAME": "sam", "AIRFLOW_PASSWORD": "secret-word"}
TOKEN = {"AIRFLOW_TOKEN": "secret-token"}


def read(*parts: dict[str, str]) -> AirflowSettings:
    """Read the settings from variables without their prefix."""
    variables = {f"CONTACTSYNC_{name}": value for part in parts for name, value in part.items()}
    return read_settings(variables, [Group.AIRFLOW]).airflow


def refused(*parts: dict[str, str]) -> str:
    """Return the sentence with which settings are refused."""
    with pytest.raises(SettingsError) as caught:
        read(*parts)
    return str(caught.value)


@pytest.mark.parametrize("more", [{}, URL], ids=["alone", "with the address for links"])
def test_mwaa(more: dict[str, str]) -> None:
    """An MWAA environment is used also where Airflow's address is known, for links."""
    assert read(MWAA, more) == AirflowSettings(None)


def test_address() -> None:
    """Without MWAA, or when somebody can sign in there, the Airflow at the address is used."""
    address = URL["AIRFLOW_URL"]
    assert read(URL) == AirflowSettings(address)
    assert read(MWAA, URL, USER) == AirflowSettings(address, "sam", "secret-word")
    assert read(MWAA, URL, TOKEN) == AirflowSettings(address, token="secret-token")


@pytest.mark.parametrize("end", ["/", "/api/v2", "/api/v2/"])
def test_ends_of_addresses(end: str) -> None:
    """An address may end with a slash, or with the path of the API."""
    assert read({"AIRFLOW_URL": f"https://airflow.example.com/team{end}"}).url == "https://airflow.example.com/team"


def test_none() -> None:
    """Without any of them, both variables of MWAA are named."""
    sentence = refused()
    assert "CONTACTSYNC_MWAA_ENVIRONMENT" in sentence
    assert "CONTACTSYNC_MWAA_REGION" in sentence


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([USER], "CONTACTSYNC_AIRFLOW_URL is not set"),
        ([TOKEN, MWAA], "CONTACTSYNC_AIRFLOW_URL is not set"),
        ([URL, USER, TOKEN], "only one way can be set"),
        ([URL, {"AIRFLOW_USERNAME": "sam"}], "set both, or none"),
        ([URL, {"AIRFLOW_PASSWORD": "secret-word"}], "set both, or none"),
    ],
)
def test_incomplete(parts: list[dict[str, str]], text: str) -> None:
    """Half a way to sign in, or two, is refused without showing a secret."""
    sentence = refused(*parts)
    assert text in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize(
    "address",
    [
        "airflow.example.com",
        "ftp://airflow.example.com",
        "https://",
        "https://sam:secret@airflow.example.com",
        "https://airflow.example.com?x=1",
        "https://airflow.example.com:many",
        "https://[::1",
        "https://a b",
        "file:///etc/passwd",
    ],
)
def test_no_address(address: str) -> None:
    """What is no plain address of a server is refused."""
    assert "CONTACTSYNC_AIRFLOW_URL is not an address" in refused({"AIRFLOW_URL": address})


def test_hidden() -> None:
    """Passwords and tokens are not in what is logged of settings."""
    assert "secret" not in repr(read(URL, USER)) + repr(read(URL, TOKEN))
