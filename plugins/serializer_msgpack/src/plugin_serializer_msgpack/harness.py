"""What the conformance suite needs to know of MessagePack; imported by the suite only, with the extra ``test``."""

from collections.abc import Mapping, Sequence

from kernel_conformance import SerializerHarness


class MsgpackHarness(SerializerHarness):
    """``serializer.msgpack``: bytes of released versions, and the traps of MessagePack itself."""

    golden: Mapping[str, Sequence[tuple[object, bytes]]] = {
        "2026.11.0": (
            (
                [[1, "\u00fc", -0.5], {"a": None}, []],
                b"\x93\x93\x01\xa2\xc3\xbc\xcb\xbf\xe0\x00\x00\x00\x00\x00\x00\x81\xa1a\xc0\x90",
            ),
            (b"\xff\x00", b"\xc4\x02\xff\x00"),
            ((1 << 64) - 1, b"\xcf" + b"\xff" * 8),
            (-(1 << 63), b"\xd3\x80" + b"\x00" * 7),
            (float("-inf"), b"\xcb\xff\xf0" + b"\x00" * 6),
        ),
    }
    hostile: Mapping[str, Sequence[bytes]] = {
        "nesting": (b"\x91" * 129 + b"\xc0", b"\x81\xa1a" * 129 + b"\xc0", b"\x91" * 1_000_000 + b"\xc0"),
        "bombs": (
            b"\xdd\xff\xff\xff\xff",
            b"\xdf\xff\xff\xff\xff",
            b"\xdb\xff\xff\xff\xff",
            b"\xc6\xff\xff\xff\xff",
            b"\xdd\x00\x0f\x00\x00" * 120 + b"\xc0" * 1_000_000,
        ),
        "programs": (
            b"\xd4\x01x",
            b"\xc7\x03\x05abc",
            b"\xd6\xff\x00\x00\x00\x01",
            b"\xc9\xff\xff\xff\xff\x01",
        ),
        "malformed": (
            b"",
            b"\xc1",
            b"\x82\xa1a\x01\xa1a\x02",
            b"\x81\x90\x01",
            b"\x81\x01\x02",
            b"\xa2\xff\xfe",
            b"\x93\x01\x02",
            b"\x01\x02",
            b"\xdc\x00",
        ),
    }
