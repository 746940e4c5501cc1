"""Stamps: headers of one's own on every message of a workflow (features.md 2.1; wire.md 1.1)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from kernel.model.nodes import Kind, as_list, kind_of

STAMPED = "stamped_headers"
"""The option that names the stamps among a signature's options."""

Headers = Mapping[str, Any] | None


class StampingVisitor(ABC):
    """Asked for headers at each part of a workflow.

    A hook returns a mapping of headers or None. With a key ``stamped_headers`` in it, only those it names are stamps.
    What the hooks of a group, chain or chord return holds for everything inside.
    """

    @abstractmethod
    def on_signature(self, sig: Any, **headers: Any) -> Headers:
        """For each signature; what it returns holds for that one."""

    def on_group_start(self, group: Any, **headers: Any) -> Headers:  # noqa: ARG002 - for subclasses, as all below
        """Before the members of a group."""
        return None

    def on_group_end(self, group: Any, **headers: Any) -> None:  # noqa: B027 - most visitors need no end
        """After them."""

    def on_chain_start(self, chain: Any, **headers: Any) -> Headers:  # noqa: ARG002
        """Before the steps of a chain."""
        return None

    def on_chain_end(self, chain: Any, **headers: Any) -> None:  # noqa: B027 - most visitors need no end
        """After them."""

    def on_chord_header_start(self, chord: Any, **headers: Any) -> Headers:
        """Before the header of a chord; by default the same as for a group."""
        return self.on_group_start(chord["kwargs"]["header"], **headers)

    def on_chord_header_end(self, chord: Any, **headers: Any) -> None:
        """After it."""
        self.on_group_end(chord["kwargs"]["header"], **headers)

    def on_chord_body(self, chord: Any, **headers: Any) -> Headers:  # noqa: ARG002
        """Before the body of a chord."""
        return None

    def on_callback(self, callback: Any, **headers: Any) -> Headers:  # noqa: ARG002
        """Before a callback linked to a signature."""
        return None

    def on_errback(self, errback: Any, **headers: Any) -> Headers:  # noqa: ARG002
        """Before an errback linked to a signature."""
        return None


class _Silent(StampingVisitor):
    """Adds nothing to the headers that are given."""

    def on_signature(self, sig: Any, **headers: Any) -> Headers:  # noqa: ARG002 - as declared
        return None


def stamp(sig: Any, visitor: StampingVisitor | None, headers: Mapping[str, Any], *, append: bool) -> None:
    """Stamp a signature in place, and everything in it and linked to it."""
    _visit(sig, visitor or _Silent(), dict(headers), append)


def _visit(sig: Any, visitor: StampingVisitor, headers: dict[str, Any], append: bool) -> None:
    for callback in as_list(sig["options"].get("link")):
        _visit(callback, visitor, _added(headers, visitor.on_callback(callback, **headers)), append)
    for errback in as_list(sig["options"].get("link_error")):
        _visit(errback, visitor, _added(headers, visitor.on_errback(errback, **headers)), append)
    match kind_of(sig):
        case Kind.CHAIN:
            inner = _added(headers, visitor.on_chain_start(sig, **headers))
            _each(sig["kwargs"]["tasks"], visitor, inner, append)
            visitor.on_chain_end(sig, **inner)
        case Kind.GROUP:
            inner = _added(headers, visitor.on_group_start(sig, **headers))
            _each(sig["kwargs"]["tasks"], visitor, inner, append)
            visitor.on_group_end(sig, **inner)
        case Kind.CHORD:
            inner = _added(headers, visitor.on_chord_header_start(sig, **headers))
            _each(sig["kwargs"]["header"]["kwargs"]["tasks"], visitor, inner, append)
            visitor.on_chord_header_end(sig, **inner)
            body = sig["kwargs"]["body"]
            if body is not None:
                _visit(body, visitor, _added(headers, visitor.on_chord_body(sig, **headers)), append)
        case Kind.TASK:
            _set(sig["options"], _added(headers, visitor.on_signature(sig, **headers)), append)


def _each(parts: Any, visitor: StampingVisitor, headers: dict[str, Any], append: bool) -> None:
    for part in parts:
        _visit(part, visitor, headers, append)


def _added(headers: dict[str, Any], more: Headers) -> dict[str, Any]:
    """Further stamps: those that ``stamped_headers`` names, or all."""
    if not more:
        return headers
    named = more.get(STAMPED)
    chosen = [key for key in more if key != STAMPED] if named is None else [key for key in named if key in more]
    return {**headers, **{key: more[key] for key in chosen}}


def _set(options: dict[str, Any], stamps: Mapping[str, Any], append: bool) -> None:
    for name, value in stamps.items():
        there = name in options and name in as_list(options.get(STAMPED))
        options[name] = [*_values(options[name]), *_values(value)] if append and there else _plain(value)
    if stamps:
        options[STAMPED] = list(dict.fromkeys([*as_list(options.get(STAMPED)), *stamps]))


def _values(value: Any) -> list[Any]:
    plain = _plain(value)
    return plain if isinstance(plain, list) else [plain]


def _plain(value: Any) -> Any:
    """Sets and tuples as lists, which every serializer can carry."""
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    return list(value) if isinstance(value, tuple) else value
