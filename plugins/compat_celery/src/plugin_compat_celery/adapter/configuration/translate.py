"""From settings of Celery to settings of the kernel: a value in, decisions out; nothing is read or opened."""

from collections.abc import Iterator, Mapping
from typing import Any

from kernel.app.setting_table import SETTINGS
from kernel.errors.near import did_you_mean
from plugin_compat_celery.adapter.configuration import backend, broker, work
from plugin_compat_celery.adapter.configuration.decisions import (
    Decision,
    Draft,
    Rule,
    Ruling,
    Translation,
    Verdict,
    translated,
)
from plugin_compat_celery.adapter.configuration.defaults import ALL, BESIDE, DEFAULTS
from plugin_compat_celery.adapter.configuration.names import modern
from plugin_compat_celery.adapter.configuration.rules import mapping_of, otherwise, same

ROWS: Mapping[str, Rule] = {
    name: (
        broker.RULES.get(name)
        or backend.RULES.get(name)
        or work.RULES.get(name)
        or backend.of_family(name)
        or otherwise(name)
    )
    for name in ALL
}
"""What becomes of every setting of Celery: one rule each."""
_DEFAULT = "Celery's default; nothing to do."


def translate(
    given: Mapping[str, Any],
    backends: Mapping[str, Any] | None = None,
    spelled: Mapping[str, str] | None = None,
) -> Translation:
    """Decide about every setting of a configuration.

    Args:
        given: names of either spelling, or of the kernel's own settings, and values; the spelling is not checked for
            mixtures (:func:`plugin_compat_celery.adapter.configuration.names.check_unmixed` is for one source).
        backends: result backends written for Celery that are installed: where the class is, by name.
        spelled: names of today → names they were given by, where ``given`` does not tell.
    """
    names = {modern(name): name for name in given}
    values = {today: given[name] for today, name in names.items()}
    names |= spelled or {}
    draft = Draft(
        values, backends={**(backends or {}), **mapping_of("override_backends", values.get("override_backends"))}
    )
    decisions = [each for name, value in values.items() for each in _decided(draft, name, names[name], value)]
    return Translation(draft.settings, tuple(decisions))


def _decided(draft: Draft, name: str, given: str, value: Any) -> Iterator[Decision]:
    ruling = _ruling(draft, name, value)
    yield Decision(name, given, value, ruling.verdict, ruling.note)
    for key, part in draft.parts.get(name, {}).items():
        item = value.get(key) if isinstance(value, Mapping) else None
        yield Decision(f"{name}.{key}", f"{given}.{key}", item, part.verdict, part.note)


def _ruling(draft: Draft, name: str, value: Any) -> Ruling:
    rule = ROWS.get(name)
    if rule is None:
        return _foreign(draft, name, value)
    found = rule(draft, name, value)
    if found.verdict is Verdict.UNSUPPORTED and _is_default(name, value):
        return translated(_DEFAULT)
    return found


def _foreign(draft: Draft, name: str, value: Any) -> Ruling:
    """A name that is none of Celery's: the kernel's own, or the application's."""
    if name in SETTINGS:
        return same(draft, name, value)
    near = did_you_mean(name, ALL)
    return Ruling(Verdict.UNKNOWN, f"Kept for the application, in app.conf. {near}".rstrip())


def _is_default(name: str, value: Any) -> bool:
    return bool(value is None if name in BESIDE else value == DEFAULTS[name])
