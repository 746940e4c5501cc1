"""Values to YAML."""

from datetime import date, datetime
from typing import Any

import yaml

from kernel.contracts.values import ValueWalk
from kernel.errors import EncodeError
from plugin_serializer_yaml.scalars import TIMESTAMP

_UNBROKEN = 1 << 30
"""Columns before a line would be folded: never."""

# The base differs by how PyYAML was built; libyaml's is many times faster.
_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Timestamp(str):
    """The text of a date or datetime on its way to the emitter."""

    __slots__ = ()


class _Dumper(_Base):  # type: ignore[misc] # chosen at run time
    """Writes no anchors: what occurs twice is written twice, as readers refuse aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - true for everything
        return True


def _represent_timestamp(dumper: Any, value: _Timestamp) -> Any:
    return dumper.represent_scalar(TIMESTAMP, str(value))


_Dumper.add_representer(_Timestamp, _represent_timestamp)


def write_document(value: object) -> bytes:
    """One document.

    Every character beyond ASCII is escaped: PyYAML reads a bare U+0085 as a line break.

    Raises:
        EncodeError: naming the path of the part that cannot be carried.
    """
    plain = ValueWalk("yaml", _leaf).run(value)
    try:
        text = yaml.dump(
            plain, Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=False, width=_UNBROKEN
        )
    except (yaml.YAMLError, ValueError) as exc:
        raise EncodeError(f"yaml cannot carry the value: {exc}") from exc
    return text.encode("ascii")


def _leaf(walk: ValueWalk, value: object) -> object:
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, (datetime, date)):
        return _timestamp(walk, value)
    return walk.refuse(
        f"yaml cannot carry a value of type {type(value).__name__}",
        cure="Convert it where you call the task, or choose another serializer.",
    )


def _timestamp(walk: ValueWalk, value: date) -> _Timestamp:
    try:
        return _Timestamp(datetime.isoformat(value, " ") if isinstance(value, datetime) else date.isoformat(value))
    except Exception as exc:  # noqa: BLE001 - a tzinfo of the user's may raise anything
        return walk.refuse(f"yaml cannot write a {type(value).__name__}: {exc}", cause=exc)
