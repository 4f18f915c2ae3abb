"""Storing a version of the configuration: changes are shown, and a loss of protection must be confirmed."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

from contactsync.cli.screen.listing import say
from contactsync.errors import ConfigurationInvalidError, ContactSyncError, ProtectionLostError
from contactsync.settings.groups import Group

if TYPE_CHECKING:
    from contactsync.configuration.protections import Loss
    from contactsync.configuration.reach import Reach
    from contactsync.configuration.schema import Configuration
    from contactsync.configuration.versions import Difference, StoredVersion
    from contactsync.services.services import Services

MOST_NAMED: Final = 5
"""How many of the accounts that come into reach are named."""

WHOLE_LIST: Final = 10
"""How many entries a list may have to be shown whole; of a longer one only added and removed entries are shown."""


def store_changed(
    services: "Services",
    before: "StoredVersion | None",
    configuration: "Configuration",
    reason: str | None,
    *,
    yes: bool,
    after_version: int | None = None,
    even_equal: bool = False,
) -> None:
    """Store a configuration that was made from the version `before`, and print what changed.

    An equal configuration is stored only with `even_equal`. A loss of protection is confirmed by `yes` or on a
    terminal; else ProtectionLostError is raised.
    """
    from contactsync.configuration.size import check_size
    from contactsync.configuration.versions import MISSING, differences

    check_size(configuration)
    data = configuration.model_dump(mode="json")
    changes = list(differences(before.effective, data)) if before else []
    number = before.number if before else 0
    if before and not changes and not even_equal:
        say(f"Nothing changes: version {number} stays the current one.")
        return
    reach = _reach() if names_accounts(configuration) or changes else None
    if before and changes:
        _confirm(before, configuration, changes, reach, yes=yes)
    warn_of_unmatched(configuration, reach)
    stored = services.configuration_changes.store(
        configuration,
        after_version=number if after_version is None else after_version,
        changed_by=author(services),
        reason=reason,
    )
    shown = [one for one in changes if one.before is not MISSING]  # an invalid version may lack keys that have defaults
    fields = f": {', '.join(one.path for one in shown)}" if shown else ""
    say("\n".join([f"Stored as version {stored.version}{fields}.", *changed_lines(shown)]))


def changed_lines(changes: Sequence["Difference"]) -> Iterator[str]:
    """Yield a line for each field, with the old and the new value."""
    for one in changes:
        path, before, after = full(one)
        only = _only(before, after)
        was, is_now = map(json.dumps, only or (before, after))
        yield f"  {path}: {was} -> {is_now}" + (f" ({len(before)} -> {len(after)} entries)" if only else "")


def short(difference: "Difference") -> tuple[str, ...]:
    """Return a difference's cells as JSON; for a long list, its length and the entries that only this side has."""
    path, before, after = full(difference)
    if only := _only(before, after):
        return path, _of_many(before, only[0]), _of_many(after, only[1])
    return path, json.dumps(before), json.dumps(after)


def _only(before: Any, after: Any) -> tuple[list[Any], list[Any]] | None:  # noqa: ANN401 -- values of any field
    """Return the entries that only one of two lists has; None unless one is long, and not only their order differs."""
    if not (isinstance(before, list) and isinstance(after, list)) or max(len(before), len(after)) <= WHOLE_LIST:
        return None
    only = _without(before, after), _without(after, before)
    return only if any(only) else None


def _of_many(entries: list[Any], only: list[Any]) -> str:
    return f"{len(entries)} entries, among them {json.dumps(only)}" if only else f"{len(entries)} entries"


def full(difference: "Difference") -> tuple[Any, ...]:
    """Return a difference's field and its plain values; a missing value is None."""
    from contactsync.configuration.versions import MISSING

    return (difference.path, *(None if value is MISSING else value for value in (difference.before, difference.after)))


def names_accounts(configuration: "Configuration") -> bool:
    """Return whether a configuration has rules that can be checked with the organization."""
    scopes = (configuration.scope, *configuration.scope.contact_types.values())
    rules = (rule for scope in scopes for rule in (scope.include, scope.exclude))
    return bool(configuration.excluded_accounts) or any(not rule.empty for rule in rules)


def check_with_organization(configuration: "Configuration") -> None:
    """Print on stderr which rules match no account, or in one line that this was not checked."""
    if names_accounts(configuration):
        warn_of_unmatched(configuration, _reach())


