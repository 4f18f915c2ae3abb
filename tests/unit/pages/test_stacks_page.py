"""docs/stacks.md has the stacks as infra/stacks.yaml lists them."""

from pathlib import Path

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
