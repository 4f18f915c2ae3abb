"""Rules that match no account: ids and tags in the configuration that no account of the organization has.

They stop no run, because accounts leave an organization. But a typing error in an exclusion protects nobody, so people
are notified.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from contactsync.accounts import Account
from contactsync.contacts import ContactType
from contactsync.scope.rules import AccountRules, ScopeFilter, TypeScope

MOST_NAMED: Final = 10
"""Number of ids that one sentence names: a list may have thousands."""

MOST_HINTS: Final = 3
"""Number of these ids for which it suggests the right one."""

_SWAPPED: Final = 2

Tags = Mapping[str, str]


def unmatched_accounts(
    configuration: AccountRules, accounts: Sequence[Account], management_account: str
) -> Iterator[str]:
    """Yield a sentence for each list of account ids with ids that the organization does not have."""
    known = {account.account_id for account in accounts}
    for field, side, ids in _account_lists(configuration):
        unknown = [account_id for account_id in dict.fromkeys(ids) if account_id not in known]
        if unknown:
            yield f"{field}: {_unknown(unknown)}, {_EFFECT[side]}{_hints(unknown, known)}"
        if side == "include" and management_account in ids:
            yield f"{field}: {management_account} is the management account, which is never written."


def unmatched_tags(
    configuration: AccountRules, contact_types: Collection[ContactType], tags: Collection[Tags]
) -> Iterator[str]:
    """Yield a sentence for each tag of the rules that no account has, among those whose tags decide.

    If there is no such account, nothing is said: then other rules decide about all of them.
    """
    for field, side, rule in _filters(configuration, contact_types) if tags else ():
        for name in _unmatched(rule, tags):
            yield f"{field}.tags: no account that the other rules admit has the tag {name}, {_EFFECT[side]}."


_EFFECT: Final = {"exclude": "so this protects no account", "include": "so this includes no account"}


def _filters(
    configuration: AccountRules, contact_types: Collection[ContactType]
) -> Iterator[tuple[str, str, ScopeFilter]]:
    """Yield every include and exclude that is relevant to these contact types, with its field and side."""
    scopes: dict[str, TypeScope] = {"scope": configuration.scope}
    scopes |= {
        f"scope.contact_types.{t}": s for t, s in configuration.scope.contact_types.items() if t in contact_types
    }
    for where, scope in scopes.items():
        yield f"{where}.include", "include", scope.include
        yield f"{where}.exclude", "exclude", scope.exclude


def _account_lists(configuration: AccountRules) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    yield "excluded_accounts", "exclude", configuration.excluded_accounts
    yield from (
        (f"{field}.accounts", side, rule.accounts) for field, side, rule in _filters(configuration, tuple(ContactType))
    )


def _unknown(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:MOST_NAMED])
    more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
    return f"the organization has no account {shown}{more}"


def _hints(ids: Iterable[str], known: Collection[str]) -> str:
    """Return the ids that may be meant, without the accounts' names, which their owners choose."""
    near = [(account_id, _meant(account_id, known)) for account_id in list(ids)[:MOST_NAMED]]
    meant = [f"{other} instead of {account_id}" for account_id, other in near if other][:MOST_HINTS]
    return f"; did you mean {', '.join(meant)}?" if meant else "."


def _meant(account_id: str, known: Iterable[str]) -> str | None:
    near = [other for other in known if _is_slip(account_id, other)]
    return near[0] if len(near) == 1 else None


def _is_slip(one: str, other: str) -> bool:
    """Return whether one digit differs, or two have changed places."""
    differences = sum(map(str.__ne__, one, other))
    return differences == 1 or (differences == _SWAPPED and sorted(one) == sorted(other))


def _unmatched(rule: ScopeFilter, tags: Collection[Tags]) -> Iterator[str]:
    for key, values in rule.tags.items():
        present = {one[key] for one in tags if key in one}
        if not values and not present:
            yield repr(key)
        yield from (f"{key!r} with the value {value!r}" for value in values if value not in present)