def warn_of_unmatched(configuration: "Configuration", reach: "Reach | ContactSyncError | None") -> None:
    """Print on stderr which rules match no account, or in one line that this was not checked."""
    if not names_accounts(configuration):
        return
    try:
        for sentence in _asked(reach).unmatched(configuration):
            say(f"Warning: {sentence}", err=True)
    except ContactSyncError as error:
        say(f"It was not checked whether the organization has these accounts: {error}", err=True)


@contextmanager
def problem_per_line(consequence: str) -> Iterator[None]:
    """Print the problems of a configuration, one per line, and end the command.

    With a `consequence`, a single problem is raised again: the end of the command prints it.
    """
    try:
        yield
    except ConfigurationInvalidError as error:
        if len(error.problems) == 1 and consequence:
            raise
        version = "" if error.version is None else f" (version {error.version})"
        lines = [f"contactsync: The configuration{version} is invalid:", *(f"  {one}" for one in error.problems)]
        if len(error.problems) == 1:
            lines = [f"{lines[0]} {error.problems[0]}"]
        say("\n".join([*lines, *filter(None, [consequence])]), err=True)
        raise typer.Exit(1) from None


def author(services: "Services") -> str:
    """Return the AWS caller's ARN, with the user of this machine where the ARN does not name them."""
    arn, user = services.caller.arn(), _user()
    return arn if user in {None, arn.rpartition("/")[2]} else f"{arn} ({user})"


def _user() -> str | None:
    import getpass

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # containers may run as a user without a name
        return None


def _confirm(
    before: "StoredVersion",
    configuration: "Configuration",
    changes: Sequence["Difference"],
    reach: "Reach | ContactSyncError | None",
    *,
    yes: bool,
) -> None:
    from contactsync.configuration.protections import losses

    lost = list(losses(before.effective, configuration.model_dump(mode="json")))
    sentences = [loss.sentence for loss in lost if not loss.of_scope]
    if any(loss.of_scope for loss in lost):
        sentences += _scope_sentences(before, configuration, lost, reach)
    if not sentences or yes:
        for sentence in sentences:
            say(f"Takes protection away: {sentence}", err=True)
        return
    if not sys.stdin.isatty():
        raise ProtectionLostError(losses=sentences)
    shown = ["This takes protection away:", *(f"  {sentence}" for sentence in sentences), "All changes:"]
    say("\n".join([*shown, *changed_lines(changes)]), err=True)
    if not typer.confirm("Store it?", err=True):
        say("Nothing was stored.", err=True)
        raise typer.Exit(1)


def _scope_sentences(
    before: "StoredVersion",
    configuration: "Configuration",
    lost: Sequence["Loss"],
    reach: "Reach | ContactSyncError | None",
) -> list[str]:
    """Return what the scope loses, and how many accounts come into reach; an empty list when none does."""
    named = [loss.sentence for loss in lost if loss.of_scope]
    try:
        asked = _asked(reach)
        gained = asked.reached(configuration) - asked.reached(before.configuration)
    except ContactSyncError as error:
        return [*named, f"it is not known how many more accounts can be written to ({str(error).rstrip('.')})"]
    accounts = sorted({account_id for account_id, _ in gained})
    if not accounts:
        return []
    more = f" and {len(accounts) - MOST_NAMED} more" if len(accounts) > MOST_NAMED else ""
    number = "1 more account" if len(accounts) == 1 else f"{len(accounts)} more accounts"
    return [*named, f"{number} can be written to: {', '.join(accounts[:MOST_NAMED])}{more}"]


def _asked(reach: "Reach | ContactSyncError | None") -> "Reach":
    if reach is None or isinstance(reach, ContactSyncError):
        raise reach or AssertionError
    return reach


def _reach() -> "Reach | ContactSyncError":
    """Return the Reach, which asks the organization, or the error that says why it cannot be asked."""
    from contactsync.configuration.reach import Reach
    from contactsync.services.services import Services

    try:
        services = Services.from_environment(needs=(Group.MANAGEMENT,))
        return Reach(services.organization, services.settings.management.account)
    except ContactSyncError as error:
        return error


def _without(parts: list[Any], others: list[Any]) -> list[Any]:
    known = set(map(json.dumps, others))
    return [part for part in parts if json.dumps(part) not in known]
