"""Texts that broke readers of some format. Every serializer that calls itself safe gets all of them.

A JSON reader given YAML has nothing to do but refuse it; a reader that understands it is the one the text was made for.
"""

import os
import pickle
from collections.abc import Iterator
from typing import Final

DEEP: Final = 100_000
"""Levels of nesting: enough to overflow a C stack of 8 MiB in every reader that recurses."""


class _Runs:
    """Pickles into a call of ``os.system``."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, (self.command,))


def nesting() -> Iterator[tuple[str, bytes]]:
    """Containers in containers, closed and unclosed."""
    for name, opening, closing in (
        ("brackets", b"[", b"]"),
        ("objects", b'{"a":', b"}"),
        ("flow mappings", b"{a: ", b"}"),
        ("spaced brackets", b"[ ", b"]"),
        ("alternating", b'[{"a":', b"}]"),
        ("explicit keys", b"? ", b""),
        ("block sequences", b"- ", b""),
        ("parentheses", b"(", b")"),
        ("elements", b"<a>", b"</a>"),
        ("msgpack arrays", b"\x91", b""),
        ("cbor arrays", b"\x81", b""),
        ("bencode lists", b"l", b"e"),
    ):
        yield f"{DEEP:,} {name}", opening * DEEP + b"1" + closing * DEEP
        yield f"{DEEP:,} unclosed {name}", opening * DEEP


def bombs() -> Iterator[tuple[str, bytes]]:
    """Few bytes that mean billions of values."""
    yaml = [b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    flow = [b"&b0 [x,x,x,x,x,x,x,x,x,x]"]
    entities = [b'<!ENTITY e0 "xxxxxxxxxx">']
    for level in range(1, 12):
        before = level - 1
        yaml.append(b"a%d: &a%d [%s]" % (level, level, b",".join([b"*a%d" % before] * 10)))
        flow.append(b"&b%d [%s]" % (level, b",".join([b"*b%d" % before] * 10)))
        entities.append(b'<!ENTITY e%d "%s">' % (level, b"&e%d;" % before * 10))
    yield "YAML aliases", b"\n".join(yaml)
    yield "YAML aliases in one list", b"[" + b", ".join(flow) + b"]"
    yield "YAML merge keys", b"a: &a {x: 1}\nb: {<<: [*a, *a, *a], y: 2}\n"
    yield "XML entities", b"<?xml version='1.0'?><!DOCTYPE a [" + b"".join(entities) + b"]><a>&e11;</a>"


def self_references() -> Iterator[tuple[str, bytes]]:
    """Values that contain themselves."""
    yield "YAML list in itself", b"&a [*a]"
    yield "YAML mapping in itself", b"&a {k: *a}"
    yield "YAML block list in itself", b"&a\n- *a\n"
    yield "YAML key that is its own mapping", b"&a {*a : 1}"
    yield "YAML alias without anchor", b"*a"


def programs(command: str) -> Iterator[tuple[str, bytes]]:
    """Data that runs ``command`` in a reader that builds objects."""
    shell = command.encode()
    for tag in (b"object/apply:os.system", b"object/apply:subprocess.getoutput", b"object/new:os.system"):
        yield f"YAML tag {tag.decode()}", b"!!python/%s ['%s']" % (tag, shell)
        yield f"YAML long tag {tag.decode()}", b"!<tag:yaml.org,2002:python/%s> ['%s']" % (tag, shell)
        yield f"YAML nested tag {tag.decode()}", b"{a: [!!python/%s ['%s']]}" % (tag, shell)
    yield "YAML tag eval", b"!!python/object/apply:eval [\"__import__('os').system('%s')\"]" % shell
    yield "YAML tag name", b"!!python/name:os.system ''"
    yield "YAML tag module", b"!!python/module:os ''"
    yield "YAML tag tuple", b"!!python/tuple [1, 2]"
    yield "YAML local tag", b"!exec '%s'" % shell
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"pickle protocol {protocol}", pickle.dumps(_Runs(command), protocol)
    yield "JSON py/reduce", b'{"py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["%s"]}]}' % shell
    yield "JSON py/object", b'{"py/object": "subprocess.Popen", "py/newargs": {"py/tuple": ["%s"]}}' % shell
    yield "JSON typed value", b'{"__type__": "os.system", "__value__": "%s"}' % shell
    yield "JSON class", b'{"__class__": "os.system", "args": ["%s"]}' % shell
    yield "Python source", b"__import__('os').system('%s')" % shell


def malformed() -> Iterator[tuple[str, bytes]]:
    """What is no whole document of any format, or of more than one reading."""
    yield "nothing", b""
    yield "white space", b" \n\t "
    yield "UTF-16", '{"a": 1}'.encode("utf-16")
    yield "UTF-16 without mark", '{"a": 1}'.encode("utf-16-le")
    yield "UTF-32", '{"a": 1}'.encode("utf-32")
    yield "byte order mark", b"\xef\xbb\xbf[1]"
    yield "overlong UTF-8", b'"\xc0\xaf"'
    yield "surrogate in UTF-8", b'"\xed\xa0\x80"'
    yield "lone continuation byte", b'"\x80"'
    yield "duplicate keys", b'{"a": 1, "a": 2}'
    yield "duplicate keys, deeper", b'[{"b": {"a": 1, "c": 0, "a": 2}}]'
    yield "two documents", b"[1]\n[2]"
    yield "two YAML documents", b"--- [1]\n--- [2]\n"
    yield "NUL after the end", b"[1]\x00"
    yield "junk after the end", b"[1] x"
    yield "only a comment", b"# nothing"
    yield "control characters", bytes(range(32))
    yield "all bytes", bytes(range(256))
    yield "complex key", b"? [1, 2]\n: 3\n"
    yield "tab indentation", b"a:\n\t- 1\n"
    yield "directive", b"%YAML 9.9\n--- 1\n"
    yield "unknown escape", b'"\\q"'
    yield "half an escape", b'"\\u12'


def heavy() -> Iterator[tuple[str, bytes]]:
    """Numbers and scalars that take time with the square of their length."""
    digits = b"9" * 1_000_000
    yield from (
        ("int of a million digits", digits),
        ("negative int of a million digits", b"-" + digits),
        ("int of a million digits in a list", b"[" + digits + b"]"),
        ("hexadecimal int of a million digits", b"0x" + digits),
        ("underscored int of a million digits", b"1_" + digits),
        ("int of base 60", b"1" + b":59" * 300_000),
        ("float with a million digits", b"0." + digits),
        ("float with a huge exponent", b"1e" + digits),
        ("float of base 60", b"1" + b":59" * 300_000 + b".5"),
        ("decimal of a million digits", b'{"__type__": "decimal", "__value__": "' + digits + b'"}'),
        ("a timestamp of a million digits", b"2026-11-21T00:00:00." + digits),
        ("a million spaces", b" " * 1_000_000 + b"1"),
        ("a million line ends", b"\n" * 1_000_000 + b"1"),
        ("a million quotes", b'"' * 1_000_000),
        ("a million backslashes", b'"' + b"\\" * 1_000_000 + b'"'),
        ("a million commas", b"[" + b"," * 1_000_000 + b"]"),
        ("a million anchors", b"&" * 1_000_000),
        ("a million colons", b":" * 1_000_000),
        ("a million percent signs", b"%" * 1_000_000),
    )
