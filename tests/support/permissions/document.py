"""Writes the table of docs/permissions.md: `.venv/bin/python -m tests.support.permissions.document`."""

import tempfile
from pathlib import Path

from contactsync.configuration.schema import Configuration
from tests.support.permissions import functions, people, workers
from tests.support.permissions.comparison import Component, compared, table
from tests.support.permissions.system import ROOT, System, system

PAGE = ROOT / "docs" / "permissions.md"
BEGIN, END = "<!-- made by tests/support/permissions -->\n", "<!-- end -->\n"


def components_of(system: System, folder: Path) -> list[Component]:
    """Let every component do all that it does, and compare that with its policies."""
    outputs = system.sandbox.outputs
    roles = {
        **{name: system.role_of_function(f"contactsync-local-{name}") for name in FUNCTIONS},
        "workers": outputs["ExecutionRoleArn"],
        "operator": system.role_with("operator", outputs["OperatorPolicyArn"]),
        "configuration": system.role_with("configuration", outputs["ConfigurationPolicyArn"]),
    }
    with system.admin() as services:
        services.configurations.store(Configuration(), after_version=0, changed_by="tests")
    workers.walk(system, roles["workers"])
    functions.trigger(system)
    functions.publisher(system)
    functions.subscribers(system)
    functions.notices(system)
    people.operator(system, roles["operator"])
    people.configuration(system, roles["configuration"], folder)
    return compared(system, roles)


FUNCTIONS = ("trigger", "audit", "notices", "publisher")


def written() -> str:
    """Return the table that is in the page."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    """Write the table into the page."""
    with system() as running, tempfile.TemporaryDirectory() as folder:
        made = table(components_of(running, Path(folder)))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{made}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
