"""YAML to values, from the parser's events and never through its composer.

PyYAML's composer follows the nesting of the text by recursion, in C with libyaml: 100,000 opening brackets end the
process. The parser itself keeps its own stack. So the values are put together here, event by event, and a text that
is too deep, too large or uses an alias is left at the first event that shows it.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from kernel.contracts.serializer import DecodeLimits
from kernel.errors import DecodeError
from plugin_serializer_yaml.scalars import MAPPING, SEQUENCE, check_collection, read_scalar

# The base differs by how PyYAML was built; both parsers give the same events.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NO_KEY = object()


def read_document(text: str, limits: DecodeLimits) -> object:
    """The value of the one document in ``text``.

    Raises:
        DecodeError: for anything that is not one document of plain data within ``limits``.
    """
    building = _Building(limits)
    try:
        for event in _events(text):
            building.take(event)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise DecodeError(f"No YAML: {' '.join(str(exc).split()):.300}") from exc
    return building.result()


def _events(text: str) -> Iterator[Any]:
    loader = _Loader(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


class _Building:
    """Puts one value together; the containers that are open are on a list, not on the interpreter's stack."""

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._nodes = 0
        self._documents = 0
        self._open: list[list[object] | dict[object, object]] = []
        self._keys: list[object] = []
        self._value: object = None

    def take(self, event: Any) -> None:
        """Use one event.

        Raises:
            DecodeError: when it is one too many, or not of plain data.
        """
        if isinstance(event, yaml.ScalarEvent):
            self._check_node(event)
            self._add(read_scalar(event.tag, event.value, event.implicit))
        elif isinstance(event, yaml.SequenceStartEvent):
            check_collection(event.tag, SEQUENCE)
            self._enter(event, [])
        elif isinstance(event, yaml.MappingStartEvent):
            check_collection(event.tag, MAPPING)
            self._enter(event, {})
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()
        else:
            self._mark(event)

    def result(self) -> object:
        """The value.

        Raises:
            DecodeError: when there was no document.
        """
        if not self._documents:
            raise DecodeError("The YAML text is empty")
        return self._value

    def _mark(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise DecodeError(f"YAML aliases are refused: *{event.anchor:.40}")
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise DecodeError("The YAML text has more than one document")

    def _check_node(self, event: Any) -> None:
        if event.anchor is not None:
            raise DecodeError(f"YAML anchors are refused: &{event.anchor:.40}")
        self._nodes += 1
        if self._nodes > self._limits.max_nodes:
            raise DecodeError(f"The YAML text has more values than the limit of {self._limits.max_nodes:,}")

    def _enter(self, event: Any, container: "list[object] | dict[object, object]") -> None:
        self._check_node(event)
        if len(self._open) >= self._limits.max_depth:
            raise DecodeError(f"The YAML text nests deeper than {self._limits.max_depth} containers")
        self._add(container)
        self._open.append(container)
        self._keys.append(_NO_KEY)

    def _add(self, value: object) -> None:
        if not self._open:
            self._value = value
            return
        container = self._open[-1]
        if isinstance(container, list):
            container.append(value)
        elif self._keys[-1] is _NO_KEY:
            self._take_key(container, value)
        else:
            container[self._keys[-1]] = value
            self._keys[-1] = _NO_KEY

    def _take_key(self, container: dict[object, object], key: object) -> None:
        if isinstance(key, (list, dict)):
            raise DecodeError("A YAML mapping has a collection as its key")
        if key in container:
            raise DecodeError(f"A YAML mapping has the key {key!r:.80} twice")
        self._keys[-1] = key
