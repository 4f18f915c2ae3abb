"""What all commands have in common: fixed names, -h, one style of metavars, earlier spellings, and quiet ends."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from contactsync.cli.app import app
from contactsync.cli.screen.options import choose, log_calls
from contactsync.cli.screen.values import completed, one_of

ROOT = Path(__file__).parents[3]
METAVAR = re.compile(r"\[?(?:[A-Z][A-Z_#=]*|<[A-Za-z_-]+(\|[A-Za-z_-]+)+>)\]?(\.\.\.)?")


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and group with its path."""
    command = command or typer.main.get_command(app)
    yield path, command
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, (*path, name))


def ran(*arguments: str) -> Any:
    """Run a command."""
    return CliRunner().invoke(app, arguments)


ALL = dict(commands())
WRITE_FOLDERS = {("package",), ("backup",), ("restore",)}
PLACE = "PLACE"
"""The name of a folder that may be in a bucket, too."""


def test_names() -> None:
    """The commands are these; a name is part of what users rely on, whatever the functions are called."""
    assert {" ".join(path) for path, one in ALL.items() if not hasattr(one, "commands")} >= {
        "report",
        "export",
        "audit",
        "demo",
        "accounts history",
        "accounts state",
        "config show",
        "config set",
        "dead-letters redrive",
        "notices preview",
        "operations list",
        "operations show",
        "sandbox start",
        "sandbox faults add",
        "sandbox resources add",
        "sandbox account-state",
    }


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help(path: tuple[str, ...]) -> None:
    """-h and --help are the same, and summaries are whole."""
    assert ran(*path, "-h").output == ran(*path, "--help").output
    assert "..." not in ALL[path].get_short_help_str()
    assert ALL[path].get_short_help_str().endswith(".")


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_metavars(path: tuple[str, ...]) -> None:
    """Values have names in capitals, or are listed; nothing is in braces."""
    context = ALL[path].context_class(ALL[path], info_name="contactsync")
    assert "{" not in " ".join(ALL[path].collect_usage_pieces(context))
    for param in ALL[path].params:
        if not getattr(param, "is_flag", False) and param.name not in {"install_completion", "show_completion"}:
            assert METAVAR.fullmatch(param.make_metavar(context)), param.name


def test_one_meaning_of_output() -> None:
    """-o and --output are a form everywhere, never a file.

    Only where a command writes a folder, --output names that, and -o stays the form.
    """
    for path, one in ALL.items():
        for param in one.params:
            if path in WRITE_FOLDERS:
                assert ("--output" in param.opts) <= (param.type.name == "directory" or param.metavar == PLACE), path
                assert ("-o" in param.opts) == ("--format" in param.opts) == ("json" in choices(param)), path
                continue
            if "-o" in param.opts or "--output" in param.opts:
                assert {"-o", "--output"} <= set(param.opts), path
                assert {"json"} <= {str(choice) for choice in param.type.choices}, path
            assert "--format" not in param.opts
            assert "--json" not in param.opts


def choices(param: Any) -> set[str]:
    """Return the values that an option can have, where all are known."""
    return {str(choice) for choice in getattr(param.type, "choices", ())}


@pytest.mark.parametrize("spelling", [("-o", "json"), ("--format", "json"), ("--json",)])
def test_form_beside_a_folder(spelling: tuple[str, ...]) -> None:
    """Where --output names a folder, every spelling of the form is still one."""
    command = ALL["package",]
    context = command.context_class(command, info_name="package")
    command.parse_args(context, ["--output", "a/folder", *spelling])
    assert (str(context.params["output"]), context.params["form"]) == ("a/folder", "json")


def test_version() -> None:
    """The version is one line."""
    assert re.fullmatch(r"contactsync \d+\.\d+\.\d+\S*\n", ran("--version").output)


@pytest.mark.parametrize(
    "spelling", [("--format", "sms"), ("--format=sms",), ("-o", "sms"), ("-osms",), ("--output=sms",)]
)
def test_earlier_format(spelling: tuple[str, ...]) -> None:
    """`--format` is still understood."""
    answer = ran("notices", "preview", "halted", *spelling)
    assert (answer.exit_code, answer.output) == (0, ran("notices", "preview", "halted", "--output", "sms").output)


@pytest.mark.parametrize(
    ("given", "file", "form"),
    [
        (("-o", "quarter.csv", "--format", "csv"), "quarter.csv", "csv"),
        (("--format=csv", "--output=out/quarter"), "out/quarter", "csv"),
        (("-o", "json"), None, "json"),
        (("--file", "json", "-o", "csv"), "json", "csv"),
    ],
)
def test_earlier_output_file(given: tuple[str, ...], file: str | None, form: str) -> None:
    """What names a file in the old way still does; a form never becomes a file's name."""
    command = ALL["export",]
    context = command.context_class(command, info_name="export")
    command.parse_args(context, list(given))
    assert (context.params["file"], context.params["output"]) == (file, form)


