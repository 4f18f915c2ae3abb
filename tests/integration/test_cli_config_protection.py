"""`contactsync config` and the protection of accounts: what is lost is shown, counted and asked about."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from contactsync.sandbox.contacts.defaults import member_account_id
from tests.integration.conftest import Answer, Command, misused, refused

ONE, TWO = member_account_id(1), member_account_id(2)
GONE = "418842542548"
SETTINGS: dict[str, Any] = {"contact_types": ["security"], "excluded_accounts": [ONE, TWO]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a configuration that excludes both members."""
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(SETTINGS))
    return path


@pytest.fixture
def config(deployment: object, contactsync: Command, file: Path) -> Command:
    """Store a first version, and give the group `config`."""
    del deployment
    assert contactsync("config", "put", file) == Answer(0, "Stored as version 1.\n", "")
    return lambda *arguments: contactsync("config", *arguments)


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the standard input be a terminal."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)


def answer_with(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let a person type an answer."""
    monkeypatch.setattr(sys.modules[typer.confirm.__module__], "visible_prompt_func", lambda _: text)


def excluded(config: Command) -> list[str]:
    """Return the excluded accounts in force."""
    found: list[str] = json.loads(config("show").out)["excluded_accounts"]
    return found


def test_add_and_remove(config: Command) -> None:
    """Single entries of a list come and go, the others stay, and each change shows old and new."""
    assert config("remove", "excluded_accounts", ONE, "--yes").code == 0
    assert excluded(config) == [TWO]
    answer = config("add", "excluded_accounts", ONE, TWO, "--reason", "one more")
    assert (
        answer.out == f'Stored as version 3: excluded_accounts.\n  excluded_accounts: ["{TWO}"] -> ["{TWO}", "{ONE}"]\n'
    )
    assert excluded(config) == [TWO, ONE]
    assert config("add", "excluded_accounts", ONE).out == "Nothing changes: version 3 stays the current one.\n"
    assert config("add", "scope.contact_types.billing.exclude.accounts", ONE).code == 0
    assert json.loads(config("show").out)["scope"]["contact_types"]["billing"]["exclude"]["accounts"] == [ONE]


def test_tags(config: Command) -> None:
    """Values of a tag come and go too; with its last value a tag goes, because without any it would mean all."""
    assert config("add", "scope.exclude.tags.contacts", "own", "foreign").code == 0
    assert config("remove", "scope.exclude.tags.contacts", "own", "--yes").code == 0
    assert json.loads(config("show").out)["scope"]["exclude"]["tags"] == {"contacts": ["foreign"]}
    assert config("remove", "scope.exclude.tags.contacts", "foreign", "--yes").code == 0
    assert json.loads(config("show").out)["scope"]["exclude"]["tags"] == {}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("remove", "excluded_accounts", GONE), f"excluded_accounts: does not name {GONE}"),
        (("add", "retry_config.max_attempts", "4"), "is not a list; use `config set`"),
        (("add", "excluded_acounts", ONE), "did you mean excluded_accounts? Nothing was written."),
        (("add", "excluded_accounts", "1234"), "must be an account id of 12 digits"),
    ],
)
def test_refused(config: Command, arguments: tuple[str, ...], problem: str) -> None:
    """What cannot be added or removed is refused in one sentence, and nothing is stored."""
    refused(config(*arguments), problem)
    assert config("show").err.startswith("version 1 ")


@pytest.mark.parametrize(
    "command",
    [
        ("set", f'excluded_accounts=["{ONE}"]'),
        ("set", f'excluded_accounts=["{ONE}", "{GONE}"]'),
        ("remove", "excluded_accounts", TWO),
    ],
)
def test_without_terminal(config: Command, command: tuple[str, ...]) -> None:
    """Without a terminal a protection goes only with --yes; the refusal counts the accounts that come into reach."""
    answer = config(*command)
    refused(answer, f"excluded_accounts no longer names {TWO}; 1 more account can be written to: {TWO}.")
    assert "--yes" in answer.err
    assert excluded(config) == [ONE, TWO]
    stored = config(*command, "--yes")
    assert stored.code == 0
    assert f"Takes protection away: excluded_accounts no longer names {TWO}" in stored.err
    assert TWO not in excluded(config)


def test_put_empty(config: Command, file: Path) -> None:
    """An empty file resets everything, which is no less a loss."""
    file.write_text("{}")
    refused(config("put", file), "2 more accounts can be written to")
    answer = config("put", file, "--yes")
    assert answer.out.splitlines()[0] == "Stored as version 2: contact_types, excluded_accounts."
    assert f'  excluded_accounts: ["{ONE}", "{TWO}"] -> []' in answer.out.splitlines()
    refused(config("rollback", 9), "version 9")
    assert config("rollback", 1).code == 0


def test_long_lists(config: Command) -> None:
    """Of long lists the entries that come and go are shown, with how many there are."""
    many = [f"9{number:011}" for number in range(20)]
    answer = config("add", "excluded_accounts", *many[:12])
    assert answer.out.splitlines()[1].endswith(f'"{many[11]}"] (2 -> 14 entries)')
    answer = config("set", f"excluded_accounts={json.dumps([ONE, TWO, *many[1:13]])}")
    line = f'  excluded_accounts: ["{many[0]}"] -> ["{many[12]}"] (14 -> 14 entries)'
    assert answer.out.splitlines()[1] == line


def test_no_loss(config: Command) -> None:
    """An id that no account has protects nobody, and another rule may protect as well: neither is asked about."""
    assert config("add", "excluded_accounts", GONE).code == 0
    assert config("remove", "excluded_accounts", GONE).code == 0
    other = (f'scope.exclude={{"accounts": ["{ONE}", "{TWO}"]}}', "excluded_accounts=[]")
    assert config("set", *other).code == 0


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("deletion.policy=propagate", "deletions need no approval"),
        ("notification_settings.failure_threshold=50", "turns red from 50 failures on, not from 1"),
        ("notification_settings.notify_on_failure=false", "no notice is sent about failed runs"),
        ("breaker.enabled=false", "breaker.enabled"),
        ("rates.enabled=false", "rates.enabled"),
    ],
)
def test_other_losses(config: Command, assignment: str, problem: str) -> None:
    """Protections beside the scope are asked about too, and their return is not."""
    refused(config("set", assignment), problem)
    assert config("set", assignment, "--yes").code == 0
    assert config("rollback", 1).code == 0


@pytest.mark.usefixtures("_terminal")
def test_on_a_terminal(config: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a person sees what changes and how many accounts come into reach, and decides."""
    answer_with(monkeypatch, "n")
    answer = config("remove", "excluded_accounts", ONE)
    assert (answer.code, answer.out) == (1, "")
    assert f"1 more account can be written to: {ONE}" in answer.err
    assert f'excluded_accounts: ["{ONE}", "{TWO}"] -> ["{TWO}"]' in answer.err
    assert "Nothing was stored." in answer.err
    assert excluded(config) == [ONE, TWO]
    answer_with(monkeypatch, "y")
    assert config("remove", "excluded_accounts", ONE).code == 0
    assert excluded(config) == [TWO]


def test_unasked_organization(config: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the organization cannot be asked, one line says so, and a narrower protection is refused all the same."""
    monkeypatch.delenv("CONTACTSYNC_MANAGEMENT_ACCOUNT_ID")
    refused(config("remove", "excluded_accounts", ONE), "it is not known how many more accounts can be written to")
    answer = config("add", "excluded_accounts", GONE)
    assert answer.code == 0
    assert len(answer.err.splitlines()) == 1
    assert "It was not checked whether the organization has these accounts" in answer.err
    assert "CONTACTSYNC_MANAGEMENT_ACCOUNT_ID" in answer.err


@pytest.mark.usefixtures("deployment")
def test_validate_asks(contactsync: Command, file: Path) -> None:
    """A check names the ids, units and tags that the organization does not have, and the file is valid all the same."""
    slip = f"{ONE[:-2]}{ONE[-1]}{ONE[-2]}"
    scope = {
        "exclude": {"organizational_units": ["Nowhere"]},
        "contact_types": {"billing": {"exclude": {"accounts": [GONE]}}},
    }
    file.write_text(json.dumps({"excluded_accounts": [TWO, slip], "scope": scope}))
    answer = contactsync("config", "validate", file)
    assert (answer.code, answer.out) == (0, "The configuration is valid.\n")
    assert f"excluded_accounts: the organization has no account {slip}" in answer.err
    assert f"scope.contact_types.billing.exclude.accounts: the organization has no account {GONE}" in answer.err
    assert "no organizational unit 'Nowhere'" in answer.err
    file.write_text(json.dumps({"scope": {"exclude": {"tags": {"contacts": ["own"]}}}}))
    assert "the tag 'contacts' with the value 'own'" in contactsync("config", "validate", file).err


def test_validate_elsewhere(contactsync: Command, file: Path) -> None:
    """Without a deployment the file is checked, and one line says that the organization was not asked."""
    answer = contactsync("config", "validate", file)
    assert (answer.code, answer.out) == (0, "The configuration is valid.\n")
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(("command", "last"), [("validate", None), ("put", "Nothing was stored.")])
@pytest.mark.usefixtures("deployment")
def test_problems(contactsync: Command, file: Path, command: str, last: str | None) -> None:
    """Several problems stand under each other, and a mere check says nothing of storing."""
    file.write_text('{"excluded_accounts": ["1"], "deletion": {"policies": 1}}')
    answer = contactsync("config", command, file)
    assert (answer.code, answer.out) == (1, "")
    first, *problems = answer.err.splitlines()
    assert first == "contactsync: The configuration is invalid:"
    assert [problem.split(":")[0] for problem in problems[:2]] == ["  excluded_accounts.0", "  deletion.policies"]
    assert problems[2:] == ([last] if last else [])


def test_one_problem(contactsync: Command, file: Path) -> None:
    """A single one ends as a question does."""
    file.write_text('{"deletion": {"policies": "approve"}}')
    answer = contactsync("config", "validate", file)
    sentence = "contactsync: The configuration is invalid: deletion.policies: unknown key; did you mean policy?\n"
    assert answer == Answer(1, "", sentence)


def test_byte_order_mark(config: Command, file: Path) -> None:
    """A file with a byte order mark is read like any other."""
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert config("put", file).out == "Stored as version 2.\n"


def test_diff_with_a_file(config: Command, file: Path) -> None:
    """A file is compared with the version in force, or with any version, before it is stored."""
    assert config("diff", file) == Answer(0, "", "The two configurations are equal.\n")
    file.write_text(json.dumps({**SETTINGS, "excluded_accounts": [TWO]}))
    answer = config("diff", file, "--output", "json")
    assert answer.code == 3
    assert json.loads(answer.out) == [{"field": "excluded_accounts", "before": [ONE, TWO], "after": [TWO]}]
    assert json.loads(config("diff", 1, file, "--output", "json").out) == json.loads(answer.out)
    assert json.loads(config("diff", file, 1, "--output", "json").out)[0]["before"] == [TWO]
    assert "excluded_accounts" in config("diff", file).out
    misused(config("diff", "nothing.json"))
    misused(config("diff", 0))
