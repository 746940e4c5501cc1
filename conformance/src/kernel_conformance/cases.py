"""Test cases: methods with an id that never changes, a gate, and a docstring that is the specification's text."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, get_args

Level = Literal["core", "extended", "fault"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
Fault = Literal["kill", "restart", "proxy", "proc"]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
"""kill, restart: of the server. proxy: its connection can be cut. proc: other processes reach the same store."""

PREFIXES: Final = {
    "broker": "BRK",
    "backend": "BKD",
    "serializer": "SER",
    "compression": "CMP",
    "router": "RTR",
    "plugin": "PLG",
}
"""Kind → the letters of its case ids. ``plugin`` is what every plugin gets, whatever its kind."""

MARK: Final = "__conformance_case__"
_BROKEN_BY: Final = "Broken by:"
_ID: Final = re.compile(rf"(?:{'|'.join(PREFIXES.values())})-\d{{3}}")
_SENTENCE: Final = re.compile(r"(?<=[.])\s")

Method = TypeVar("Method", bound=Callable[[Any], None])


@dataclass(frozen=True, slots=True)
class Gate:
    """When a case applies.

    Attributes:
        id: ``BRK-042``; never reused for another promise.
        level: core cases apply to every plugin, extended ones to those that claim ``needs``, fault ones break things.
        needs: capabilities that must be claimed, else the case is UNCLAIMED.
        proves: further capabilities that it tests where they are claimed; without them it tests something else.
        faults: what the harness must be able to do, else the case is NOT RUN.
        since: the contract's minor version that brought the promise.
        timeout_s: after so long the case has failed and its process is killed.
        embedded: it has a form for stores without a server, where killing the process is killing the server.
    """

    id: str
    level: Level
    needs: tuple[str, ...]
    faults: tuple[Fault, ...]
    since: str
    timeout_s: float
    embedded: bool
    proves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a suite: its gate, its text, and where its code is."""

    gate: Gate
    doc: str
    suite: type
    method: str

    @property
    def id(self) -> str:
        """The stable id."""
        return self.gate.id

    @property
    def title(self) -> str:
        """The promise in one line: its first sentence."""
        return _SENTENCE.split(self.doc.split("\n\n", 1)[0].replace("\n", " "), maxsplit=1)[0]

    @property
    def promise(self) -> str:
        """What users may rely on."""
        return self.doc.partition(_BROKEN_BY)[0].strip()

    @property
    def broken_by(self) -> str:
        """What usually breaks it."""
        return " ".join(self.doc.partition(_BROKEN_BY)[2].split())


def case(  # noqa: PLR0913 - a gate has these facts, each with its default
    id: str,  # noqa: A002 - it is one
    *,
    level: Level | None = None,
    needs: tuple[str, ...] = (),
    faults: tuple[Fault, ...] = (),
    since: str = "1.0",
    timeout_s: float = 60.0,
    embedded: bool = False,
    proves: tuple[str, ...] = (),
) -> Callable[[Method], Method]:
    """Mark a suite's method (which takes only ``self``) as the case of that id.

    Args:
        id: the stable id.
        level: by default ``fault`` with ``faults``, ``extended`` with ``needs``, else ``core``.
        needs: see :class:`Gate`.
        faults: see :class:`Gate`.
        since: see :class:`Gate`.
        timeout_s: see :class:`Gate`.
        embedded: see :class:`Gate`.
        proves: see :class:`Gate`.

    Raises:
        ValueError: for an id of another form, or a docstring without promise and "Broken by:".
    """
    if not _ID.fullmatch(id):
        raise ValueError(f"{id!r} is no case id: write one such as 'BRK-042'")
    found: Level = level or ("fault" if faults else "extended" if needs else "core")
    gate = Gate(id, found, tuple(needs), tuple(faults), since, timeout_s, embedded, tuple(proves))

    def mark(method: Method) -> Method:
        promise, _, causes = (method.__doc__ or "").partition(_BROKEN_BY)
        if not promise.strip() or not causes.strip():
            raise ValueError(f"{id}: its docstring must state the promise, then '{_BROKEN_BY} ...'")
        setattr(method, MARK, gate)
        return method

    return mark


def cases_of(suite: type) -> list[Case]:
    """The cases a suite class defines, by id."""
    found = []
    for name in dir(suite):
        method = getattr(suite, name)
        gate = getattr(method, MARK, None)
        if isinstance(gate, Gate):
            doc = "\n".join(line.strip() for line in (method.__doc__ or "").strip().splitlines())
            found.append(Case(gate, doc, suite, name))
    return sorted(found, key=lambda one: one.id)
