"""Passwords, keys and tokens out of everything that is printed.

Masking errs towards hiding too much: a URL is cut from the first colon of its user part to its last ``@``, because
people write passwords with unescaped ``/`` and ``@`` in them.
"""

import re
from collections.abc import Mapping

MASK = "********"

_WORDS = r"passw|passphrase|(?<![^\W_])pass(?![^\W_])|secret|token|credential|key|authori[sz]ation|cookie"
_SECRET = re.compile(_WORDS, re.IGNORECASE)
_HARMLESS = re.compile(r"routing_?key|key_?prefix|keyspace", re.IGNORECASE)
_NEXT_URL = r"[;,]\s*[a-z][\w.+-]*://"
_USER_PART = re.compile(rf"(://[^/\s:@?]*:)(?:(?!{_NEXT_URL}).)*@", re.IGNORECASE | re.DOTALL)
_BARE_USER_PART = re.compile(r"^([^/\s:@?]+:)[^/].*@", re.DOTALL)
_PAIR = re.compile(rf"""([\w-]*(?:{_WORDS})[\w-]*)(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&;,'"}})\]]+)""", re.IGNORECASE)


def is_secret_name(name: object) -> bool:
    """Whether a value of that name is hidden: a password, secret, token, credential, key, cookie; not a routing key."""
    return isinstance(name, str) and _SECRET.search(_HARMLESS.sub("", name)) is not None


def _mask_pair(match: re.Match[str]) -> str:
    name, middle, _ = match.groups()
    return f"{name}{middle}{MASK}" if is_secret_name(name) else match[0]


def mask_text(text: str, *, secret: bool = False) -> str:
    """The text without the password of any URL in it, and without secret ``name=value`` pairs of a URL.

    ``secret`` marks text that ought to be a URL: then a missing scheme hides no less, and pairs are always looked at.
    """
    if "://" not in text and not secret:
        return text
    masked = _USER_PART.sub(rf"\1{MASK}@", text)
    if secret:
        masked = _BARE_USER_PART.sub(rf"\1{MASK}@", masked)
    return _PAIR.sub(_mask_pair, masked)


def masked(value: object, name: object = "", *, secret: bool = False) -> object:
    """A copy of the value that may be printed; containers keep their shape, unknown objects become their repr."""
    if value is None or isinstance(value, (bool, int, float)):
        return MASK if is_secret_name(name) and not isinstance(value, bool) and value is not None else value
    if is_secret_name(name):
        return MASK if value else value
    if isinstance(value, str):
        return mask_text(value, secret=secret)
    if isinstance(value, Mapping):
        return {key: masked(item, key, secret=secret) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [masked(item, secret=secret) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return mask_text(repr(value), secret=True)
