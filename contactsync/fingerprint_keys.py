"""Keys of contact fingerprints, and which of them are too weak."""

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Final

KEY_BYTES: Final = 32
"""Bytes of a key at least: as many as SHA-256 returns."""

HOW_TO_MAKE_A_KEY: Final = "make one with `openssl rand -base64 32`"

_LEAST_CHARACTERS: Final = 8
"""Different characters that a key has at least; 32 random hexadecimal digits have fewer once in 30 million times."""

_LEAST_LEFT: Final = 16
"""Characters that must remain of a key without well-known words, runs and repetitions."""

_LONGEST_PLAIN_RUN: Final = 3
"""Neighbours such as `abc`, `321` or `aaa` occur by chance; longer ones hardly do."""

_STEPS: Final = (-2, -1, 0, 1, 2)
"""Distances between neighbours in a run: `97531` and `aceg` are runs too."""

_ENCODINGS_DEEP: Final = 2
"""Number of encodings inside each other that are decoded; a random key stays random in two of them."""

_WORDS: Final = (
    *("administrator", "contactsync", "development", "fingerprint", "placeholder", "changethis", "production"),
    *("qwertyuiop", "asdfghjkl", "business", "changeme", "contacts", "internal", "passw0rd", "password"),
    *("security", "account", "airflow", "battery", "company", "contact", "correct", "default", "example"),
    *("letmein", "sandbox", "secrets", "staging", "testing", "welcome", "zxcvbnm", "amazon", "change"),
    *("dragon", "master", "monkey", "please", "qwerty", "random", "sample", "secret", "staple", "string"),
    *("admin", "brown", "dolor", "dummy", "guest", "hello", "horse", "ipsum", "jumps", "local", "lorem"),
    *("quick", "token", "value", "amet", "demo", "fake", "from", "hmac", "lazy", "over", "pass", "prod"),
    *("root", "test", "that", "this", "todo", "user", "with", "word", "your", "key", "the"),
)
_WELL_KNOWN: Final = re.compile("|".join((*_WORDS, r"\d{4}-\d\d-\d\d", r"\d\d:\d\d:\d\d")))

_NO_KEY: Final = re.compile(
    r"example|placeholder|changeme|\$\{\w{4,}\}|\{\{[ -z]{4,}\}\}|\A<.*>\Z|arn:aws|https?://|@[a-z0-9-]+\.",
    re.IGNORECASE,
)
"""Texts of documentation, of templates that nobody filled in, and names of things that others know."""

