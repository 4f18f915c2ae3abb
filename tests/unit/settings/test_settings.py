"""Settings: read once from the environment, and a missing or wrong value is named."""

import pytest

from contactsync.errors import SettingsError
from contactsync.settings.groups import (
    BusSettings,
    CallSettings,
    ConfigurationSettings,
    DeploymentSettings,
    DesiredSettings,
    FingerprintSettings,
    Group,
    ManagementSettings,
    PatienceSettings,
    StateSettings,
)
from contactsync.settings.settings import read_settings, variables_of

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

ALL = LEAST | {
    "CONTACTSYNC_AUDIT_TABLE": "audit",
    "CONTACTSYNC_IDEMPOTENCY_TABLE": "idempotency",
    "CONTACTSYNC_DEAD_LETTER_QUEUES": "audit=https://sqs/audit, rule=https://sqs/rule",
    "CONTACTSYNC_DEAD_LETTERS_URL": "https://sqs/audit",
    "CONTACTSYNC_NOTICES_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:notices",
    "CONTACTSYNC_OPS_ITEMS": "true",
    "CONTACTSYNC_MWAA_ENVIRONMENT": "airflow",
    "CONTACTSYNC_MWAA_REGION": "eu-west-1",
}


def test_least() -> None:
    """Seven variables are enough for a run; the rest has documented defaults."""
    settings = read_settings(LEAST)
    assert settings.management == ManagementSettings("111122223333")
    assert settings.configuration == ConfigurationSettings("config", "default")
    assert settings.state == StateSettings("state", retention_days=400)
    assert settings.desired == DesiredSettings("desired")
    assert settings.deployment == DeploymentSettings("prod")
    assert settings.bus == BusSettings(LEAST["CONTACTSYNC_EVENTS_TOPIC_ARN"])
    assert settings.fingerprints == FingerprintSettings(KEY)
    assert (settings.calls, settings.patience) == (CallSettings(), PatienceSettings())


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_missing(name: str, value: str | None) -> None:
    """Each required variable is named when it is missing or blank."""
    environ = {key: text for key, text in (LEAST | {name: value}).items() if text is not None}
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    assert caught.value.variable == name
    assert name in str(caught.value)


def test_all_at_once() -> None:
    """Everything that is missing or wrong is named in one error, in one sentence for each kind of problem."""
    wrong = {"CONTACTSYNC_ENVIRONMENT": "e", "CONTACTSYNC_RETENTION_DAYS": "many", "CONTACTSYNC_MARK_WAIT": "1"}
    with pytest.raises(SettingsError) as caught:
        read_settings(wrong)
    missing = {name for name in LEAST if name not in wrong}
    assert set(caught.value.problems) == missing | {"CONTACTSYNC_RETENTION_DAYS", "CONTACTSYNC_MARK_WAIT"}
    message = str(caught.value)
    assert "CONTACTSYNC_DESIRED_CONTACTS_TABLE and CONTACTSYNC_EVENTS_TOPIC_ARN are not set; " in message
    assert "Environment variable CONTACTSYNC_RETENTION_DAYS is not a number" in message
    assert all(message.count(name) == 1 for name in missing - {"CONTACTSYNC_FINGERPRINT_KEY"})
    assert message.endswith(". docs/settings.md lists all of them.")
    rebuilt, (cls, parts) = caught.value.__reduce__()
    assert str(rebuilt(cls, parts)) == message


@pytest.mark.parametrize("group", Group)
def test_groups(group: Group) -> None:
    """A group needs its own variables only, and what is wrong in another one does not concern it."""
    own = ALL | {name: "wrong" for name in variables_of(Group) if name not in variables_of([group])}
    assert getattr(read_settings(own, [group]), group) == getattr(read_settings(ALL, [group]), group)


@pytest.mark.parametrize(("text", "flag"), [("true", True), ("false", False), ("", False), (" true ", True)])
def test_flag(text: str, flag: bool) -> None:  # noqa: FBT001 -- a parameter of a test
    """A flag is true or false, and false where it is not set."""
    assert read_settings(ALL | {"CONTACTSYNC_OPS_ITEMS": text}, [Group.NOTICES]).notices.ops_items is flag


@pytest.mark.parametrize("text", ["True", "yes", "1", "on"])
def test_wrong_flag(text: str) -> None:
    """What is neither is refused, and not taken for false."""
    with pytest.raises(SettingsError, match="CONTACTSYNC_OPS_ITEMS must be true or false"):
        read_settings(ALL | {"CONTACTSYNC_OPS_ITEMS": text}, [Group.NOTICES])


def test_not_demanded() -> None:
    """A group that nobody demanded is refused when it is used without its variables."""
    settings = read_settings({}, [])
    with pytest.raises(SettingsError, match="CONTACTSYNC_AUDIT_TABLE is not set"):
        _ = settings.audit


@pytest.mark.parametrize("value", ["12345678901", "1234567890123", "12345678901a", "١١١١٢٢٢٢٣٣٣٣", "111122223333\n4"])
def test_account_id(value: str) -> None:
    """An account id is twelve ASCII digits."""
    with pytest.raises(SettingsError):
        read_settings(LEAST | {"CONTACTSYNC_MANAGEMENT_ACCOUNT_ID": value})


@pytest.mark.parametrize(
    ("name", "field", "text", "value"),
    [
        ("RETENTION_DAYS", "state.retention_days", "90", 90),
        ("CONNECT_TIMEOUT", "calls.connect_timeout", "0.1", 0.1),
        ("READ_TIMEOUT", "calls.read_timeout", "19", 19),
        ("VERIFY_READS", "patience.verify_reads", "1", 1),
        ("VERIFY_WAIT", "patience.verify_wait", "0", 0),
        ("CONFLICT_TRIES", "state.conflict_tries", "7", 7),
        ("FOLLOW_UPS", "patience.follow_ups", "0", 0),
        ("ABANDONED_AFTER", "patience.abandoned_after", "86400", 86_400),
    ],
)
def test_numbers(name: str, field: str, text: str, value: float) -> None:
    """Numbers are read."""
    group, _, part = field.partition(".")
    assert getattr(getattr(read_settings(LEAST | {f"CONTACTSYNC_{name}": text}), group), part) == value


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
    settings = read_settings(LEAST)
    assert settings.fingerprints.key == KEY
    assert KEY not in f"{settings!r}{settings.fingerprints!r}"


def test_read_once() -> None:
    """What is changed in the environment later changes nothing."""
    environ = dict(LEAST)
    settings = read_settings(environ)
    environ["CONTACTSYNC_STATE_TABLE"] = "another"
    assert settings.state.table == "state"


@pytest.mark.parametrize(
    ("text", "problem"),
    [(",", "names no queue"), ("audit", "NAME=URL"), ("A=https://x", "NAME=URL"), ("a=https://x,a=https://y", "once")],
)
def test_queues_refused(text: str, problem: str) -> None:
    """Queues are named with their addresses, each once."""
    with pytest.raises(SettingsError, match=problem):
        read_settings(ALL | {"CONTACTSYNC_DEAD_LETTER_QUEUES": text}, [Group.DEAD_LETTERS])
