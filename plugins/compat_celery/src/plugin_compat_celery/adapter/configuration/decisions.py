"""What becomes of one setting of Celery, and of all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias


class Verdict(StrEnum):
    """What becomes of a setting that somebody gave."""

    TAKEN = "taken"
    """The kernel has the setting, under the same name and with the same meaning."""
    TRANSLATED = "translated"
    """Other settings say the same, or the kernel always does what it asks for."""
    UNSUPPORTED = "not supported"
    """It has no effect; the note says what to do instead."""
    UNKNOWN = "unknown"
    """No setting of Celery's: kept for the application, which may read it from ``app.conf``."""


class Ruling(NamedTuple):
    """What a rule says of one value."""

    verdict: Verdict
    note: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the report.

    Attributes:
        name: the setting, by its name of today; an option in it stands behind a dot.
        given: the name it was given by.
        value: as given; not masked.
        verdict: what becomes of it.
        note: how, or why not and what to do.
    """

    name: str
    given: str
    value: object = field(repr=False)
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True, slots=True)
class Translation:
    """A whole configuration, translated.

    Attributes:
        settings: of the kernel, by name.
        decisions: one for each setting given, in the order they were given; options of mappings follow theirs.
    """

    settings: Mapping[str, Any] = field(repr=False)
    decisions: tuple[Decision, ...]

    @property
    def unsupported(self) -> tuple[Decision, ...]:
        """Those without an effect."""
        return tuple(each for each in self.decisions if each.verdict is Verdict.UNSUPPORTED)


@dataclass(slots=True)
class Draft:
    """A translation while it is made.

    Attributes:
        given: every setting of Celery, by its name of today.
        settings: what was decided so far.
        parts: what was decided of options inside mappings: setting → option → ruling.
        backends: names of result backends that are classes written for Celery: the class, or where it is.
    """

    given: Mapping[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, dict[str, Ruling]] = field(default_factory=dict)
    backends: Mapping[str, Any] = field(default_factory=dict)

    def option(self, setting: str, name: str, value: object) -> None:
        """Set one option of a mapping."""
        self.settings[setting] = {**self.settings.get(setting, {}), name: value}


Rule: TypeAlias = Callable[[Draft, str, Any], Ruling]
"""Decides about one value: writes what it means to ``draft.settings`` and says what it did."""


def taken(note: str = "") -> Ruling:
    """The setting goes over as it is."""
    return Ruling(Verdict.TAKEN, note)


def translated(note: str) -> Ruling:
    """Something else says the same."""
    return Ruling(Verdict.TRANSLATED, note)


def unsupported(note: str) -> Ruling:
    """It has no effect."""
    return Ruling(Verdict.UNSUPPORTED, note)


def whole(verdicts: Mapping[str, Ruling], note: str = "") -> Ruling:
    """The ruling about a mapping from those about its options: the worst of them."""
    order = (Verdict.UNSUPPORTED, Verdict.TRANSLATED)
    worst = next((each for each in order if any(ruling.verdict is each for ruling in verdicts.values())), Verdict.TAKEN)
    if worst is Verdict.UNSUPPORTED:
        names = ", ".join(name for name, ruling in verdicts.items() if ruling.verdict is worst)
        note = f"Without an effect in it: {names}."
    return Ruling(worst, note)
