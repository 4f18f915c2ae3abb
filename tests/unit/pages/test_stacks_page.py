"""docs/stacks.md has the stacks as infra/stacks.yaml lists them."""

import re
import subprocess
from pathlib import Path

from contactsync.stacks.parameter_file import read_environment
from contactsync.stacks.stack_file import read_stacks
from contactsync.stacks.stacks import Condition, OutputOf, Region, Source, Stack

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "stacks.md"
HEAD = "| | stack | template | region | deployed | values from other stacks |"


def row(number: int, stack: Stack) -> str:
    """Write a stack as the page's table has it."""
    name = f"`{stack.name}-FILE`" if stack.stack_per_file_in else f"`{stack.name}`"
    region = "the trigger's" if stack.region is Region.TRIGGER else "the deployment's"
    feeds = [f"`{name}` from {origin(sources)}" for name, sources in stack.parameters.items()]
    feeds += [f"afterwards `{name}` from {origin(sources)}" for name, sources in stack.afterwards.items()]
    cells = (
        f"{number}",
        name,
        f"[{stack.template}](../infra/{stack.template})",
        region,
        f"for each file in infra/{stack.stack_per_file_in}" if stack.stack_per_file_in else when(stack.only_if),
        ", ".join(feeds) or "none",
    )
    return f"| {' | '.join(cells)} |"


def origin(sources: tuple[Source, ...]) -> str:
    """Write where a value comes from."""
    return " or ".join(
        (f"`{one.stack}`" + (" in the same region" if one.same_region else ""))
        if isinstance(one, OutputOf)
        else f"the region of `{one.stack}`"
        for one in sources
    )


def when(condition: Condition | None) -> str:
    """Write when a stack is deployed."""
    if condition is None:
        return "always"
    if condition.regions_differ:
        return "if the two regions differ"
    if condition.value:
        return "if " + " and ".join(f"`{name}` is `{value}`" for name, value in condition.value.items())
    names = " or ".join(f"`{name}`" for name in condition.parameters)
    return f"if {names} is given" if condition.given else f"unless {names} is given"


def test_table() -> None:
    """The page's table is the list, row by row."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = lines.index(HEAD) + 2
    found = lines[start : start + lines[start:].index("")]
    assert found == [row(number, stack) for number, stack in enumerate(read_stacks(ROOT / "infra").stacks, start=1)]


def test_sandbox() -> None:
    """The page names each stack that the sandbox leaves out, with the reason that the list gives."""
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    for stack in read_stacks(ROOT / "infra").stacks:
        assert stack.not_in_sandbox is None or f"`{stack.name}`: {stack.not_in_sandbox}" in page


def test_environments() -> None:
    """The page's table has the values of each environment's file."""
    listed = read_stacks(ROOT / "infra")
    files = [read_environment(ROOT / "infra", name, listed) for name in ("dev", "staging", "prod")]
    rows = [f"| `{name}` | " + " | ".join(f"`{one.parameters[name]}`" for one in files) for name in files[0].parameters]
    protections = ("on" if one.termination_protection else "off" for one in files)
    rows.append("| termination protection of the stacks | " + " | ".join(protections))
    notices = (one.configuration["notification_settings"]["notify_on_success"] for one in files)
    rows.append(
        "| `notify_on_success` in the first configuration | " + " | ".join(f"`{str(one).lower()}`" for one in notices)
    )
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = lines.index("| | dev | staging | prod |") + 2
    assert lines[start : start + lines[start:].index("")] == [f"{row} |" for row in rows]


def script() -> str:
    """Return the commands that deploy by hand, each on one line."""
    (block,) = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(block).replace("\\\n", " ")


def test_commands() -> None:
    """The commands are a script that bash can read."""
    answer = subprocess.run(["bash", "-n"], input=script(), check=False, capture_output=True, text=True, timeout=30)  # noqa: S607 - the bash of the person who runs the tests
    assert answer.stderr == ""


def test_commands_fit_the_templates() -> None:
    """The commands name parameters, outputs, templates and regions that there are, in the order of the list."""
    found = read_stacks(ROOT / "infra")
    stacks = {stack.name: stack for stack in found.stacks}
    calls = re.findall(r"^ *deploy \$(\w+) (\S+) (\S+)(.*)$", script(), re.MULTILINE)
    for region, name, template, rest in calls:
        assert stacks[name].template == template
        assert (region == "TRIGGER_REGION") is (stacks[name].region is Region.TRIGGER)
        assert set(re.findall(r"(?<![\w.])([A-Z]\w+)=", rest)) <= set(found.templates[template]["Parameters"])
    for name, output in re.findall(r"\$\(output \$\w+ (\S+) (\w+)\)", script()):
        assert output in found.templates[stacks[name].template]["Outputs"]
    first = list(dict.fromkeys(name for _, name, _, _ in calls))
    assert first == [stack.name for stack in found.stacks if stack.name in first]
    assert {stack.name for stack in found.stacks} - set(first) == {
        "publisher",
        "subscriber",
        "chat",
        "trail",
        "user-notifications",
    }


def test_commands_give_what_is_needed() -> None:
    """Each stack gets a value for every parameter that has no default."""
    found = read_stacks(ROOT / "infra")
    given: dict[str, set[str]] = {}
    for name, rest in re.findall(r"^ *deploy \$\w+ (\S+) \S+(.*)$", script(), re.MULTILINE):
        given.setdefault(name, set()).update(re.findall(r"(?<![\w.])([A-Z]\w+)=", rest))
    for stack in found.stacks:
        if stack.name in given:
            declared = found.templates[stack.template]["Parameters"]
            assert {name for name, one in declared.items() if "Default" not in one} <= given[stack.name], stack.name
