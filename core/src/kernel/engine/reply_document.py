"""A result as a message: the common document, alone in a body (wire.md 10.3)."""

from dataclasses import replace

from kernel.contracts.backend import Record
from kernel.contracts.broker import Outgoing
from kernel.contracts.compressed import split
from kernel.contracts.document import Documents
from kernel.engine.codec import Codec
from kernel.engine.result_formats import ResultFormats
from kernel.errors import DecodeError


class ReplyDocuments:
    """Writes and reads reply messages.

    Args:
        codec: accepts ``result_accept_content``.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._documents: dict[str, Documents] = {}

    def write(self, record: Record) -> tuple[bytes, str, str]:
        """Body, content type and content encoding; never compressed, as no Celery client would look for that here."""
        body, encoding = split(record.result or b"")
        if encoding is not None:
            record = replace(record, result=self._codec.decompress(body, encoding))
        return self._in(record.content_type).write(record), record.content_type, record.content_encoding

    def read(self, message: Outgoing) -> Record:
        """The record in a message, which names its task as correlation id.

        Raises:
            KernelError: for a message that is no result.
        """
        body, compression = message.body, message.headers.get("compression")
        if compression is not None:
            body = self._codec.decompress(body, compression)
        if not message.correlation_id:
            raise DecodeError("It has no correlation_id, so it is nobody's result")
        return self._in(message.content_type).read(message.correlation_id, body)

    def _in(self, content_type: str) -> Documents:
        found = self._documents.get(content_type)
        if found is None:
            found = self._documents[content_type] = Documents(ResultFormats(self._codec, content_type))
        return found
