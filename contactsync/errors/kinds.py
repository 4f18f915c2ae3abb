"""Which class of errors a code belongs to, for errors of which only the code was stored or sent."""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from contactsync.errors.aws.calls import AwsCallError
from contactsync.errors.aws.codes import MEANINGS, Meaning
from contactsync.errors.root import ContactSyncError


def kind_of(code: str | None) -> type[ContactSyncError] | None:
    """Return the class of an error's `code`; None when no class has it."""
    meaning = MEANINGS.get(code or "")
    return kinds()[meaning] if meaning else _by_name().get(code or "")


@cache
def kinds() -> Mapping[Meaning, type[AwsCallError]]:
    """Return the class for each meaning of AWS's codes; each class names its meaning."""
    calls = (kind for kind in _tree(AwsCallError) if issubclass(kind, AwsCallError))
    return MappingProxyType({kind.says: kind for kind in calls if "says" in vars(kind) and kind.says})


@cache
def _by_name() -> Mapping[str, type[ContactSyncError]]:
    return MappingProxyType({kind.short_name(): kind for kind in _tree(ContactSyncError)})


def _tree(kind: type[ContactSyncError]) -> Iterator[type[ContactSyncError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)