_PUBLISHED: Final = frozenset({"123e4567-e89b-12d3-a456-426614174000", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"})
"""Identifiers that documentation uses."""

_LEAST_DATA: Final = 16
"""Bytes that an encoded key has at least."""

_ONE_BASE64: Final = str.maketrans("-_", "+/")

_SEPARATOR: Final = re.compile(r"[\s_.,:;/'-]+")
_MARK: Final = re.compile(r"[\W_]+")
_CAPITALIZED: Final = re.compile("[A-Z]?[a-z]{2,}(?:[A-Z][a-z]+)*")
_YEAR: Final = 4
"""Digits that may follow a sentence; of 32 random characters one in 10,000 has none before, or fewer."""

_LEET: Final = str.maketrans("013457@$!", "oieastasi")
_LEET_L: Final = str.maketrans("013457@$!", "oleastasi")
_UNSHIFTED: Final = str.maketrans('!@#$%^&*()_+{}:"<>?', "1234567890-=[];',./")
"""Digits and marks in place of letters, and the keys of a keyboard without Shift."""

_KEY_ROWS: Final = (
    *("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "qwertzuiop", "yxcvbnm"),
    *("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik,", "9ol.", "0p;/"),
    *("4esz", "5rdx", "6tfc", "7ygv", "8uhb", "9ijn", "0okm"),
)
_KEY_NEIGHBOURS: Final = frozenset(
    pair for row in _KEY_ROWS for one, other in pairwise(row) for pair in ((one, other), (other, one))
)


def key_problem(key: str) -> str | None:
    """Return why a key is too weak to protect contacts, as the end of a sentence; None for a good one.

    With a weak key, a reader of the state table could find the key by trying, and then telephone numbers and names.
    """
    text = key.strip()
    length = len(text.encode(errors="surrogateescape"))
    if length < KEY_BYTES:
        return f"is {length} bytes long and must have at least {KEY_BYTES}; {HOW_TO_MAKE_A_KEY}"
    if _is_guessable(text, _LEAST_LEFT, _ENCODINGS_DEEP):
        return f"is easy to guess: it is made of words, sequences or repetitions; {HOW_TO_MAKE_A_KEY}"
    return None


def _is_guessable(text: str, least: int, depth: int) -> bool:
    """Return whether a text, decoded in any usual way, has fewer than `least` characters that cannot be guessed."""
    if len(set(text)) < _LEAST_CHARACTERS or text.lower() in _PUBLISHED or _is_written(text):
        return True
    # Of keys of random bytes, one in some thousands contains something like an address; of text keys none does.
    is_text = depth == _ENCODINGS_DEEP or text.isascii()
    if is_text and _NO_KEY.search(text):
        return True
    if any(len(_unguessable(reading)) < least for reading in _readings(text)):
        return True
    return depth > 0 and any(_is_guessable_data(data, depth - 1) for data in _decoded(text))


def _is_guessable_data(data: bytes, depth: int) -> bool:
    """Return the same for bytes that a key encodes in hexadecimal or Base64: a text, or a digest of a word."""
    made = (getattr(hashlib, name) for name in ("md5", "sha1", "sha256", "sha512"))
    if any(make(word.encode(), usedforsecurity=False).digest() == data for make in made for word in ("", *_WORDS)):
        return True
    return _is_guessable(data.decode("latin-1"), len(data) // 2, depth)


def _is_written(text: str) -> bool:
    """Return whether a text is a sentence, a name or a number, in any language, possibly followed by a year."""
    rest = _MARK.sub("", text)
    letters = rest.rstrip("0123456789")
    if not text.isprintable() or len(rest) < len(text) / 2:
        return False
    if not letters:
        return True
    if not letters.isalpha() or len(rest) - len(letters) > _YEAR:
        return False
    return letters.islower() or letters.isupper() or _CAPITALIZED.fullmatch(letters) is not None


def _readings(text: str) -> Iterator[str]:
    """Yield the ways in which a person who tries keys would read this one."""
    for form in (text, _SEPARATOR.sub("", text), text[::2] + text[1::2], text[::-1]):
        lower = form.lower()
        yield from (lower, lower.translate(_LEET), lower.translate(_LEET_L), lower.translate(_UNSHIFTED))


def _decoded(text: str) -> Iterator[bytes]:
    """Yield the bytes that a text holds in hexadecimal or in either form of Base64, if they are enough for a key."""
    bare = text.rstrip("=").translate(_ONE_BASE64)
    padded = bare + "=" * (-len(bare) % 4)
    for decode in (partial(bytes.fromhex, text), partial(base64.b64decode, padded, validate=True)):
        with suppress(ValueError):
            if len(data := decode()) >= _LEAST_DATA:
                yield data


def _unguessable(text: str) -> str:
    """Return what remains of a key without well-known words, runs of neighbours, and repetitions."""
    rest = _WELL_KNOWN.sub("", text)
    return "".join(_not_repeated("".join(_without_runs(rest))))


def _without_runs(text: str) -> Iterator[str]:
    """Yield the characters outside of runs such as `12345`, `edcba`, `.....` and `asdf`."""
    start = 0
    while start < len(text):
        end = max(_keys_end(text, start), *(_run_end(text, start, step) for step in _STEPS))
        if end - start <= _LONGEST_PLAIN_RUN:
            end = start + 1
            yield text[start]
        start = end


def _run_end(text: str, start: int, step: int) -> int:
    end = start + 1
    while end < len(text) and ord(text[end]) - ord(text[end - 1]) == step:
        end += 1
    return end


def _keys_end(text: str, start: int) -> int:
    end = start + 1
    while end < len(text) and (text[end - 1], text[end]) in _KEY_NEIGHBOURS:
        end += 1
    return end


def _not_repeated(text: str) -> Iterator[str]:
    """Yield the characters that do not complete a group of three that occurred before."""
    seen: set[str] = set()
    for end in range(len(text)):
        part = text[max(end - 2, 0) : end + 1]
        if part not in seen:
            yield text[end]
        seen.add(part)
