"""Keys of contact fingerprints, and which of them are too weak."""

import re
from collections.abc import Iterator
from typing import Final

KEY_BYTES: Final = 32
"""The least length of a key: as long as SHA-256's output."""

HOW_TO_MAKE_A_KEY: Final = "make one with `openssl rand -base64 32`"

_LEAST_CHARACTERS: Final = 8
"""Different characters of a key; 32 random hexadecimal digits have fewer once in 30 million times."""

_LEAST_LEFT: Final = 20
"""Characters that are left of a key without well-known words, runs and repetitions."""

_LONGEST_PLAIN_RUN: Final = 3
"""Neighbours such as `abc`, `321` or `aaa` happen by chance, longer ones hardly."""

_WELL_KNOWN: Final = re.compile(
    "administrator|contactsync|development|fingerprint|placeholder|changethis|production|qwertyuiop|"
    "asdfghjkl|business|changeme|contacts|internal|passw0rd|password|security|account|airflow|battery|"
    "company|contact|correct|default|example|letmein|sandbox|secrets|staging|testing|welcome|zxcvbnm|"
    "amazon|change|dragon|master|monkey|please|qwerty|random|sample|secret|staple|string|admin|"
    "brown|dolor|dummy|guest|hello|horse|ipsum|jumps|local|lorem|quick|token|value|amet|demo|fake|"
    "from|hmac|lazy|over|pass|prod|root|test|that|this|todo|user|with|word|your|key|the"
)


def key_problem(key: str) -> str | None:
    """Return why a key is too weak to protect contacts, as the end of a sentence; None for a good one.

    Whoever reads the state table could otherwise find the key by trying, and then telephone numbers and names.
    """
    text = key.strip()
    length = len(text.encode(errors="surrogateescape"))
    if length < KEY_BYTES:
        return f"is {length} bytes long and must have at least {KEY_BYTES}; {HOW_TO_MAKE_A_KEY}"
    if len(set(text)) < _LEAST_CHARACTERS or len(_unguessable(text)) < _LEAST_LEFT:
        return f"is easy to guess: it is made of words, runs or repetitions; {HOW_TO_MAKE_A_KEY}"
    return None


def _unguessable(text: str) -> str:
    """Return what is left of a key without well-known words, runs of neighbours, and what it repeats."""
    rest = _WELL_KNOWN.sub("", text.lower())
    return "".join(_not_repeated("".join(_without_runs(rest))))


def _without_runs(text: str) -> Iterator[str]:
    """Yield the characters beside runs such as `12345`, `edcba` and `.....`."""
    start = 0
    while start < len(text):
        end = max(_run_end(text, start, step) for step in (-1, 0, 1))
        if end - start <= _LONGEST_PLAIN_RUN:
            end = start + 1
            yield text[start]
        start = end


def _run_end(text: str, start: int, step: int) -> int:
    end = start + 1
    while end < len(text) and ord(text[end]) - ord(text[end - 1]) == step:
        end += 1
    return end


def _not_repeated(text: str) -> Iterator[str]:
    """Yield the characters that do not complete three that have been there before."""
    seen: set[str] = set()
    for end in range(len(text)):
        part = text[max(end - 2, 0) : end + 1]
        if part not in seen:
            yield text[end]
        seen.add(part)
