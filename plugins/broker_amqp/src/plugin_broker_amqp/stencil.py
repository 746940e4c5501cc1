"""Reading the headers of message after message of one task: what is the same is compared, the rest is cut out.

Reading the twenty headers of a task one by one was half of what a node spent on a message (benchmarks/README.md).
Nearly all of them are, byte for byte, what they were in the last message of that task: a stencil says where the others
stand. What does not fit under one is read in full, so that there is one meaning of a table, and a short cut to it.
"""

from dataclasses import dataclass
from struct import Struct, error
from typing import Any, Final

from plugin_broker_amqp.table_reader import unpack_table
from plugin_broker_amqp.tables import pack_value, short_text

VARYING: Final = frozenset(
    {"id", "root_id", "parent_id", "group", "group_index", "argsrepr", "kwargsrepr", "origin", "eta", "expires"}
)
"""Headers that differ between messages of one task, where they are text or a number of 32 bits."""
MOST_STARTS: Final = 500
MOST_STENCILS: Final = 4
"""Of one task: with and without group, parent or time. More would not help where headers never repeat."""
MOST_LEARNT: Final = 16
_ID: Final = b"\x02idS"
_FAR: Final = 600
"""The id stands behind language and name of the task."""
_LASTING: Final = frozenset({str, int, float, bool, bytes, type(None)})
_LONG: Final = Struct(">I").unpack_from
_NUMBER: Final = Struct(">i").unpack_from


@dataclass(frozen=True, slots=True)
class Stencil:
    """One shape of a table.

    Attributes:
        table: every header, with the values of the message it was made from.
        fresh: the lists and tables among them, which no two messages may share.
        parts: bytes that are the same, their number, the header behind them, and whether that is text.
        last: the bytes behind the last of those.
    """

    table: dict[str, Any]
    fresh: tuple[tuple[str, Any], ...]
    parts: tuple[tuple[bytes, int, str, bool], ...]
    last: bytes

    def read(self, data: bytes, at: int, end: int) -> dict[str, Any] | None:
        """The table whose values stand in ``data`` from ``at`` to ``end``; None when it has another shape."""
        found = self.table.copy()
        for piece, size, name, is_text in self.parts:
            if not data.startswith(piece, at):
                return None
            start = at + size + 4
            if is_text:
                at = start + _LONG(data, start - 4)[0]
                found[name] = data[start:at].decode()
            else:
                at = start
                found[name] = _NUMBER(data, start - 4)[0]
        if end - at != len(self.last) or not data.startswith(self.last, at):
            return None
        for name, value in self.fresh:
            found[name] = value.copy()
        return found


class Stencils:
    """Reads tables for one broker. Safe in any thread: a stencil that is lost is made again."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[Stencil]] = {}
        self._learnt: dict[bytes, int] = {}

    def read(self, data: bytes, offset: int) -> tuple[dict[str, Any], int]:
        """Like :func:`~plugin_broker_amqp.table_reader.unpack_table`, and raises what that raises."""
        cut = data.find(_ID, offset, offset + _FAR)
        if cut < 0:
            return unpack_table(data, offset)
        start = data[offset + 4 : cut]
        known = self._known.get(start)
        if known is not None:
            end = offset + 4 + _LONG(data, offset)[0]
            for stencil in known:
                try:
                    found = stencil.read(data, offset + 4, end)
                except (ValueError, error):  # what is no Unicode is read as bytes; what ends early is refused
                    break
                if found is not None and end <= len(data):
                    return found, end
        table, end = unpack_table(data, offset)
        self._learn(start, table, data[offset + 4 : end])
        return table, end

    def _learn(self, start: bytes, table: dict[str, Any], data: bytes) -> None:
        count = self._learnt.get(start, 0)
        if count >= MOST_LEARNT:
            return
        if len(self._learnt) >= MOST_STARTS:
            self._known.clear()
            self._learnt.clear()
        self._learnt[start] = count + 1
        stencil = stencil_of(table, data)
        if stencil is not None:
            self._known[start] = [stencil, *self._known.get(start, ())][:MOST_STENCILS]


def stencil_of(table: dict[str, Any], data: bytes) -> Stencil | None:
    """The stencil of the table that ``data`` is; None when there is none that is sure to read it back.

    It is made from what the table would be written as, so it fits only what is written like that.
    """
    fresh: list[tuple[str, Any]] = []
    parts: list[tuple[bytes, int, str, bool]] = []
    piece = b""
    for name, value in table.items():
        written = short_text(name) + pack_value(value)
        kind = type(value)
        is_text = kind is str
        if name in VARYING and (is_text or (kind is int and written[-5:-4] == b"I")):
            piece += short_text(name) + (b"S" if is_text else b"I")
            parts.append((piece, len(piece), name, is_text))
            piece = b""
            continue
        piece += written
        if kind in {list, dict}:
            if not _is_flat(value):
                return None
            fresh.append((name, value.copy()))
        elif kind not in _LASTING:
            return None
    made = Stencil(table.copy(), tuple(fresh), tuple(parts), piece)
    return made if made.read(data, 0, len(data)) == table else None


def _is_flat(value: Any) -> bool:
    return all(type(part) in _LASTING for part in (value.values() if type(value) is dict else value))
