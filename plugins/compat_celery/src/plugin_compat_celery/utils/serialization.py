"""``celery.utils.serialization``: what else is to do with values that travel."""

import base64

from plugin_compat_celery.adapter.absent import missing

_WORDS = {
    **dict.fromkeys(("false", "no", "0", "off"), False),
    **dict.fromkeys(("true", "yes", "1", "on"), True),
}


def strtobool(term: str | bool, table: dict[str, bool] | None = None) -> bool:
    """The truth value of a word such as ``yes``; a truth value is returned as it is.

    Raises:
        TypeError: for a word that is neither.
    """
    if not isinstance(term, str):
        return term
    try:
        return (table or _WORDS)[term.lower()]
    except KeyError:
        raise TypeError(f"Cannot coerce {term!r} to type bool: use one of {', '.join(table or _WORDS)}") from None


def b64encode(s: str | bytes) -> str:
    """Text for bytes."""
    return base64.b64encode(s.encode() if isinstance(s, str) else s).decode()


def b64decode(s: str | bytes) -> bytes:
    """And back."""
    return base64.b64decode(s)


__getattr__ = missing(__name__)

__all__ = ["b64decode", "b64encode", "strtobool"]
