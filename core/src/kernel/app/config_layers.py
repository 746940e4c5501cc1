"""What one source says of settings, and which of several sources counts."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from kernel.app.setting_names import unknown_setting
from kernel.app.setting_table import SETTINGS, Setting
from kernel.app.setting_types import FrozenDict, coerce
from kernel.errors.setup import ImproperlyConfigured


class Given(NamedTuple):
    """What one source says of one setting.

    Attributes:
        value: checked and converted; with ``partial`` a mapping of single keys, checked once they are merged.
        origin: where it stands, for people: ``environment KERNEL_BROKER_URL``.
        partial: the keys replace those of the next weaker source instead of the whole value.
    """

    value: Any
    origin: str
    partial: bool = False


Layer: TypeAlias = dict[str, Given]
"""What one source says, by setting name."""


def given(name: str, value: object, origin: str) -> Given:
    """Check one value of one source.

    Raises:
        UnknownSetting: no such setting.
        ImproperlyConfigured: not of its type.
    """
    setting = SETTINGS.get(name)
    if setting is None:
        raise unknown_setting(name, origin)
    return Given(coerce(setting, value, origin), origin)


def effective(setting: Setting, layers: Iterable[Layer]) -> Given:
    """The value that counts, layers strongest first; single keys of a mapping lie over the next weaker value."""
    default = Given(coerce(setting, setting.default, "default"), "default")
    said = [layer[setting.name] for layer in layers if setting.name in layer] + [default]
    found = said[0]
    if not found.partial:
        return found
    for weaker in said[1:]:
        found = merged(found, weaker)
        if not found.partial:
            break
    return Given(coerce(setting, found.value, found.origin), found.origin)


def merged(part: Given, whole: Given | None) -> Given:
    """Single keys over the value of a weaker source; still partial when there is none, or when that one is."""
    if whole is None:
        return part
    below = {} if whole.value is None else whole.value
    if not isinstance(below, Mapping) or not isinstance(part.value, Mapping):
        raise ImproperlyConfigured(
            f"{part.origin} gives one key, but the value it belongs to ({whole.origin}) is no mapping.",
            cure="Give the whole value in one place.",
        )
    return Given(FrozenDict({**below, **part.value}), part.origin, whole.partial)
