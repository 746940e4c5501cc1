"""pickle: every Python value, and every risk. Exists only where it is named, and is never accepted by default."""

import io
import pickle
from typing import ClassVar

from kernel.contracts.serializer import Buffer, DecodeLimits, Serializer
from kernel.contracts.values import is_body, path_of
from kernel.errors import DecodeError, EncodeError

PROTOCOL = 4
"""Read by every supported Python, and by Celery's of 3.8 and later."""


class PickleSerializer(Serializer):
    """``serializer="pickle"``: whoever can write to the broker runs code in whoever accepts this.

    Depth and nodes are not bounded on loading: a pickle is a program, and ``safe`` says so.
    """

    name: ClassVar[str] = "pickle"
    content_type: ClassVar[str] = "application/x-python-serialize"
    content_encoding: ClassVar[str] = "binary"
    safe: ClassVar[bool] = False
    types: ClassVar[frozenset[str]] = frozenset(
        {"any", "bytes", "datetime", "date", "time", "decimal", "uuid", "set", "tuple", "bigint", "nan", "nonstr_keys"}
    )
    canonical: ClassVar[bool] = False

    def dumps(self, obj: object) -> bytes:
        """Encode.

        Raises:
            EncodeError: naming the path of the first part that cannot be pickled.
        """
        try:
            return pickle.dumps(obj, PROTOCOL)
        except RecursionError as exc:
            raise EncodeError("The value nests too deep to pickle") from exc
        except Exception as exc:  # the value's own methods run here and may raise anything
            steps, reason = _culprit(obj, exc)
            raise EncodeError(
                f"{path_of(steps, is_body(obj))}: pickle cannot carry it: {reason}",
                cure="Send plain data, such as a name or an id, and look the object up in the task.",
            ) from exc

    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        """Decode exactly one pickle; runs whatever the sender wrote.

        Raises:
            DecodeError: for what is no pickle, is followed by anything, or is longer than ``limits.max_bytes``.
        """
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        if size > limits.max_bytes:
            raise DecodeError(f"A pickle of {size:,} bytes is above the limit of {limits.max_bytes:,}")
        stream = io.BytesIO(data)
        try:
            value = pickle.Unpickler(stream).load()  # noqa: S301 - what this serializer is for
        except Exception as exc:
            raise DecodeError(f"No pickle that can be read here: {type(exc).__name__}: {exc}") from exc
        if stream.tell() != size:
            raise DecodeError(f"{size - stream.tell()} bytes follow the end of the pickle")
        return value


def _culprit(value: object, error: Exception) -> tuple[list[object], str]:
    """The steps to the innermost part of plain containers that cannot be pickled, and why."""
    steps: list[object] = []
    while True:
        failing = _failing_child(value)
        if failing is None:
            return steps, f"{type(value).__name__}: {error}"
        step, value, error = failing
        steps.append(step)


def _failing_child(value: object) -> tuple[object, object, Exception] | None:
    children: list[tuple[object, object]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, (list, tuple)):
        children = list(enumerate(value))
    for step, child in children:
        try:
            pickle.dumps(child, PROTOCOL)
        except Exception as exc:  # noqa: BLE001 - the value's own methods run here and may raise anything
            return step, child, exc
    return None
