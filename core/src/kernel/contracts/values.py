"""Walking a value before it is encoded, for serializers: whatever cannot be carried is refused by its place.

A serializer hands the walk the few kinds it knows beside plain data; the walk keeps the path, the depth and the
count, so that every format refuses the same things with the same words.
"""

from collections.abc import Callable
from enum import Enum
from typing import NoReturn

from kernel.contracts.serializer import DecodeLimits
from kernel.errors import EncodeError

BODY_PARTS = ("args", "kwargs", "embed")
"""Names of the three parts of a task body (wire.md 1.3), used instead of ``value[0]`` in messages."""

INT_DIGITS = 4300
"""Decimal digits of the longest int that can be carried: Python's own default bound on reading one."""

_INT_BOUND = 10**INT_DIGITS
_STEPS_SHOWN = 12


class ValueWalk:
    """One pass over one value, which comes out as None, bool, int, float, str, list and dict with str keys.

    Tuples become lists; subclasses of the plain types become their base type, except members of an ``Enum``, which
    are refused, as their type would be lost silently. Everything else goes to ``leaf``.

    Args:
        format_name: the serializer's name, for messages.
        leaf: called with the walk and a value of another type; returns what stands for it, or refuses it.
        reserved: a dict with exactly these keys would be read back as something else and is refused.
        ints: the ints that the format has room for; None for one that has room for all.
    """

    def __init__(
        self,
        format_name: str,
        leaf: "Callable[[ValueWalk, object], object]",
        reserved: frozenset[str] = frozenset(),
        ints: range | None = None,
    ) -> None:
        self._format = format_name
        self._leaf = leaf
        self._reserved = reserved
        self._ints = ints
        self._limits = DecodeLimits()
        self._steps: list[object] = []
        self._is_body = False
        self._depth = 0
        self._nodes = 1

    def run(self, value: object) -> object:
        """Walk ``value`` from its root.

        Raises:
            EncodeError: naming the path of the first part that cannot be carried.
        """
        self._is_body = is_body(value)
        try:
            return self.value(value)
        except RecursionError as exc:
            raise EncodeError(f"The value nests too deep to encode as {self._format}") from exc

    def value(self, value: object) -> object:
        """What stands for ``value`` at the current place; a leaf calls it for values it expanded itself."""
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value
        if isinstance(value, dict):
            return self._mapping(value)
        if isinstance(value, (list, tuple)):
            return self._sequence(value)
        if isinstance(value, (str, int, float)):
            return self._scalar(value)
        return self._leaf(self, value)

    def wrap(self, containers: int) -> None:
        """Account for ``containers`` further levels of nesting that a leaf writes around its value."""
        if self._depth + containers > self._limits.max_depth:
            self._refuse_depth()

    def refuse(self, reason: str, *, cure: str = "", cause: BaseException | None = None) -> NoReturn:
        """Refuse the value at the current place.

        Raises:
            EncodeError: always.
        """
        raise EncodeError(f"{path_of(self._steps, self._is_body)}: {reason}", cure=cure) from cause

    def _sequence(self, value: "list[object] | tuple[object, ...]") -> list[object]:
        self._enter(len(value))
        out: list[object] = []
        for index, item in enumerate(value):
            self._steps.append(index)
            out.append(self.value(item))
            self._steps.pop()
        self._depth -= 1
        return out

    def _mapping(self, value: "dict[object, object]") -> dict[str, object]:
        self._enter(len(value))
        if self._reserved and value.keys() == self._reserved:
            names = " and ".join(repr(name) for name in sorted(self._reserved))
            self.refuse(
                f"{self._format} cannot carry a dict with exactly the keys {names}: they mark its own typed values",
                cure="Add another key, or send it with another serializer.",
            )
        out: dict[str, object] = {}
        for key, item in value.items():
            self._steps.append(key)
            out[self._key(key)] = self.value(item)
            self._steps.pop()
        self._depth -= 1
        return out

    def _key(self, key: object) -> str:
        if not isinstance(key, str) or isinstance(key, Enum):
            self.refuse(
                f"{self._format} carries only str keys, not {key!r} ({type(key).__name__})",
                cure="Convert the keys with str() where you call the task.",
            )
        return self._text(key)

    def _scalar(self, value: "str | int | float") -> object:
        if isinstance(value, Enum):
            self.refuse(f"{self._format} cannot carry the Enum member {value!r}", cure="Send its .value.")
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, float):
            return float.__float__(value)
        if not -_INT_BOUND < value < _INT_BOUND:
            self.refuse(f"an int of more than {INT_DIGITS} digits is not readable again", cure="Send it as bytes.")
        number = int.__int__(value)  # a range looks through all of its items for a subclass
        if self._ints is not None and number not in self._ints:
            self.refuse(
                f"{self._format} carries only ints from {self._ints[0]} to {self._ints[-1]}", cure="Send it as text."
            )
        return number

    def _text(self, value: str) -> str:
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as exc:
                self.refuse(
                    f"a str with the lone surrogate {value[exc.start]!r} is no Unicode text",
                    cure="Send os.fsencode(...) or bytes instead.",
                    cause=exc,
                )
        return str.__str__(value)

    def _enter(self, size: int) -> None:
        self._depth += 1
        self._nodes += size
        if self._depth > self._limits.max_depth:
            self._refuse_depth()
        if self._nodes > self._limits.max_nodes:
            self.refuse(f"the value has more than {self._limits.max_nodes:,} parts", cure="Send it in pieces.")

    def _refuse_depth(self) -> NoReturn:
        self.refuse(f"nested deeper than {self._limits.max_depth} containers, or a container that holds itself")


def is_body(value: object) -> bool:
    """Whether ``value`` is the three-part body of a task message, as far as its shape tells."""
    return (
        isinstance(value, (list, tuple))
        and len(value) == len(BODY_PARTS)
        and isinstance(value[0], (list, tuple))
        and isinstance(value[1], dict)
    )


def path_of(steps: "list[object]", body: bool) -> str:
    """The path in words of Python: ``args[2].user``, ``kwargs.to['e-mail']``, ``value[0]``."""
    rest = steps
    text = "value"
    if body and steps and isinstance(steps[0], int):
        text, rest = BODY_PARTS[steps[0]], steps[1:]
    shown = rest[:_STEPS_SHOWN]
    for step in shown:
        text += f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]"
    return text if len(shown) == len(rest) else f"{text}… ({len(rest) - len(shown)} steps more)"
