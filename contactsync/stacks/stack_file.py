"""The list of stacks, read from stacks.yaml beside the templates, and compared with them."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NoReturn

from contactsync.stacks.stacks import Condition, OutputOf, Region, RegionOf, Source, Stack
from contactsync.stacks.templates import TemplateError, load, read_yaml

FILE: Final = "stacks.yaml"

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TEMPLATE: Final = re.compile(rf"{_NAME.pattern}\.yaml")
_PARAMETER: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_OUTPUT: Final = re.compile(rf"(?P<stack>{_NAME.pattern})\.(?P<output>[A-Za-z][A-Za-z0-9]*)")

_STACK_KEYS: Final = (
    *("name", "template", "region", "only_if", "parameters", "afterwards"),
    *("stack_per_file_in", "not_in_sandbox"),
)
_CONDITION_KEYS: Final = ("given", "not_given", "value", "regions_differ")
_SOURCE_KEYS: Final = ("output", "same_region", "region_of")


@dataclass(frozen=True)
class StackList:
    """The stacks of a deployment in the order in which they are deployed, and their templates."""

    stacks: tuple[Stack, ...]
    templates: Mapping[str, Mapping[str, Any]]
    """The templates' content by their file names."""

    @cached_property
    def regions(self) -> dict[str, Region]:
        """The region of every stack."""
        return {stack.name: stack.region for stack in self.stacks}

    def fed(self, stack: Stack, outputs: Mapping[str, Mapping[str, str]], deployment_region: str) -> dict[str, str]:
        """Return the values that a stack's parameters get from the stacks whose outputs these are, by stack."""
        return self._values(stack.parameters, stack.region.of(deployment_region), outputs, deployment_region)

    def fed_afterwards(
        self, stack: Stack, outputs: Mapping[str, Mapping[str, str]], deployment_region: str
    ) -> dict[str, str]:
        """Return the values with which a stack is updated when the later stacks are there."""
        return self._values(stack.afterwards, stack.region.of(deployment_region), outputs, deployment_region)

    @cached_property
    def declarations(self) -> dict[str, list[Mapping[str, Any]]]:
        """Every parameter of any template, with all its declarations."""
        declared: dict[str, list[Mapping[str, Any]]] = {}
        for template in self.templates.values():
            for name, declaration in (template.get("Parameters") or {}).items():
                declared.setdefault(name, []).append(declaration)
        return declared

    def _values(
        self,
        feeds: Mapping[str, tuple[Source, ...]],
        here: str,
        outputs: Mapping[str, Mapping[str, str]],
        deployment_region: str,
    ) -> dict[str, str]:
        def value(source: Source) -> str | None:
            there = self.regions[source.stack].of(deployment_region)
            if isinstance(source, RegionOf):
                return there
            if source.same_region and there != here:
                return None
            return outputs.get(source.stack, {}).get(source.output)

        found = {
            name: next((text for text in map(value, sources) if text is not None), None)
            for name, sources in feeds.items()
        }
        return {name: text for name, text in found.items() if text is not None}


def read_stacks(directory: Path) -> StackList:
    """Read stacks.yaml and the templates that it names; TemplateError says in one sentence what is wrong."""
    content = read_yaml(directory / FILE, FILE)
    entries = content.get("stacks") if isinstance(content, dict) and set(content) == {"stacks"} else None
    if not isinstance(entries, list) or not entries:
        _refuse("it holds `stacks:` with a list of stacks, and nothing else")
    stacks = tuple(_stack(number, entry) for number, entry in enumerate(entries, start=1))
    if twice := _twice(stack.name for stack in stacks):
        _refuse(f"there are two stacks {twice}")
    listed = StackList(stacks, {name: load(directory / name) for name in dict.fromkeys(s.template for s in stacks)})
    for stack in stacks:
        _check(stack, listed)
    _check_order(stacks)
    return listed


