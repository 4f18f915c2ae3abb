"""Settings: read once from the environment, and a missing or wrong value is named."""

from dataclasses import fields

import pytest

from contactsync.errors import SettingsError
from contactsync.settings import Settings, read_settings

KEY = "TzYn9ROWvNLJSepxAn0vge2bVmXb0MiB0WVUhCE4AYc="
LEAST = {
    "CONTACTSYNC_MANAGEMENT_ACCOUNT_ID": "111122223333",
    "CONTACTSYNC_CONFIG_TABLE": "config",
    "CONTACTSYNC_STATE_TABLE": "state",
    "CONTACTSYNC_DESIRED_CONTACTS_TABLE": "desired",
    "CONTACTSYNC_ENVIRONMENT": "prod",
    "CONTACTSYNC_EVENTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:events",
    "CONTACTSYNC_FINGERPRINT_KEY": KEY,
}


def test_least() -> None:
    """Seven variables are enough; the rest has documented defaults."""
    settings = read_settings(LEAST)
    topic = LEAST["CONTACTSYNC_EVENTS_TOPIC_ARN"]
    assert settings == Settings("111122223333", "config", "state", "desired", "prod", topic, fingerprint_key=KEY)
    assert settings.retention_days == 90


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_missing(name: str, value: str | None) -> None:
    """Each required variable is named when it is missing or blank."""
    environ = {key: text for key, text in (LEAST | {name: value}).items() if text is not None}
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    assert caught.value.variable == name
    assert name in str(caught.value)


@pytest.mark.parametrize("value", ["12345678901", "1234567890123", "12345678901a", "١١١١٢٢٢٢٣٣٣٣", "111122223333\n4"])
def test_account_id(value: str) -> None:
    """An account id is twelve ASCII digits."""
    with pytest.raises(SettingsError):
        read_settings(LEAST | {"CONTACTSYNC_MANAGEMENT_ACCOUNT_ID": value})


@pytest.mark.parametrize(
    ("name", "field", "text", "value"),
    [
        ("RETENTION_DAYS", "retention_days", "400", 400),
        ("CONNECT_TIMEOUT", "connect_timeout", "0.1", 0.1),
        ("READ_TIMEOUT", "read_timeout", "19", 19),
        ("VERIFY_READS", "verify_reads", "1", 1),
        ("VERIFY_WAIT", "verify_wait", "0", 0),
        ("CONFLICT_TRIES", "conflict_tries", "7", 7),
        ("FOLLOW_UPS", "follow_ups", "0", 0),
        ("ABANDONED_AFTER", "abandoned_after", "86400", 86_400),
    ],
)
def test_numbers(name: str, field: str, text: str, value: float) -> None:
    """Numbers are read."""
    assert getattr(read_settings(LEAST | {f"CONTACTSYNC_{name}": text}), field) == value


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("RETENTION_DAYS", ["89", "-1", "nan", "inf", "many"]),
        ("CONNECT_TIMEOUT", ["0", "0.05", "nan", "inf", "1s"]),
        ("READ_TIMEOUT", ["0", "-inf"]),
        ("VERIFY_READS", ["0", "0.9"]),
        ("VERIFY_WAIT", ["-0.1"]),
        ("CONFLICT_TRIES", ["0"]),
        ("FOLLOW_UPS", ["-1", "11"]),
        ("ABANDONED_AFTER", ["59", "7776001"]),
    ],
)
def test_number_refused(name: str, texts: list[str]) -> None:
    """A number below its bound, and what is no number, is refused by name."""
    for text in texts:
        with pytest.raises(SettingsError) as caught:
            read_settings(LEAST | {f"CONTACTSYNC_{name}": text})
        assert caught.value.variable == f"CONTACTSYNC_{name}"


def test_one_fingerprint_source() -> None:
    """The key and the secret exclude each other."""
    with pytest.raises(SettingsError):
        read_settings(LEAST | {"CONTACTSYNC_FINGERPRINT_SECRET": "arn:aws:secretsmanager:x"})


def test_key_is_silent() -> None:
    """The fingerprint key shows in no repr."""
    assert KEY not in repr(read_settings(LEAST))
    assert "fingerprint_key" in {field.name for field in fields(Settings)}
