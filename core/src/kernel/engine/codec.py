"""Values to message bytes and back: serialize and compress, within limits, and only what is accepted.

Resolved once into dicts; a message costs a few lookups beside the serializer's own work.
"""

from collections.abc import Iterable
from types import NoneType
from typing import NamedTuple

from kernel.contracts.compressor import Compressor
from kernel.contracts.serializer import Buffer, DecodeLimits, Serializer
from kernel.engine.codec_names import by_name, install_hint, unknown_name
from kernel.engine.rawtext import RAW_READERS
from kernel.errors import (
    Code,
    CodecError,
    ContentDisallowed,
    DecodeError,
    DriverError,
    EncodeError,
)

_TEXT = (str, NoneType)


class Encoded(NamedTuple):
    """A body ready to be sent.

    ``compression`` is the value of the header of that name, None when the body is not compressed (wire.md 14.2).
    """

    body: bytes
    content_type: str
    content_encoding: str
    compression: str | None


class Codec:
    """Encodes with a named serializer and compressor; decodes by content type and header.

    Args:
        serializers: every serializer there is. Of two with one content type, the one that ``accept`` names first
            decodes it.
        compressors: every compressor there is. Two may share an encoding, which then means one format.
        accept: names or content types that may be decoded (``accept_content``, features.md 1.10). Raw bytes and
            plain text are always accepted: they cannot do harm and are never a task body.
        limits: bounds on everything that is decoded or decompressed.

    Attributes:
        hiding: names and content types of the serializers whose bytes nobody can read without a key.

    Raises:
        ImproperlyConfigured: for a name in ``accept`` that nothing provides, and for two plugins with one name.
    """

    def __init__(
        self,
        serializers: Iterable[Serializer],
        compressors: Iterable[Compressor],
        accept: Iterable[str],
        limits: DecodeLimits,
    ) -> None:
        self._limits = limits
        self._serializers = by_name("serializer", [((s.name,), s) for s in serializers])
        self._compressors = by_name("compressor", [((c.name, *c.aliases), c) for c in compressors])
        self.hiding = frozenset(
            name for each in self._serializers.values() if each.hides() for name in (each.name, each.content_type)
        )
        self._by_type: dict[str, Serializer] = {}
        for serializer in self._serializers.values():
            self._by_type.setdefault(serializer.content_type, serializer)
        self._by_encoding: dict[str, Compressor] = {}
        for compressor in self._compressors.values():
            self._by_encoding.setdefault(compressor.encoding, compressor)
        self._accepted: dict[str, Serializer] = {}
        for name in accept:
            self._accept(name)

    def encode(self, value: object, serializer: str, compression: str | None = None) -> Encoded:
        """Encode ``value``; the body stays as it is where compressing does not make it smaller.

        Raises:
            EncodeError: for a value the serializer cannot carry; the message names its path.
            ImproperlyConfigured: for a name that no plugin provides.
        """
        chosen = self._serializers.get(serializer) or self.serializer(serializer)
        try:
            body = chosen.dumps(value)
        except CodecError:
            raise
        except Exception as exc:
            raise EncodeError(f"Serializer {chosen.name!r} failed: {type(exc).__name__}: {exc}") from exc
        if compression is not None:
            compressor = self.compressor(compression)
            smaller = compressor.compress(body)
            if len(smaller) < len(body):
                return Encoded(smaller, chosen.content_type, chosen.content_encoding, compressor.encoding)
        return Encoded(body, chosen.content_type, chosen.content_encoding, None)

    def decode(
        self, body: Buffer, content_type: str | None, content_encoding: str | None, compression: str | None = None
    ) -> object:
        """Decode a body by what its message says of it.

        ``content_encoding`` counts for plain text only: a serializer's format has its own.

        Raises:
            ContentDisallowed: before anything is decompressed or decoded, for a type that is not accepted.
            DecodeError: for bytes that are no such value, or exceed the limits.
        """
        if not (
            isinstance(content_type, _TEXT) and isinstance(content_encoding, _TEXT) and isinstance(compression, _TEXT)
        ):
            given = (content_type, content_encoding, compression)
            raise DecodeError(f"Content type, encoding and compression of a message must be texts, got {given!r:.120}")
        serializer = self._accepted.get(content_type or "") or self._accepted.get(_essence(content_type))
        if serializer is None and _essence(content_type) not in RAW_READERS:
            raise self._disallowed(content_type)
        if compression is not None:
            body = self.decompress(body, compression)
        if serializer is None:
            return RAW_READERS[_essence(content_type)](body, content_encoding, self._limits)
        try:
            return serializer.loads(body, self._limits)
        except DecodeError:
            raise
        except Exception as exc:
            raise DecodeError(f"Serializer {serializer.name!r} failed: {type(exc).__name__}: {exc}") from exc

    def decompress(self, body: Buffer, encoding: str) -> bytes:
        """Undo a compression named as in the message's header.

        Raises:
            DecodeError: for damaged or oversized data, or an encoding that nothing provides.
        """
        compressor = self._by_encoding.get(encoding) or self._compressors.get(encoding)
        if compressor is None:
            known = sorted(self._by_encoding)
            raise DecodeError(
                f"Unknown compression {encoding!r:.80} (known: {', '.join(known)})", cure=install_hint(encoding)
            )
        try:
            return compressor.decompress(body, self._limits.max_bytes)
        except DriverError as exc:
            what = "is too large" if exc.code is Code.TOO_LARGE else "is damaged"
            raise DecodeError(f"The body compressed as {encoding} {what}: {exc}") from exc
        except Exception as exc:
            raise DecodeError(f"Compressor {compressor.name!r} failed: {type(exc).__name__}: {exc}") from exc

    def serializer(self, name: str) -> Serializer:
        """The serializer of that name or content type.

        Raises:
            ImproperlyConfigured: when there is none, with the nearest names or the plugin to install.
        """
        found = self._serializers.get(name) or self._by_type.get(name)
        if found is None:
            raise unknown_name("serializer", name, self._serializers)
        return found

    def compressor(self, name: str) -> Compressor:
        """The compressor of that name, alias or encoding.

        Raises:
            ImproperlyConfigured: when there is none, with the nearest names or the plugin to install.
        """
        found = self._compressors.get(name) or self._by_encoding.get(name)
        if found is None:
            raise unknown_name("compressor", name, self._compressors)
        return found

    def _accept(self, name: str) -> None:
        if name in RAW_READERS:
            return
        serializer = self.serializer(name)
        self._accepted.setdefault(serializer.content_type, serializer)

    def _disallowed(self, content_type: str | None) -> ContentDisallowed:
        if not content_type:
            return ContentDisallowed("The message does not say its content type")
        accepted = ", ".join(sorted(s.name for s in self._accepted.values())) or "nothing"
        known = self._by_type.get(_essence(content_type))
        cure = f"Add {known.name if known else content_type!r} to accept_content if you trust everybody who can send."
        return ContentDisallowed(f"Content type {content_type!r:.80} is not accepted (accepted: {accepted})", cure=cure)


def _essence(content_type: str | None) -> str:
    """The type without its parameters: ``application/json`` of ``Application/JSON; charset=utf-8``."""
    return (content_type or "").partition(";")[0].strip().lower()