def _stack(number: int, entry: object) -> Stack:
    where = f"stack {number}"
    fields = _fields(where, entry, _STACK_KEYS, required=("name", "template", "region"))
    name = _matching(where, "name", fields["name"], _NAME)
    region = fields["region"]
    if region not in list(Region):
        _refuse(f"{name}: region is {' or '.join(Region)}, not {region!r}")
    folder, reason = fields.get("stack_per_file_in"), fields.get("not_in_sandbox")
    return Stack(
        name,
        _matching(name, "template", fields["template"], _TEMPLATE),
        Region(region),
        only_if=_condition(name, fields["only_if"]) if "only_if" in fields else None,
        parameters=_feeds(name, "parameters", fields.get("parameters", {})),
        afterwards=_feeds(name, "afterwards", fields.get("afterwards", {})),
        stack_per_file_in=None if folder is None else _matching(name, "stack_per_file_in", folder, _NAME),
        not_in_sandbox=None if reason is None else _text(name, "not_in_sandbox", reason),
    )


def _condition(name: str, content: object) -> Condition:
    where = f"{name}: only_if"
    fields = _fields(where, content, _CONDITION_KEYS)
    if len(fields) != 1:
        _refuse(f"{where} has exactly one of {', '.join(_CONDITION_KEYS)}")
    ((key, value),) = fields.items()
    if key == "regions_differ":
        if value is not True:
            _refuse(f"{where}: regions_differ is true, or is left out")
        return Condition(regions_differ=True)
    if key == "value":
        values = _map(f"{where}: value", value)
        return Condition(value={_parameter(where, one): _text(where, str(one), text) for one, text in values.items()})
    names = tuple(_parameter(where, one) for one in _items(f"{where}: {key}", value))
    return Condition(given=names) if key == "given" else Condition(not_given=names)


def _feeds(name: str, key: str, content: object) -> dict[str, tuple[Source, ...]]:
    feeds = {}
    for parameter, given in _map(f"{name}: {key}", content).items():
        where = f"{name}: {_parameter(f'{name}: {key}', parameter)}"
        sources = _items(where, given) if isinstance(given, list) else [given]
        feeds[str(parameter)] = tuple(_source(where, source) for source in sources)
    return feeds


def _source(where: str, given: object) -> Source:
    if isinstance(given, str):
        return _output(where, given)
    fields = _fields(where, given, _SOURCE_KEYS)
    if set(fields) == {"region_of"}:
        return RegionOf(_matching(where, "region_of", fields["region_of"], _NAME))
    if set(fields) != {"output", "same_region"} or fields["same_region"] is not True:
        forms = "STACK.OUTPUT, {output: STACK.OUTPUT, same_region: true} or {region_of: STACK}"
        _refuse(f"{where}: a value comes from {forms}")
    return _output(where, fields["output"], same_region=True)


def _output(where: str, given: object, *, same_region: bool = False) -> OutputOf:
    match = _OUTPUT.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        _refuse(f"{where}: {given!r} is not STACK.OUTPUT")
    return OutputOf(match["stack"], match["output"], same_region)


def _check(stack: Stack, listed: StackList) -> None:
    """Refuse what names a stack, parameter or output that there is not."""
    for name in stack.only_if.parameters if stack.only_if else ():
        if name not in listed.declarations:
            _refuse(
                f"{stack.name}: only_if names {name}, which no template has as a parameter", name, listed.declarations
            )
    if both := set(stack.parameters) & set(stack.afterwards):
        _refuse(f"{stack.name}: {min(both)} is in both parameters and afterwards")
    declared = listed.templates[stack.template].get("Parameters") or {}
    for parameter, sources in {**stack.parameters, **stack.afterwards}.items():
        if parameter not in declared:
            _refuse(f"{stack.name}: {stack.template} has no parameter {parameter}", parameter, declared)
        for source in sources:
            _check_source(f"{stack.name}: {parameter}", source, listed)


