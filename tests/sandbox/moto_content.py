"""A process of its own that runs a sandbox and says what of moto was different meanwhile, and what still is after."""

import contextlib
import json
import operator
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from moto.cloudformation import parsing
from moto.core.base_backend import BackendDict

from contactsync.sandbox.scenario.scenario import OrganizationSettings, Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.stacks.templates import TemplateError

INFRA = Path(__file__).parents[2] / "infra"
OWN_STATE = ("instances_tracked", "request_count", "_instances", "environ")
"""What moto itself changes while it answers, by name."""
RELOADED = "moto.s3.urls"
"""A module that moto itself loads again with every server."""
Content = tuple[object, ...]


def seen_in(value: object) -> Content:
    """Describe a value by the objects that it is made of, so that a change of what a list or a table holds is seen."""
    if isinstance(value, BackendDict):
        return (value, vars(value)["backend"])
    if isinstance(value, Mapping):
        return (value, *value.keys(), *value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return (value, *value)
    return (value,)


def owners() -> Iterator[tuple[str, ModuleType | type]]:
    """Yield every module of moto that is imported, and the classes that are made there."""
    for name, module in sorted(sys.modules.items()):
        if name.split(".")[0] == "moto" and name != RELOADED:
            yield name, module
            for class_name, value in list(vars(module).items()):
                if isinstance(value, type) and value.__module__ == name:
                    yield f"{name}.{class_name}", value


def content() -> dict[str, Content]:
    """Describe all that can be put in the place of moto's own, by name."""
    found = {
        f"{owner_name}.{name}": seen_in(value)
        for owner_name, owner in owners()
        for name, value in list(vars(owner).items())
        # Python makes the empty annotations of a class when somebody asks for them.
        if name not in OWN_STATE and not (name == "__annotations__" and value == {})
    }
    tables = {table.__name__: seen_in(table()) for table in (parsing.get_model_map, parsing.get_name_type_map)}
    return found | tables


def differences(before: Mapping[str, Content]) -> list[str]:
    """Name what is not as before: replaced, taken away, or added to a class (a module gets what is imported later)."""
    after = content()
    added = {name for name in after.keys() - before.keys() if f"{name.rpartition('.')[0]}.__module__" in before}
    return sorted(added | {name for name, seen in before.items() if not is_same(seen, after.get(name, ()))})


def is_same(one: Content, other: Content) -> bool:
    """Tell whether two descriptions are of the same objects."""
    return len(one) == len(other) and all(map(operator.is_, one, other))


def main() -> None:
    """Write as JSON what is different while a sandbox with our templates runs, after it, and after one that failed."""
    scenario = Scenario(organization=OrganizationSettings(accounts=1))
    before = content()
    with Sandbox(scenario, templates=INFRA):
        corrected = differences(before)
    left = differences(before)
    with TemporaryDirectory() as folder:
        (Path(folder) / "wrong.yaml").write_text("Resources: {One: {Type: AWS::No::Such}}")
        with contextlib.suppress(TemplateError):
            Sandbox(scenario, templates=Path(folder)).start()
    print(json.dumps({"corrected": corrected, "left": left, "left by a failure": differences(before)}))  # noqa: T201 - for the test that started it


if __name__ == "__main__":
    main()
