"""Values of settings: checked against their declared type, and converted where that loses nothing.

Python values are taken strictly (``"4"`` is no number); text of the environment is read by ``setting_text``.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import NoneType
from typing import Any, Never, get_args

from kernel.app.setting_checks import problem_of
from kernel.app.setting_table import Setting
from kernel.errors.setup import ImproperlyConfigured
from kernel.model.masking import mask_text, masked
from kernel.model.options import RetryPolicy

_MISS = object()
_LONGEST_SHOWN = 80


class FrozenDict(dict[str, Any]):
    """A mapping in an effective setting. Changing it in place would be lost at the next change, so it is an error."""

    def _refuse(self, *_: object, **__: object) -> Never:
        raise TypeError("settings are not changed in place: assign a new mapping, app.conf.<name> = {**old, ...}")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        # A dict subclass is otherwise rebuilt item by item, which is refused.
        return FrozenDict, (dict(self),)


def frozen(value: object) -> object:
    """The value with every mapping in it, at any depth of mappings, made unchangeable."""
    if isinstance(value, Mapping):
        return FrozenDict({key: frozen(item) for key, item in value.items()})
    return value


def thawed(value: Any) -> Any:
    """The opposite of :func:`frozen`, for what leaves the settings: ordinary mappings, which any serializer takes."""
    if isinstance(value, FrozenDict) or type(value) is dict:
        return {key: thawed(item) for key, item in value.items()}
    return value


def coerce(setting: Setting, value: object, origin: str) -> object:
    """The value as :class:`Config` declares it.

    Raises:
        ImproperlyConfigured: it is not of the declared type, or not among the values allowed; says the setting, the
            value with secrets masked, what is expected and where it came from.
    """
    for member, kind in zip(setting.members, setting.kinds, strict=True):
        converted = _CONVERTERS[kind](value, member, setting)
        if converted is not _MISS:
            problem = problem_of(setting, converted)
            if problem:
                raise _rejected(setting, value, origin, problem)
            return converted
    raise _rejected(setting, value, origin, f"must be {setting.expected}")


def _plain(*accepted: type) -> Callable[[Any, Any, Setting], object]:
    def convert(value: Any, _member: Any, _setting: Setting) -> object:
        fits = isinstance(value, accepted) and not (isinstance(value, bool) and bool not in accepted)
        return value if fits else _MISS

    return convert


def _to_float(value: Any, _member: Any, _setting: Setting) -> object:
    return _MISS if isinstance(value, bool) or not isinstance(value, (int, float)) else float(value)


def _to_seconds(value: Any, _member: Any, _setting: Setting) -> object:
    return value.total_seconds() if isinstance(value, timedelta) else _MISS


def _to_tuple(value: Any, member: Any, _setting: Setting) -> object:
    if not isinstance(value, (list, tuple, set, frozenset)):
        return _MISS
    if get_args(member)[0] is Any:
        return tuple(value)
    if not all(isinstance(item, str) for item in value):
        return _MISS
    return tuple(sorted(value)) if isinstance(value, (set, frozenset)) else tuple(value)


def _to_mapping(value: Any, _member: Any, _setting: Setting) -> object:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return frozen(value)
    return _MISS


def _to_policy(value: Any, _member: Any, setting: Setting) -> object:
    """A partial policy keeps the default of what it does not name."""
    if not isinstance(value, Mapping) or not isinstance(setting.default, Mapping):
        return _MISS
    return frozen({**setting.default, **value})


_CONVERTERS: Mapping[Any, Callable[[Any, Any, Setting], object]] = {
    Any: lambda value, _member, _setting: value,
    NoneType: _plain(NoneType),
    bool: _plain(bool),
    int: _plain(int),
    float: _to_float,
    str: _plain(str),
    timedelta: _to_seconds,
    tuple: _to_tuple,
    Mapping: _to_mapping,
    RetryPolicy: _to_policy,
}


def _rejected(setting: Setting, value: object, origin: str, problem: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{setting.name} = {_shown(setting, value)} ({origin}) {problem}{'' if problem.endswith('?') else '.'}"
    )


def _shown(setting: Setting, value: object) -> str:
    """The value for an error message, or only its type where it may be a secret that masking cannot find."""
    opaque = isinstance(value, (str, bytes)) and setting.is_structured
    if opaque or (setting.secret and not isinstance(value, (bool, int, float))):
        return f"a value of type {type(value).__name__}"
    safe = masked(value, setting.name)
    text = safe if isinstance(safe, str) and not isinstance(value, str) else mask_text(repr(safe))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
