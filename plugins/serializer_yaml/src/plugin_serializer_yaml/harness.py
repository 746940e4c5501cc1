"""What the conformance suite needs to know of YAML; imported by the suite only, with the extra ``test``."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from kernel_conformance import SerializerHarness

_MOMENT = datetime(2026, 11, 21, 10, 30, 59, 123456, tzinfo=UTC)


class YamlHarness(SerializerHarness):
    """``serializer.yaml``: bytes of released versions, and the traps of YAML itself."""

    golden: Mapping[str, Sequence[tuple[object, bytes]]] = {
        "2026.11.0": (
            ([[1, "\u00fc", -0.5], {"a": None}, []], b'[[1, "\\xFC", -0.5], {a: null}, []]\n'),
            (_MOMENT, b"2026-11-21 10:30:59.123456+00:00\n"),
            (date(2026, 11, 21), b"2026-11-21\n"),
            (b"\xff\x00", b"!!binary |\n  /wA=\n"),
            ("no", b"'no'\n"),
            (float("-inf"), b"-.inf\n"),
        ),
    }
    hostile: Mapping[str, Sequence[bytes]] = {
        "nesting": (b"[" * 129 + b"]" * 129, b"{a: " * 129 + b"1" + b"}" * 129, b"- " * 129 + b"1"),
        "bombs": (b"a: &a [1]\nb: *a\n", b"a: &a {x: 1}\nb: {<<: *a}\n", b"&a 1"),
        "self_references": (b"&a [*a]", b"&a {k: *a}"),
        "programs": (
            b"!!python/object/apply:os.system ['true']",
            b"!!python/tuple [1]",
            b"!local x",
            b"!!set {a}",
            b"!!omap [a: 1]",
            b"!!pairs [a: 1]",
        ),
        "malformed": (
            b"a: 1\na: 2\n",
            b"--- 1\n--- 2\n",
            b"? [1]\n: 2\n",
            b"{a: 1, a: 2}",
            b"[1, 2",
            b"'a",
            b"# nothing",
        ),
        "heavy": (b"1" + b":59" * 300_000, b"!!int " + b"9" * 1_000_000, b"!!float 1" + b":59" * 300_000 + b".0"),
    }
