"""The serializer: one YAML 1.1 document, of the plain types only."""

from typing import ClassVar

from kernel.contracts.serializer import Buffer, DecodeLimits, Serializer
from kernel.errors import DecodeError
from plugin_serializer_yaml.reading import read_document
from plugin_serializer_yaml.writing import write_document


class YamlSerializer(Serializer):
    """``serializer="yaml"``.

    Kept exactly: None, bool, int of at most 4300 digits, float with nan and the infinities, str, list, dict with str
    keys in their order, bytes, date, and datetime with its offset: a named zone becomes its offset, and ``fold`` is
    lost. Tuples become lists, subclasses of these types their base type; everything else is refused. Equal values
    with keys in equal order give equal bytes.
    """

    name: ClassVar[str] = "yaml"
    content_type: ClassVar[str] = "application/x-yaml"
    content_encoding: ClassVar[str] = "utf-8"
    safe: ClassVar[bool] = True
    types: ClassVar[frozenset[str]] = frozenset({"bytes", "datetime", "date", "bigint", "nan"})
    canonical: ClassVar[bool] = True

    def dumps(self, obj: object) -> bytes:
        """Encode; ASCII, in flow style, so that a truncated list or mapping is never whole.

        Raises:
            EncodeError: naming the path of the part that cannot be carried.
        """
        return write_document(obj)

    def loads(self, data: Buffer, limits: DecodeLimits) -> object:
        """Decode exactly one document in UTF-8, without anchors, merge keys, repeated keys or tags of other types.

        Raises:
            DecodeError: for anything else, or more than ``limits`` allow.
        """
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        if size > limits.max_bytes:
            raise DecodeError(f"A YAML text of {size:,} bytes is above the limit of {limits.max_bytes:,}")
        try:
            text = str(data, "utf-8")
        except UnicodeDecodeError as exc:
            raise DecodeError(f"The YAML text is not UTF-8: {exc}") from exc
        return read_document(text, limits)
