"""Rules that many settings share."""

from collections.abc import Container, Mapping
from typing import Any

from kernel.app.celery_names import CELERY_ONLY
from kernel.app.setting_table import SETTINGS
from kernel.errors import ImproperlyConfigured
from plugin_compat_celery.adapter.configuration.decisions import Draft, Rule, Ruling, taken, translated, unsupported


def same(draft: Draft, name: str, value: Any) -> Ruling:
    """The kernel has the setting: the value goes over, spelled as the kernel wants it."""
    draft.settings[name] = spelled(name, value)
    return taken()


def spelled(name: str, value: Any) -> Any:
    """A value that Celery takes, as the type that the kernel declares: a word for a list of one, 1 for True."""
    kinds = SETTINGS[name].kinds
    if isinstance(value, str) and tuple in kinds and str not in kinds:
        return (value,)
    if bool in kinds and int not in kinds and isinstance(value, int) and value in (0, 1):
        return bool(value)
    return value


def mapping_of(name: str, value: Any) -> Mapping[str, Any]:
    """A setting whose value is a mapping; None is an empty one.

    Raises:
        ImproperlyConfigured: for anything else.
    """
    if value is not None and not isinstance(value, Mapping):
        raise ImproperlyConfigured(
            f"{name} must be a mapping, not {type(value).__name__}.", cure="Write {name: value}."
        )
    return value or {}


def otherwise(name: str) -> Rule:
    """The rule of a setting without one of its own: taken if the kernel has it, else refused, with advice."""
    return same if name in SETTINGS else refused(CELERY_ONLY.get(name, "This version has no such setting: remove it."))


def refused(note: str) -> Rule:
    """No effect, whatever the value is."""

    def rule(_draft: Draft, _name: str, _value: Any) -> Ruling:
        return unsupported(note)

    return rule


def built_in(note: str) -> Rule:
    """The kernel does what any value of it asks for, or its purpose does not arise."""

    def rule(_draft: Draft, _name: str, _value: Any) -> Ruling:
        return translated(note)

    return rule


def built_in_for(values: Container[object], note: str, otherwise: str) -> Rule:
    """The same for some values; others have no effect."""

    def rule(_draft: Draft, _name: str, value: Any) -> Ruling:
        return translated(note) if _hashable(value) in values else unsupported(otherwise)

    return rule


def _hashable(value: object) -> object:
    return value if value.__hash__ is not None else repr(value)


def zero_is_none(draft: Draft, name: str, value: Any) -> Ruling:
    """0 stands for no limit there, None here."""
    if value == 0 and not isinstance(value, bool):
        draft.settings[name] = None
        return translated("0 is written as None: no limit.")
    return same(draft, name, value)


def number_of_text(draft: Draft, name: str, value: Any) -> Ruling:
    """A number that was left as text, as out of an environment variable."""
    if isinstance(value, str) and value.isdecimal():
        draft.settings[name] = int(value)
        return translated("Text is read as the number that it is.")
    return same(draft, name, value)
