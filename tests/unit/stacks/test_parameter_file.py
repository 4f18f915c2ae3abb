"""The files of parameters: what the environments have, and how a wrong file is refused."""

from pathlib import Path

import pytest

from contactsync.configuration.schema import Configuration
from contactsync.stacks.parameter_file import read_environment
from contactsync.stacks.stack_file import read_stacks
from contactsync.stacks.templates import TemplateError

INFRA = Path(__file__).parents[3] / "infra"
STACKS = read_stacks(INFRA)
ENVIRONMENTS = ("dev", "staging", "prod")
FILES = {name: read_environment(INFRA, name, STACKS) for name in ENVIRONMENTS}


def test_environments() -> None:
    """There is a file for each of the three environments, and no other."""
    assert {path.stem for path in (INFRA / "parameters").iterdir()} == set(ENVIRONMENTS)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_same_parameters(name: str) -> None:
    """Each file says something about the same parameters, so that no environment gets a default by accident."""
    assert list(FILES[name].parameters) == list(FILES["prod"].parameters)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_given_by_nobody_else(name: str) -> None:
    """No file gives what comes from another stack."""
    fed = {parameter for stack in STACKS.stacks for parameter in (*stack.parameters, *stack.afterwards)}
    assert not fed & set(FILES[name].parameters)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_configuration(name: str) -> None:
    """The first configuration is valid."""
    assert Configuration.model_validate(FILES[name].configuration)


def test_differences() -> None:
    """Logs are kept for 7, 30 and 90 days; dev says more; prod has backups and cannot be deleted by mistake."""
    of = {name: file.parameters for name, file in FILES.items()}
    assert [of[name]["LogRetentionDays"] for name in ENVIRONMENTS] == ["7", "30", "90"]
    assert [of[name]["LogLevel"] for name in ENVIRONMENTS] == ["DEBUG", "INFO", "INFO"]
    assert (of["dev"]["Tracing"], of["prod"]["Tracing"]) == ("Active", "PassThrough")
    assert (of["prod"]["PointInTimeRecovery"], of["prod"]["DeletionProtection"]) == ("true", "true")
    assert [FILES[name].termination_protection for name in ENVIRONMENTS] == [False, False, True]
    notices = [FILES[name].configuration["notification_settings"]["notify_on_success"] for name in ENVIRONMENTS]
    assert notices == [True, False, False]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it holds termination_protection, parameters, configuration"),
        ("- a\n", "it holds termination_protection"),
        ("{", "not YAML: "),
        ("parameter: {}\n", "unknown key parameter; there are termination_protection, parameters, configuration"),
        ("termination_protection: 'yes'\n", "termination_protection is true or false"),
        ("parameters: []\n", "parameters: a map is expected"),
        ("configuration: x\n", "configuration: a map is expected"),
        ("parameters: {LogRetention: 7}\n", "no template has a parameter LogRetention; do you mean LogRetentionDays?"),
        ("parameters: {1: 7}\n", "no template has a parameter 1"),
        ("parameters: {Environment: prod}\n", "Environment is the file's own name"),
        ("parameters: {LogRetentionDays: 8}\n", "parameter LogRetentionDays: '8' is not one of 7, 14, 30"),
        ("parameters: {OldVersionDays: 1}\n", "parameter OldVersionDays: '1' is not between 30 and 3650"),
        ("parameters: {PointInTimeRecovery: true}\n", "PointInTimeRecovery: a text or a whole number is expected"),
        ("parameters: {VpcCidr: [a]}\n", "VpcCidr: a text or a whole number is expected"),
        ("parameters: {LogLevel: INFO, LogLevel: DEBUG}\n", "not YAML: LogLevel stands twice in a map"),
    ],
)
def test_refused(tmp_path: Path, content: str, reason: str) -> None:
    """A wrong file is named, with what to correct, in one sentence."""
    (tmp_path / "parameters").mkdir()
    (tmp_path / "parameters" / "dev.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(TemplateError) as refused:
        read_environment(tmp_path, "dev", STACKS)
    assert str(refused.value).startswith("parameters/dev.yaml: ")
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_missing(tmp_path: Path) -> None:
    """An environment without a file is named."""
    with pytest.raises(TemplateError, match=r"^parameters/test.yaml: cannot be read: No such file"):
        read_environment(tmp_path, "test", STACKS)
