"""Settings from text: read by the type that is declared.

``true``/``1``/``yes``/``on``, numbers, JSON for mappings, JSON or commas for lists, ``none`` or nothing for None
where that is allowed.
"""

import json
from collections.abc import Mapping
from types import NoneType
from typing import Any

from kernel.app.setting_table import Setting
from kernel.errors.setup import ImproperlyConfigured

_MISS = object()
_BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def parse(setting: Setting, text: str, origin: str) -> object:
    """The value that text of the environment stands for, not yet checked (see :func:`coerce`).

    Raises:
        ImproperlyConfigured: the text starts like JSON and is none; the text itself is not shown.
    """
    kinds = setting.kinds
    word = text.strip()
    if NoneType in kinds and word.lower() in ("", "none", "null"):
        return None
    if bool in kinds and word.lower() in _BOOLEANS:
        return _BOOLEANS[word.lower()]
    number = _number(word, kinds)
    if number is not _MISS:
        return number
    if setting.is_structured and word.startswith(("[", "{")):
        return _json(setting, word, origin)
    if tuple in kinds and str not in kinds:
        return tuple(part.strip() for part in word.split(",") if part.strip())
    return text


def parse_item(text: str) -> object:
    """One key of a mapping from the environment: JSON where the text is JSON, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(word: str, kinds: tuple[Any, ...]) -> object:
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(word)
            except ValueError:
                continue
    return _MISS


def _json(setting: Setting, word: str, origin: str) -> object:
    try:
        return json.loads(word)
    except ValueError as error:
        # Only json's message and position: the text may hold a password.
        raise ImproperlyConfigured(
            f"{setting.name} ({origin}) is not JSON: {error}.", cure=f"Write {setting.expected} as JSON."
        ) from None
