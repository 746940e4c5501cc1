"""What stores that write whole documents need of the application's serializers and compressors."""

from typing import Protocol

from kernel.contracts.serializer import Buffer


class Formats(Protocol):
    """The formats of results, as :class:`~kernel.contracts.PluginContext` hands them to a result backend.

    Everything keeps to the application's limits on what is decoded, and to ``result_accept_content``.
    """

    @property
    def content_type(self) -> str:
        """The content type of ``result_serializer``: what a document is taken for that is not JSON."""

    def loads(self, data: Buffer, content_type: str) -> object:
        """Decode.

        Raises:
            DecodeError: for bytes that are no such value, or exceed the limits.
            ContentDisallowed: for a content type that is not accepted.
        """

    def dumps(self, value: object, content_type: str) -> bytes:
        """Encode.

        Raises:
            EncodeError: for a value the serializer cannot carry.
            ImproperlyConfigured: for a content type that nothing provides.
        """

    def compress(self, data: bytes, encoding: str) -> bytes:
        """Compress, whatever that saves.

        Raises:
            ImproperlyConfigured: for an encoding that nothing provides.
        """

    def decompress(self, data: bytes, encoding: str) -> bytes:
        """Undo it.

        Raises:
            DecodeError: for damaged or oversized data, or an encoding that nothing provides.
        """
