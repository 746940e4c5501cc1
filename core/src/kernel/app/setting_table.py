"""The settings table of ``kernel.model.config`` as rows that can be looked up by name."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from kernel.model.config import Config
from kernel.model.options import RetryPolicy

_WORDS: Mapping[object, str] = {
    NoneType: "None",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    tuple: "a list of texts",
    Mapping: "a mapping",
    RetryPolicy: "a mapping",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: what :class:`Config` declares about one setting.

    Attributes:
        members: the types the value may have; a plain type is a single member.
        default: the value when no source names the setting.
        doc: one line; times are seconds.
        secret: may hold a password, so errors never show an ill-typed value of it.
        choices: a value of the same type as a choice must be one of them.
        minimum: the least number allowed.
    """

    name: str
    members: tuple[Any, ...]
    default: object
    doc: str
    secret: bool
    choices: tuple[Any, ...]
    minimum: int

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The members without what stands in their brackets: ``tuple[str, ...]`` is ``tuple``."""
        return tuple(get_origin(member) or member for member in self.members)

    @property
    def is_structured(self) -> bool:
        """Whether the environment writes the value as JSON, such as a mapping or a list."""
        return any(kind in (tuple, Mapping, RetryPolicy, Any) for kind in self.kinds)

    @property
    def is_mapping(self) -> bool:
        """Whether single keys of the value may be set (``KERNEL_<NAME>__<KEY>``)."""
        return any(kind in (Mapping, RetryPolicy, Any) for kind in self.kinds)

    @property
    def expected(self) -> str:
        """What is accepted, in words: ``a whole number, 'auto' or None``."""
        words: dict[str, None] = {}
        for kind in self.kinds:
            allowed = [repr(choice) for choice in self.choices if type(choice) is kind]
            words.update(dict.fromkeys(allowed or [_WORDS.get(kind, getattr(kind, "__name__", "any value"))]))
        *first, last = words
        return f"{', '.join(first)} or {last}" if first else last


def _row(field: Field[Any]) -> Setting:
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    members = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
    meta = field.metadata
    return Setting(field.name, members, default, meta["doc"], meta["secret"], meta["choices"], meta["minimum"])


SETTINGS: Mapping[str, Setting] = {field.name: _row(field) for field in fields(Config)}
"""Every setting by name, in the order of the table."""
