"""The stacks of one deployment: which are wanted, with which template, and with which values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from contactsync.deployment.live import LiveStack, Rest
from contactsync.deployment.ports import Values
from contactsync.deployment.target import Target, check_given
from contactsync.errors import DeploymentFileError, ParametersMissingError
from contactsync.stacks.parameter_file import FOLDER, EnvironmentFile, read_environment, read_own_values
from contactsync.stacks.stack_file import StackList, read_stacks
from contactsync.stacks.stacks import Stack, stack_name
from contactsync.stacks.templates import TemplateError, check_value

Live = Mapping[str, LiveStack]
"""The stacks that CloudFormation has, by their full names."""


@dataclass(frozen=True)
class WantedStack:
    """A stack that is deployed."""

    name: str
    """The name that CloudFormation has."""
    entry: Stack
    """Its entry in the list of stacks."""
    region: str
    body: str
    template: Mapping[str, Any]
    own: Mapping[str, str] = field(default_factory=dict)
    """Values of its own file of parameters."""

    @property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """The resources of its template."""
        found: Mapping[str, Mapping[str, Any]] = self.template["Resources"]
        return found


@dataclass(frozen=True)
class Blueprint:
    """What a folder of templates says about a deployment."""

    folder: Path
    target: Target
    listed: StackList
    file: EnvironmentFile

    @classmethod
    def read(cls, folder: Path, target: Target) -> Self:
        """Read the templates, the list of stacks and the environment's values.

        Raises DeploymentFileError, and ParameterRefusedError for a value that was given.
        """
        environments = sorted(path.stem for path in (folder / FOLDER).glob("*.yaml"))
        if target.environment not in environments:
            known = f"there are {', '.join(environments)}" if environments else "there is none"
            raise DeploymentFileError(f"{FOLDER}/{target.environment}.yaml", f"is not among the templates; {known}")
        try:
            listed = read_stacks(folder)
            file = read_environment(folder, target.environment, listed)
        except TemplateError as error:
            raise DeploymentFileError(error.template, f"cannot be used: {error.reason}") from None
        check_given(target.given, listed, target)
        return cls(folder, target, listed, file)

    @cached_property
    def possible(self) -> tuple[WantedStack, ...]:
        """Every stack that can be deployed, wanted or not, in its order."""
        try:
            return tuple(stack for entry in self.listed.stacks for stack in self._stacks(entry))
        except TemplateError as error:
            raise DeploymentFileError(error.template, f"cannot be used: {error.reason}") from None

    def wanted(self, live: Live) -> tuple[WantedStack, ...]:
        """Return the stacks to deploy: those that are there, and those whose condition holds."""
        before = {name: value for stack in live.values() for name, value in stack.parameters.items() if value}
        known = {**before, **self.file.parameters, **self.target.given}
        return tuple(
            stack
            for stack in self.possible
            if _is_there(stack.name, live) or stack.entry.is_wanted(known, self.target.region)
        )

    def values(
        self, stack: WantedStack, live: Live, files: Mapping[str, str], *, before_others: bool = False
    ) -> Values:
        """Return the values of a stack's parameters; `files` are those that say where the files of the release are.

        Raises ParametersMissingError for parameters that nothing gives a value, and DeploymentFileError. With
        `before_others` those are left out that get their values from stacks that may not be there yet.
        """
        there = live[stack.name].parameters if _is_there(stack.name, live) else {}
        known = {
            **self._fed(stack, live),
            **self.file.parameters,
            **self.target.given_in(stack.region),
            **stack.own,
            **self.target.decided,
            **files,
        }
        values: dict[str, str | None] = {}
        missing = []
        for name, declaration in (stack.template.get("Parameters") or {}).items():
            if name in known:
                _check(stack, name, known[name], declaration)
                values[name] = known[name]
            elif name in there:
                values[name] = None
            elif "Default" not in declaration and not (before_others and name in stack.entry.parameters):
                missing.append(name)
        if missing:
            raise ParametersMissingError(stack.name, tuple(missing))
        return values

    def _fed(self, stack: WantedStack, live: Live) -> dict[str, str]:
        outputs = {
            one.entry.name: live[one.name].outputs
            for one in self.possible
            if one.entry.stack_per_file_in is None and _is_there(one.name, live)
        }
        region = self.target.region
        return self.listed.fed(stack.entry, outputs, region) | self.listed.fed_afterwards(stack.entry, outputs, region)

    def _stacks(self, entry: Stack) -> Iterator[WantedStack]:
        name = stack_name(self.target.environment, entry.name)
        region = entry.region.of(self.target.region)
        body = (self.folder / entry.template).read_text(encoding="utf-8")
        template = self.listed.templates[entry.template]
        if entry.stack_per_file_in is None:
            yield WantedStack(name, entry, region, body, template)
            return
        for path in sorted((self.folder / entry.stack_per_file_in).glob("*.yaml")):
            own = read_own_values(path, entry.template, template)
            yield WantedStack(f"{name}-{path.stem}", entry, region, body, template, own)


def _is_there(name: str, live: Live) -> bool:
    return name in live and live[name].rest is not Rest.ABSENT


def _check(stack: WantedStack, name: str, value: str, declaration: Mapping[str, Any]) -> None:
    try:
        check_value(stack.entry.template, name, value, declaration)
    except TemplateError as error:
        raise DeploymentFileError(error.template, f"refuses a value: {error.reason}") from None
