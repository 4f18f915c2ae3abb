"""What a change of the configuration takes away from the protection of accounts, as sentences."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contactsync.contacts import ContactType

MOST_NAMED: Final = 5
"""Number of entries of a list that one sentence names."""

Section = Mapping[str, Any]


@dataclass(frozen=True)
class Loss:
    """One protection that a change takes away."""

    sentence: str
    of_scope: bool
    """Whether it can make more accounts writable, so that counting the accounts shows its effect."""


def losses(before: Section, after: Section) -> Iterator[Loss]:
    """Yield what the settings `after` protect less than `before`; both are plain data with defaults.

    That is: excluded accounts and units, includes that narrow, contact types that were not synchronized, deletions that
    need an approval, the number of failures that makes a run fail, notices of failures, pacing and breaker.
    """
    for sentence in _scope_losses(before, after):
        yield Loss(sentence, of_scope=True)
    for sentence in _other_losses(before, after):
        yield Loss(sentence, of_scope=False)


def _scope_losses(before: Section, after: Section) -> Iterator[str]:
    yield from _gone("excluded_accounts", before.get("excluded_accounts"), after.get("excluded_accounts"))
    if before.get("contact_types"):  # without any, the version is invalid, and nothing is synchronized
        yield from _more("contact_types", before["contact_types"], after.get("contact_types"))
    for where in ("scope", *(f"scope.contact_types.{contact_type}" for contact_type in ContactType)):
        yield from _exclude_losses(f"{where}.exclude", _at(before, f"{where}.exclude"), _at(after, f"{where}.exclude"))
        yield from _include_losses(f"{where}.include", _at(before, f"{where}.include"), _at(after, f"{where}.include"))


def _exclude_losses(where: str, before: Section, after: Section) -> Iterator[str]:
    for key in ("accounts", "organizational_units"):
        yield from _gone(f"{where}.{key}", before.get(key), after.get(key))
    tags = after.get("tags") or {}
    for tag, values in (before.get("tags") or {}).items():
        if tag not in tags or (tags[tag] and not values):
            yield f"{where}.tags no longer excludes every account with the tag {tag!r}"
        elif tags[tag]:
            yield from _gone(f"{where}.tags.{tag}", values, tags[tag])


def _include_losses(where: str, before: Section, after: Section) -> Iterator[str]:
    if not any(before.values()):
        return
    if not any(after.values()):
        yield f"{where} no longer narrows the scope"
        return
    for key in ("accounts", "organizational_units"):
        yield from _more(f"{where}.{key}", before.get(key) or (), after.get(key))
    tags = before.get("tags") or {}
    for tag, values in (after.get("tags") or {}).items():
        if tag not in tags or (tags[tag] and not values):
            yield f"{where}.tags includes every account with the tag {tag!r}"
        elif tags[tag]:
            yield from _more(f"{where}.tags.{tag}", tags[tag], values)


def _other_losses(before: Section, after: Section) -> Iterator[str]:
    if _value(after, "deletion.policy") == "propagate" != _value(before, "deletion.policy"):
        yield "deletion.policy: deletions need no approval any more"
    path = "notification_settings.failure_threshold"
    was, is_now = _value(before, path), _value(after, path)
    if isinstance(was, int) and isinstance(is_now, int) and is_now > was:
        yield f"{path}: a run turns red from {is_now} failures on, not from {was}"
    yield from _gone(_CHANNELS, _value(before, _CHANNELS), _value(after, _CHANNELS))
    if _value(before, _FALLBACK) and not _value(after, _FALLBACK):
        yield f"{_FALLBACK}: nobody gets the notices that the topic for notices does not accept"
    for path, what in _SWITCHES.items():
        if _value(before, path) is True and _value(after, path) is False:
            yield f"{path}: {what}"


_CHANNELS: Final = "notification_settings.user_notifications_config.delivery_channels"
_FALLBACK: Final = "notification_settings.fallback_sns_topic"
_SWITCHES: Final = {
    "notification_settings.notify_on_failure": "no notice is sent about failed runs",
    "notification_settings.notify_on_partial_failure": "no notice is sent about runs that failed in part",
    "breaker.enabled": "calls go on while Account Management fails for everyone",
    "rates.enabled": "calls no longer wait for AWS's quotas",
}


def _gone(field: str, before: Any, after: Any) -> Iterator[str]:  # noqa: ANN401 -- a list, or whatever was stored by hand
    lost = [entry for entry in _listed(before) if entry not in set(_listed(after))]
    if lost:
        yield f"{field} no longer names {_named(lost)}"


def _more(field: str, before: Any, after: Any) -> Iterator[str]:  # noqa: ANN401 -- as _gone
    new = [entry for entry in _listed(after) if entry not in set(_listed(before))]
    if new:
        yield f"{field} also names {_named(new)}"


def _listed(value: Any) -> list[str]:  # noqa: ANN401 -- as _gone
    return [str(entry) for entry in value] if isinstance(value, (list, tuple)) else []


def _named(entries: list[str]) -> str:
    more = f" and {len(entries) - MOST_NAMED} more" if len(entries) > MOST_NAMED else ""
    return f"{', '.join(entries[:MOST_NAMED])}{more}"


def _at(data: Section, path: str) -> Section:
    value = _value(data, path)
    return value if isinstance(value, Mapping) else {}


def _value(data: Any, path: str) -> Any:  # noqa: ANN401 -- any value
    for key in path.split("."):
        data = data.get(key) if isinstance(data, Mapping) else None
    return data
