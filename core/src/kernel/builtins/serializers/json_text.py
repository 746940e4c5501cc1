"""Bounds on a JSON text, checked before it is parsed: the parser itself recurses as deep as it is told to."""

import re
from itertools import accumulate

from kernel.contracts.serializer import Buffer, DecodeLimits
from kernel.errors import DecodeError

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_SAME_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP = {ord("["): 1, ord("]"): -1}
_SHALLOW = 8
"""Levels that are peeled off at once each; what is deeper is rare and followed bracket by bracket."""


def bounded(data: Buffer, limits: DecodeLimits) -> str:
    """The text of ``data``, when it is within ``limits``.

    Small messages cost two counts; only what has more brackets than ``max_depth`` is looked at closely.

    Raises:
        DecodeError: for more bytes, depth or nodes than allowed, and for what is no UTF-8.
    """
    size = data.nbytes if isinstance(data, memoryview) else len(data)
    if size > limits.max_bytes:
        raise DecodeError(f"A JSON text of {size:,} bytes is above the limit of {limits.max_bytes:,}")
    try:
        text = str(data, "utf-8")
    except UnicodeDecodeError as exc:
        raise DecodeError(f"The JSON text is not UTF-8: {exc}") from exc
    if text.count("[") + text.count("{") > limits.max_depth or size > limits.max_nodes:
        _look_closely(data, limits)
    return text


def _look_closely(data: Buffer, limits: DecodeLimits) -> None:
    bare = _STRING.sub(b"", data)
    # Every value but the first of a container follows a comma, and every container opens once.
    nodes = bare.count(b",") + bare.count(b"[") + bare.count(b"{") + 1
    if nodes > limits.max_nodes:
        raise DecodeError(f"A JSON text with {nodes:,} values is above the limit of {limits.max_nodes:,}")
    brackets = bare.translate(_SAME_BRACKETS, _NO_BRACKETS)
    if not _is_shallow(brackets, limits.max_depth) and _is_deeper(brackets, limits.max_depth):
        raise DecodeError(f"The JSON text nests deeper than {limits.max_depth} containers")


def _is_shallow(brackets: bytes, depth: int) -> bool:
    for _ in range(min(_SHALLOW, depth)):
        brackets = brackets.replace(b"[]", b"")  # each time the innermost level, and only that
    return not brackets


def _is_deeper(brackets: bytes, depth: int) -> bool:
    return any(level > depth for level in accumulate(map(_STEP.__getitem__, brackets)))