@pytest.mark.parametrize("rest", [("--", "--json"), ("--", "--format")])
def test_after_two_dashes(rest: tuple[str, ...]) -> None:
    """What follows -- is a value."""
    command = ALL["operations", "show"]
    context = command.context_class(command, info_name="show")
    command.parse_args(context, list(rest))
    assert context.params["name"] == rest[1]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("audit", "--account", "1"), "12 digits"),
        (("audit", "--entity", "foo"), "KIND#NAME"),
        (("audit", "--entity", "acount#123456789012"), "Did you mean account?"),
        (("audit", "--entity", "account#1"), "12 digits"),
        (("audit", "--entity", "notice#"), "KIND#NAME"),
        (("accounts", "history", "1"), "12 digits"),
        (("notices", "preview", "haltet"), "Did you mean halted?"),
        (("sandbox", "account-state", "123456789012", "GONE"), "GONE"),
        (("operatons", "list"), "Did you mean 'operations'?"),
    ],
)
def test_wrong_values(command: tuple[str, ...], said: str) -> None:
    """A wrong value is wrong usage, with the nearest valid one where there is one."""
    answer = ran(*command)
    assert answer.exit_code == 2
    assert said in " ".join(answer.output.replace("│", " ").split())


def test_nearest() -> None:
    """A value that is near nothing is refused with all there are."""
    assert one_of("b", ["a", "b"]) == "b"
    with pytest.raises(typer.BadParameter, match=r"'xyz' is not one of a, b\.$"):
        one_of("xyz", ["a", "b"])


def test_completion() -> None:
    """Values of closed sets are completed."""
    assert completed(lambda: ["halted", "overdue"])("ha") == ["halted"]
    words = {
        "_CONTACTSYNC_COMPLETE": "complete_bash",
        "COMP_WORDS": "contactsync notices preview comp",
        "COMP_CWORD": "3",
    }
    assert shell(["contactsync"], **words).stdout.split() == ["complete_failure"]
    words |= {"COMP_WORDS": "contactsync dead-letters show ru"}
    queues = "rule=https://sqs/rule,trigger=https://sqs/trigger"
    found = shell(["contactsync"], **words, CONTACTSYNC_IDEMPOTENCY_TABLE="t", CONTACTSYNC_DEAD_LETTER_QUEUES=queues)
    assert found.stdout.split() == ["rule"]
    assert shell(["contactsync"], **words).stdout.split() == []


def test_completion_in_zsh() -> None:
    """The first Tab of a zsh, which loads the script, completes already."""
    answer = shell([sys.executable, "-c", ZSH])
    *_, last = answer.stdout.strip().splitlines()
    assert last == '[ "${funcstack[1]}" != "_contactsync" ] || _contactsync_completion'
    assert answer.stdout.count("funcstack") == 1


ZSH = """
from typer._completion_shared import get_completion_script
from contactsync.cli.screen.completion import complete_at_first_tab
complete_at_first_tab()
complete_at_first_tab()
print(get_completion_script(prog_name="contactsync", complete_var="_CONTACTSYNC_COMPLETE", shell="zsh"))
"""


def shell(command: list[str], **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a shell's environment."""
    places = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        command, env={"PATH": places, **variables}, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("arguments", ["notices list", "notices preview halted -o all", "notices list -o json"])
def test_cut_off(arguments: str) -> None:
    """When nobody reads on, the command ends as other tools do: no word, and 141 at most."""
    ended = shell(["bash", "-c", f"contactsync {arguments} | true; echo ${{PIPESTATUS[0]}}"])
    assert ended.stderr == ""
    assert ended.stdout.strip() in {"0", "141"}


def test_profile_and_region() -> None:
    """A profile that is named counts more than the environment's keys."""
    environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c", "AWS_REGION": "x"}
    choose(environ, profile=None, region=None)
    assert environ["AWS_SESSION_TOKEN"] == "c"
    choose(environ, profile="prod", region="eu-west-1")
    assert environ == {"AWS_PROFILE": "prod", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.fixture
def loggers() -> Iterator[None]:
    """Leave the loggers as they were."""
    names = ("contactsync", "botocore.credentials", "botocore.endpoint", "botocore.retries", "urllib3.connectionpool")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    yield
    for logger, level in before:
        logger.setLevel(level)
        logger.handlers.clear()
        logger.propagate = True


@pytest.mark.usefixtures("loggers")
def test_debug(capsys: pytest.CaptureFixture[str]) -> None:
    """The log names operations, and holds nothing of what is sent or answered."""
    log_calls()
    endpoint = logging.getLogger("botocore.endpoint")
    endpoint.debug("Making request for %s with params: %s", "OperationModel(name=Query)", {"body": "a value"})
    endpoint.debug("Sending http request: %s", "a value")
    endpoint.debug("a value")
    logging.getLogger("botocore.parsers").debug("Response body: a value")
    logging.getLogger("urllib3.connectionpool").debug('%s "POST / %s', "https://dynamodb", "HTTP/1.1")
    assert capsys.readouterr().err.splitlines() == [
        "botocore.endpoint: OperationModel(name=Query)",
        'urllib3.connectionpool: https://dynamodb "POST / HTTP/1.1',
    ]
