"""Settings as options of Airflow: the same settings, where a variable of ours wins, and no secret among them."""

import pytest

from contactsync import doc_links
from contactsync.errors import SettingsError
from contactsync.isolation import environment_of
from contactsync.orchestration.dag_settings import account_tasks
from contactsync.own_variables import own_variables, value_of
from contactsync.settings.groups import Group
from contactsync.settings.settings import Settings, read_settings, variables_of
from tests.unit.settings.test_settings import ALL, KEY, LEAST

SECRETS = ("FINGERPRINT_KEY", "FORMER_FINGERPRINT_KEY")
IN_A_SECRET = {name: value for name, value in ALL.items() if name != "CONTACTSYNC_FINGERPRINT_KEY"} | {
    "CONTACTSYNC_FINGERPRINT_SECRET": "fingerprints"
}


def options(variables: dict[str, str]) -> dict[str, str]:
    """Return variables as Airflow gives them to its processes when they are its options."""
    return {f"AIRFLOW__CONTACTSYNC__{name.removeprefix('CONTACTSYNC_')}": value for name, value in variables.items()}


@pytest.mark.parametrize("group", Group)
def test_same_settings(group: Group) -> None:
    """Every group reads the same from options as from variables."""
    assert getattr(Settings(options(IN_A_SECRET)), group) == getattr(Settings(IN_A_SECRET), group)


@pytest.mark.parametrize("name", sorted(set(variables_of(Group)) - {f"CONTACTSYNC_{one}" for one in SECRETS}))
def test_each_variable(name: str) -> None:
    """Each variable can be an option, and wins over it where both are set."""
    (option,) = options({name: ""})
    assert own_variables({option: "option"})[name] == "option"
    assert own_variables({option: "option", name: "variable"})[name] == "variable"
    assert value_of(name, {option: " option "}) == "option"
    assert value_of(name, {option: "option", name: " variable "}) == "variable"


@pytest.mark.parametrize("blank", ["", "  "])
def test_blank(blank: str) -> None:
    """A blank variable counts as not set, and so does a blank option."""
    settings = Settings(options({"CONTACTSYNC_CONFIG_TABLE": "given", "CONTACTSYNC_CONFIG_KEY": blank}))
    assert settings.configuration.key == "default"
    blank_variable = options({"CONTACTSYNC_CONFIG_TABLE": "given"}) | {"CONTACTSYNC_CONFIG_TABLE": blank}
    assert Settings(blank_variable).configuration.table == "given"


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("more", [{}, {"CONTACTSYNC_FINGERPRINT_KEY": KEY}, {"CONTACTSYNC_FINGERPRINT_SECRET": "s"}])
def test_no_secret(name: str, more: dict[str, str]) -> None:
    """A key is refused as an option, also where it would not be used, and the error does not show it."""
    least = {key: value for key, value in LEAST.items() if key != "CONTACTSYNC_FINGERPRINT_KEY"}
    with pytest.raises(SettingsError) as refused:
        read_settings(least | more | options({f"CONTACTSYNC_{name}": KEY}))
    message = str(refused.value)
    assert (
        f"CONTACTSYNC_{name} is a secret and must not be an option of Airflow (AIRFLOW__CONTACTSYNC__{name})" in message
    )
    assert KEY not in message


def test_other_options() -> None:
    """Options of other sections are no settings."""
    assert own_variables({"AIRFLOW__CORE__PARALLELISM": "1", "AIRFLOW__CONTACTSYNCX__A": "1", "X": "1"}) == {}


def test_dag_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """What DAG files read can be an option, too."""
    monkeypatch.setenv("AIRFLOW__CONTACTSYNC__ACCOUNT_TASKS", "7")
    monkeypatch.setenv("AIRFLOW__CONTACTSYNC__DOCS_URL", "https://docs.example/")
    assert account_tasks() == 7
    assert doc_links.docs_address() == "https://docs.example"
    monkeypatch.setenv("AIRFLOW__CONTACTSYNC__ACCOUNT_TASKS", "many")
    with pytest.raises(SettingsError, match="CONTACTSYNC_ACCOUNT_TASKS must be a whole number"):
        account_tasks()


def test_isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that uses the sandbox has none of the shell's options, and has them again afterwards."""
    monkeypatch.setenv("AIRFLOW__CONTACTSYNC__STATE_TABLE", "production")
    with environment_of({}):
        assert value_of("CONTACTSYNC_STATE_TABLE") == ""
    assert value_of("CONTACTSYNC_STATE_TABLE") == "production"
