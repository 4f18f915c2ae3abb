"""Fingerprints: HMACs by which contacts of one type are compared without keeping their values."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from contactsync.contacts import Contact, ContactType, comparable

CONTACT_BITS: Final = 64
"""Bits of a contact's fingerprint; one in 1.8e19 pairs of different contacts has the same one."""

FIELD_BITS: Final = 40
"""Bits of a field's fingerprint; a dry run of 10,000 accounts wrongly finds a field equal once in 5 million runs."""

_EARLIER_LENGTH: Final = 64
"""Hexadecimal digits of the earlier form: a whole SHA-256, without the contact type in it."""


def fingerprint(contact_type: ContactType, contact: Contact | None, key: bytes) -> str:
    """Return a text that is equal exactly for equal contacts of one type; without the key it says nothing."""
    return _hmac([contact_type, contact.values() if contact else None], key, CONTACT_BITS)


def is_fingerprint_of(stored: str, contact_type: ContactType, contact: Contact | None, keys: Iterable[bytes]) -> bool:
    """Return whether a stored fingerprint is this contact's, with one of the keys, in today's or the earlier form."""
    make = _earlier_fingerprint if len(stored) == _EARLIER_LENGTH else fingerprint
    return any(hmac.compare_digest(stored.encode(), make(contact_type, contact, key).encode()) for key in keys)


def field_fingerprints(contact_type: ContactType, contact: Contact | None, key: bytes) -> dict[str, str]:
    """Return a fingerprint per field that is set, so that a dry run can name fields without storing their values.

    Telephone numbers with the same digits have the same fingerprint.
    """
    values = comparable(contact.values()) if contact else {}
    return {name: _hmac([contact_type, name, value], key, FIELD_BITS) for name, value in values.items()}


def changed_fingerprints(
    desired: Mapping[str, str], contact_type: ContactType, observed: Contact | None, keys: Iterable[bytes]
) -> tuple[str, ...]:
    """Return the fields of a contact that differ from the given fingerprints: `changed_fields` without values.

    The fingerprints were made with one of the keys.
    """
    is_earlier = any(len(stored) == _EARLIER_LENGTH for stored in desired.values())
    make = _earlier_fields if is_earlier else field_fingerprints
    observed_by_key = [make(contact_type, observed, key) for key in keys]
    names = desired.keys() | {name for by_key in observed_by_key for name in by_key}
    return tuple(sorted(n for n in names if all(desired.get(n) != by_key.get(n) for by_key in observed_by_key)))


def _hmac(parts: list[Any], key: bytes, bits: int) -> str:
    text = json.dumps(parts, sort_keys=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[: bits // 4]


def _earlier_fingerprint(_: ContactType, contact: Contact | None, key: bytes) -> str:
    text = json.dumps(contact.values() if contact else None, sort_keys=True, ensure_ascii=False)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _earlier_fields(_: ContactType, contact: Contact | None, key: bytes) -> dict[str, str]:
    values = contact.values() if contact else {}
    return {
        name: hmac.new(key, f"{name}={value}".encode(), hashlib.sha256).hexdigest() for name, value in values.items()
    }
