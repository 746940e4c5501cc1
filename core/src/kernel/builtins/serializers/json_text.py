"""Bounds on a JSON text, checked before it is parsed: the parser itself recurses as deep as it is told to."""

import re
from itertools import accumulate

from kernel.contracts.serializer import Buffer, DecodeLimits
from kernel.errors import DecodeError

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_OTHER_THAN_BRACKETS = re.compile(r"[^][{}]+")
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


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
        _look_closely(text, limits)
    return text


def _look_closely(text: str, limits: DecodeLimits) -> None:
    bare = _STRING.sub("", text)
    # Every value but the first of a container follows a comma, and every container opens once.
    nodes = bare.count(",") + bare.count("[") + bare.count("{") + 1
    if nodes > limits.max_nodes:
        raise DecodeError(f"A JSON text with {nodes:,} values is above the limit of {limits.max_nodes:,}")
    brackets = _OTHER_THAN_BRACKETS.sub("", bare)
    if any(depth > limits.max_depth for depth in accumulate(map(_STEP.__getitem__, brackets))):
        raise DecodeError(f"The JSON text nests deeper than {limits.max_depth} containers")
