"""``celery.utils.text``: texts for people."""

from pprint import pformat
from typing import Any

from plugin_compat_celery.adapter.absent import missing


def str_to_list(s: Any) -> Any:
    """The parts of a text between commas; anything else is returned as it is."""
    return s.split(",") if isinstance(s, str) else s


def dedent(s: str, sep: str = "\n") -> str:
    """A text without the four spaces its lines begin with."""
    return sep.join(line.removeprefix("    ") for line in s.splitlines())


def indent(t: str, indent: int = 0, sep: str = "\n") -> str:
    """A text with so many spaces before each line."""
    return sep.join(" " * indent + line for line in t.split(sep))


def join(l: list[str], sep: str = "\n") -> str:  # noqa: E741 - the documented name
    """What is not empty, joined."""
    return sep.join(part for part in l if part)


def truncate(s: str, maxlen: int = 128, suffix: str = "...") -> str:
    """A text of so many characters at most, and a suffix where it was cut."""
    if maxlen and len(s) >= maxlen:
        return s[:maxlen].rsplit(" ", 1)[0] + suffix
    return s


def abbr(S: str, max: int, ellipsis: str | bool = "...") -> str:  # noqa: N803, A002 - the documented names
    """A text of at most ``max`` characters, the ellipsis included."""
    if not S or len(S) <= max:
        return S or ("" if S == "" else "???")
    return f"{S[: max - len(ellipsis)]}{ellipsis}" if isinstance(ellipsis, str) and ellipsis else S[:max]


def abbrtask(S: str, max: int) -> str:  # noqa: N803, A002 - the documented names
    """The name of a task in at most about ``max`` characters, its last part whole."""
    if len(S) <= max:
        return S
    module, _, name = S.rpartition(".")
    return f"{abbr(module, max - len(name) - 3, False)}[.]{name}"


def pluralize(n: float, text: str, suffix: str = "s") -> str:
    """A word with its suffix, unless there is one of it."""
    return text if n == 1 else text + suffix


def pretty(value: Any, width: int = 80, nl_width: int = 80, sep: str = "\n", **kw: Any) -> str:
    """A value over several lines."""
    del nl_width, sep
    return pformat(value, width=width, **kw)


__getattr__ = missing(__name__)

__all__ = [
    "abbr",
    "abbrtask",
    "dedent",
    "indent",
    "join",
    "pluralize",
    "pretty",
    "str_to_list",
    "truncate",
]
