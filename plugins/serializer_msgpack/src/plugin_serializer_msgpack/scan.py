"""Looking through the structure of a MessagePack text before any value is made of it.

The library makes room for as many items as a container announces, before it has seen one, and again in every nested
one: a few kilobytes could ask for gigabytes. It also nests deeper than the kernel allows. So the text is stepped
through first, value by value, without making any; what passes holds exactly one value within the limits.
"""

from kernel.contracts.serializer import DecodeLimits
from kernel.errors import DecodeError

_SCALAR, _BLOB, _CONTAINER, _REFUSED = range(4)


def _kinds() -> tuple[tuple[int, int, int], ...]:
    """For every first byte: its kind, a number, and how many items one entry of the container is.

    The number is the whole length of a scalar; for a blob or container the count of length bytes that follow; for
    the short containers, whose length is in the byte itself, that length as a negative number minus one.
    """
    table = [(_REFUSED, 0, 0)] * 256  # 0xc1, which is never used, and the extension types
    for head in (*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3):
        table[head] = (_SCALAR, 1, 0)
    for head in range(16):
        table[0x80 + head] = (_CONTAINER, -head - 1, 2)
        table[0x90 + head] = (_CONTAINER, -head - 1, 1)
    for head in range(32):
        table[0xA0 + head] = (_SCALAR, head + 1, 0)
    for head, length in zip((0xCA, 0xCB, *range(0xCC, 0xD4)), (5, 9, 2, 3, 5, 9, 2, 3, 5, 9), strict=True):
        table[head] = (_SCALAR, length, 0)
    for head, width in zip((0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB), (1, 2, 4, 1, 2, 4), strict=True):
        table[head] = (_BLOB, width, 0)
    for head, width, items in ((0xDC, 2, 1), (0xDD, 4, 1), (0xDE, 2, 2), (0xDF, 4, 2)):
        table[head] = (_CONTAINER, width, items)
    return tuple(table)


_KINDS = _kinds()


def check_structure(data: bytes, limits: DecodeLimits) -> None:
    """See that ``data`` is one whole value within ``limits``; keys count as values.

    Raises:
        DecodeError: for a text that is empty, ends too early or goes on after its end, for extension types, and for
            more values or deeper nesting than the limits allow.
    """
    size, position = len(data), 0
    left = due = nodes = 1  # values to come in the innermost container and in all of them; values seen or announced
    outer: list[int] = []  # what is left in each container around
    while due:
        if position >= size:
            raise _truncated()
        kind, number, items = _KINDS[data[position]]
        due -= 1
        left -= 1
        if kind == _SCALAR:
            position += number
        elif kind == _BLOB:
            position += 1 + number + _length(data, position, number)
        else:
            if kind == _REFUSED:
                raise _refused(data[position])
            count = items * (-number - 1 if number < 0 else _length(data, position, number))
            position += 1 + max(number, 0)
            due, nodes = due + count, nodes + count
            outer.append(left)
            left = count
            _check(limits, len(outer), nodes, missing=due > size - position)
        while not left and outer:
            left = outer.pop()
    if position != size:
        raise (
            _truncated() if position > size else DecodeError(f"{size - position:,} bytes follow the MessagePack value")
        )


def _length(data: bytes, position: int, width: int) -> int:
    return int.from_bytes(data[position + 1 : position + 1 + width], "big")


def _check(limits: DecodeLimits, depth: int, nodes: int, *, missing: bool) -> None:
    if depth > limits.max_depth:
        raise DecodeError(f"The MessagePack text nests deeper than {limits.max_depth} containers")
    if nodes > limits.max_nodes:
        raise DecodeError(f"The MessagePack text has more values than the limit of {limits.max_nodes:,}")
    if missing:  # every value takes a byte at least
        raise _truncated()


def _truncated() -> DecodeError:
    return DecodeError("The MessagePack text is empty or ends too early")


def _refused(head: int) -> DecodeError:
    return DecodeError(
        f"No MessagePack of plain data: a value begins with the byte {head:#04x}",
        cure="Extension types, such as timestamps, are not read: send text instead.",
    )
