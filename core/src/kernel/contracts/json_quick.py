"""JSON as ``json`` reads and writes it, made ready once: for small texts its own preparations are half of the work.

``JSONEncoder.encode`` makes CPython's C encoder anew for every value, and ``JSONDecoder.decode`` looks twice for white
space that is hardly ever there: together about 1.5 µs for each message (benchmarks/README.md).
"""

import json
from collections.abc import Callable
from typing import Any


def json_writer(default: Callable[[Any], object] | None = None, *, compact: bool = False) -> Callable[[object], str]:
    """What writes ASCII text, like ``json.dumps`` without a look for values that hold themselves: a RecursionError.

    Args:
        default: says what stands for a value JSON has no place for.
        compact: no spaces.
    """
    separators = (",", ":") if compact else (", ", ": ")
    slow = json.JSONEncoder(default=default, check_circular=False, separators=separators)
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without the C encoder
        return slow.encode
    text: Any = getattr(json.encoder, "encode_basestring_ascii")  # noqa: B009 - typeshed does not know it
    pieces = make(
        None, slow.default, text, None, slow.key_separator, slow.item_separator, False, False, True
    )  # the order of c_make_encoder's own parameters

    def write(value: object) -> str:
        return "".join(pieces(value, 0))

    return write


def json_reader(
    object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Callable[[str], Any]:
    """What reads one text, like ``json.loads``; raises ValueError for anything else."""
    decoder: Any = json.JSONDecoder(object_pairs_hook=object_pairs_hook)

    def read(text: str) -> Any:
        try:
            value, end = decoder.scan_once(text, 0)
        except StopIteration:
            end = -1
        return value if end == len(text) else decoder.decode(text)

    return read
