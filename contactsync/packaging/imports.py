"""Which modules of ours a module imports, found without importing anything."""

import ast
from collections.abc import Collection, Iterable, Iterator

from contactsync.errors import SourcesInconsistentError
from contactsync.packaging.clone import Sources

OURS = "contactsync"
INIT = "__init__.py"


def needed_files(modules: Iterable[str], sources: Sources) -> frozenset[str]:
    """Return the paths of modules of ours, and of all that they import: at any place, except for types alone."""
    found: set[str] = set()
    waiting = [path for module in modules for path in _paths(module, sources)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [one for name in imported_names(sources[path], path) for one in _paths(name, sources)]
    return frozenset(found)


def imported_names(source: bytes, path: str) -> Iterator[str]:
    """Yield the dotted names that a module imports; for `from a import b` both `a` and `a.b`, which may be a module."""
    waiting: list[ast.AST] = [_parsed(source, path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _is_for_types(node.test):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def top_level_names(source: bytes, path: str) -> Collection[str]:
    """Return the names that a module defines itself, without what it imports."""
    names: set[str] = set()
    for node in _parsed(source, path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def _parsed(source: bytes, path: str) -> ast.Module:
    try:
        return ast.parse(source, path)
    except (SyntaxError, ValueError) as error:
        where = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        problem = f"is not Python{where}: {getattr(error, 'msg', error)}"
        raise SourcesInconsistentError(path=path, problem=problem) from None


def _absolute(node: ast.ImportFrom, path: str) -> str:
    package = path.split("/")[: -node.level] if node.level else []
    return ".".join([*package, *filter(None, [node.module])])


def _is_for_types(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _paths(module: str, sources: Sources) -> Iterator[str]:
    """Yield the files that importing a module runs: its own, and those of the folders above; none if it is foreign."""
    parts = module.split(".")
    if parts[0] != OURS:
        return
    for end in range(1, len(parts) + 1):
        place = "/".join(parts[:end])
        yield from (path for path in (f"{place}/{INIT}", f"{place}.py") if path in sources)
