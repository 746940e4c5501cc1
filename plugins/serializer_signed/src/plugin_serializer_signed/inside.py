"""What may be inside a signed message: bytes that another serializer wrote."""

from collections.abc import Iterable, Mapping

from kernel.contracts.serializer import Buffer, DecodeLimits, Serializer
from kernel.errors import DecodeError, ImproperlyConfigured
from kernel.errors.near import did_you_mean


class Inside:
    """The serializers inside: one that writes, and all that may be read.

    Args:
        writer: name of the serializer that writes.
        accept: names of further ones that may be read.
        serializers: those there are, by name and content type.

    Raises:
        ImproperlyConfigured: for a name that none of them has.
    """

    def __init__(self, writer: str, accept: Iterable[str], serializers: Mapping[str, Serializer]) -> None:
        self.writer = _find(writer, serializers)
        readers = [self.writer, *(_find(name, serializers) for name in accept)]
        self._readers = {each.content_type: each for each in readers}

    def read(self, content_type: str, body: Buffer, limits: DecodeLimits) -> object:
        """Decode what was inside, after its signature was found good.

        Raises:
            DecodeError: for a content type that is not among those accepted inside, before anything is decoded, and
                for what its serializer refuses.
        """
        reader = self._readers.get(content_type)
        if reader is None:
            known = ", ".join(sorted(each.name for each in self._readers.values()))
            raise DecodeError(
                f"Content type {content_type!r:.80} is not accepted inside a signed message (accepted: {known})",
                cure="Add its serializer to the option accept, if every signer may use it.",
            )
        return reader.loads(body, limits)


def whole(data: Buffer, limits: DecodeLimits) -> bytes:
    """The message as bytes.

    Raises:
        DecodeError: above ``max_bytes``.
    """
    size = data.nbytes if isinstance(data, memoryview) else len(data)
    if size > limits.max_bytes:
        raise DecodeError(f"A signed message of {size:,} bytes is above the limit of {limits.max_bytes:,}")
    return bytes(data)


def _find(name: str, serializers: Mapping[str, Serializer]) -> Serializer:
    if name in serializers:
        return serializers[name]
    names = {each.name for each in serializers.values()}
    cure = did_you_mean(name, names) or f"Name its plugin in plugins. Known are {', '.join(sorted(names))}."
    raise ImproperlyConfigured(f"There is no serializer {name!r} to write or read the inside of messages", cure=cure)