def _check_source(where: str, source: Source, listed: StackList) -> None:
    if source.stack not in listed.regions:
        _refuse(f"{where}: there is no stack {source.stack}", source.stack, listed.regions)
    other = next(stack for stack in listed.stacks if stack.name == source.stack)
    if isinstance(source, OutputOf):
        if other.stack_per_file_in:
            _refuse(f"{where}: {other.name} is a stack per file, so it has no output of its own")
        outputs = listed.templates[other.template].get("Outputs") or {}
        if source.output not in outputs:
            _refuse(f"{where}: {other.template} has no output {source.output}", source.output, outputs)


def _check_order(stacks: Sequence[Stack]) -> None:
    """Refuse values that come from stacks that are not deployed yet, and values for `afterwards` that are."""
    needs = {
        stack.name: {source.stack for _, source in _each(stack.parameters) if isinstance(source, OutputOf)}
        for stack in stacks
    }
    for stack in stacks:
        if circle := _way(stack.name, stack.name, needs.__getitem__):
            _refuse(f"{' takes values from '.join(circle)}: a circle; move one of the parameters to afterwards")
    places = {stack.name: number for number, stack in enumerate(stacks)}
    for stack in stacks:
        for parameter, source in _each(stack.parameters):
            if isinstance(source, OutputOf) and places[source.stack] > places[stack.name]:
                _refuse(
                    f"{stack.name}: {parameter} comes from {source.stack}, which stands after it: change their order"
                )
        for parameter, source in _each(stack.afterwards):
            if isinstance(source, RegionOf) or places[source.stack] <= places[stack.name]:
                _refuse(f"{stack.name}: {parameter} comes from {source.stack}, so it belongs to parameters")


def _each(feeds: Mapping[str, tuple[Source, ...]]) -> Iterator[tuple[str, Source]]:
    return ((parameter, source) for parameter, sources in feeds.items() for source in sources)


def _way(start: str, end: str, needs: Callable[[str], Iterable[str]]) -> list[str]:
    """Return the stacks on the shortest way along which a stack needs another; none is no way."""
    ways, seen = [[start]], set()
    while ways:
        way = ways.pop(0)
        for name in sorted(needs(way[-1])):
            if name == end:
                return [*way, end]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


def _fields(where: str, content: object, known: Sequence[str], *, required: Sequence[str] = ()) -> dict[str, Any]:
    fields = _map(where, content)
    for key in fields:
        if key not in known:
            _refuse(f"{where}: unknown key {key}; there are {', '.join(known)}", str(key), known)
    if missing := [key for key in required if key not in fields]:
        _refuse(f"{where}: {' and '.join(missing)} must be there")
    return fields


def _map(where: str, content: object) -> dict[Any, Any]:
    if not isinstance(content, dict):
        _refuse(f"{where}: a map is expected, with lines KEY: VALUE")
    return content


def _items(where: str, content: object) -> list[Any]:
    if not isinstance(content, list) or not content:
        _refuse(f"{where}: a list is expected, with at least one entry")
    return content


def _text(where: str, key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        _refuse(f"{where}: {key} is a text of one line; write other values in quotes")
    return value


def _matching(where: str, key: str, value: object, pattern: re.Pattern[str]) -> str:
    text = _text(where, key, value)
    if not pattern.fullmatch(text):
        _refuse(f"{where}: {key} {text!r} does not match {pattern.pattern}")
    return text


def _parameter(where: str, name: object) -> str:
    return _matching(where, "parameter", name, _PARAMETER)


def _twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value] # add returns None


def _refuse(reason: str, wrong: str = "", known: Iterable[str] = ()) -> NoReturn:
    """Raise the error, with the nearest of the known names."""
    near = difflib.get_close_matches(wrong, list(known), n=1)
    raise TemplateError(FILE, f"{reason}; do you mean {near[0]}?" if near else reason)
