"""The serializer contract, version 1: values to bytes and back, within bounds."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Bounds on what a decode may cost. ``max_bytes`` is checked before parsing."""

    max_bytes: int = 64 * 1024 * 1024
    max_depth: int = 128
    max_nodes: int = 5_000_000


@dataclass(frozen=True, slots=True)
class FormatContext:
    """What the kernel tells a serializer or compressor about the application that uses it (since contract 1.1).

    Attributes:
        options: the plugin's options from setting ``plugin_options``, checked against its manifest, with defaults.
        settings: read-only view of the settings that formats may need: those of ``security_*``.
        serializers: by name and by content type, every serializer that needs nothing of this itself, for one that
            wraps another.
        clock: Unix time in seconds; a test may replace it.
        needed: whether a setting names this format, so that the program cannot do without it. One that is only
            loaded may stay unusable when it is not configured.
    """

    options: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    serializers: "Mapping[str, Serializer]" = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    needed: bool = True


class Serializer(ABC):
    """Turns values into bytes and back (contract ``serializer/1``). Stateless and safe in any thread.

    Attributes:
        name: what users write in ``serializer=``.
        content_type: MIME type in messages (wire.md 14.1).
        content_encoding: ``utf-8`` or ``binary``.
        safe: whether decoding untrusted bytes can do nothing but return a value or raise.
        types: kinds of values kept exactly, beside None, bool, int, float, str, list and dict with str keys:
            any of bytes, datetime, date, time, decimal, uuid, set, tuple, bigint, nan, nonstr_keys, any.
        canonical: equal values give equal bytes in every process.
    """

    name: ClassVar[str]
    content_type: ClassVar[str]
    content_encoding: ClassVar[str]
    safe: ClassVar[bool]
    types: ClassVar[frozenset[str]]
    canonical: ClassVar[bool]

    def configured(self, context: FormatContext) -> "Serializer":
        """The serializer that one application uses, called once before any other method (since contract 1.1).

        The default is this one, for formats that take no options. May read files that options name.

        Raises:
            ImproperlyConfigured: for options that cannot work.
        """
        return self

    def hides(self) -> bool:
        """Whether nobody can read what it writes without a key, so that no part is repeated beside it (since 1.1)."""
        return False

    @abstractmethod
    def dumps(self, obj: object) -> bytes:
        """Encode.

        Raises:
            EncodeError: for a value it cannot carry exactly; the message names the path to it.
        """

    @abstractmethod
    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        """Decode.

        Raises:
            DecodeError: for anything that is not one value of the format within ``limits``; never another error.
        """
