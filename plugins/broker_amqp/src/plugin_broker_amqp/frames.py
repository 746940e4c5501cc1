"""Frames of AMQP 0-9-1: cutting them out of large reads, and writing the few that the hot loops need.

Every other frame is py-amqp's business.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from plugin_broker_amqp.tables import short_text

KNOWN: Final = 1000
"""How many different things are remembered at a time."""
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
END: Final = b"\xce"
_END: Final = 0xCE
_HEAD: Final = Struct(">BHI")
_OVERHEAD: Final = 8
_TAG: Final = Struct(">Q")
_SHORT: Final = Struct(">H")

CHANNEL_CLOSE: Final = b"\x00\x14\x00\x28"
CHANNEL_CLOSE_OK: Final = b"\x00\x14\x00\x29"
QOS: Final = b"\x00\x3c\x00\x0a"
QOS_OK: Final = b"\x00\x3c\x00\x0b"
CONSUME: Final = b"\x00\x3c\x00\x14"
CANCEL: Final = b"\x00\x3c\x00\x1e"
CANCEL_OK: Final = b"\x00\x3c\x00\x1f"
PUBLISH: Final = b"\x00\x3c\x00\x28"
RETURN: Final = b"\x00\x3c\x00\x32"
DELIVER: Final = b"\x00\x3c\x00\x3c"
ACK: Final = b"\x00\x3c\x00\x50"
REJECT: Final = b"\x00\x3c\x00\x5a"
NACK: Final = b"\x00\x3c\x00\x78"

HEARTBEAT_FRAME: Final = _HEAD.pack(HEARTBEAT, 0, 0) + END
MULTIPLE, REQUEUE = 1, 2


class BadFrame(ValueError):
    """What came is no frame: the two sides no longer understand each other."""


Frame = tuple[int, int, bytes]
"""Kind, channel and payload. A plain tuple: there are three of them for each message."""


class Cutter:
    """Collects what was read and gives out whole frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Every whole frame that is there now.

        Raises:
            BadFrame: when a frame does not end where it says.
        """
        buffer = self._rest + data if self._rest else data
        offset, size = 0, len(buffer)
        unpack = _HEAD.unpack_from
        while size - offset >= _OVERHEAD:
            kind, channel, length = unpack(buffer, offset)
            end = offset + 7 + length
            if end >= size:
                break
            if buffer[end] != _END:
                raise BadFrame(f"a frame ends with {buffer[end]:#04x} instead of 0xce")
            self._rest = b""  # should the consumer of this iterator stop here, nothing is cut twice
            yield kind, channel, buffer[offset + 7 : end]
            offset = end + 1
        self._rest = buffer[offset:] if offset else buffer


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """A frame."""
    return b"%b%b\xce" % (_HEAD.pack(kind, channel, len(payload)), payload)


def method(channel: int, signature: bytes, arguments: bytes = b"") -> bytes:
    """A method frame."""
    return frame(METHOD, channel, signature + arguments)


def publish_method(channel: int, exchange: str, routing_key: str, *, mandatory: bool) -> bytes:
    """``basic.publish``.

    Raises:
        BadTable: for a name of more than 255 bytes.
    """
    names = short_text(exchange) + short_text(routing_key)
    return method(channel, PUBLISH, b"\x00\x00" + names + (b"\x01" if mandatory else b"\x00"))


def content(channel: int, header: bytes, body: bytes, frame_max: int) -> bytes:
    """A content header frame and as many body frames as the body needs."""
    most = frame_max - _OVERHEAD
    size = len(body)
    head = frame(HEADER, channel, header)
    if not size:
        return head
    if size <= most:
        return b"%b%b%b\xce" % (head, _HEAD.pack(BODY, channel, size), body)
    pieces = [head]
    pieces += [frame(BODY, channel, body[start : start + most]) for start in range(0, size, most)]
    return b"".join(pieces)


def ack(channel: int, tag: int, *, multiple: bool = False) -> bytes:
    """``basic.ack``: that delivery, or every one up to it."""
    return method(channel, ACK, _TAG.pack(tag) + (b"\x01" if multiple else b"\x00"))


def nack(channel: int, tag: int) -> bytes:
    """``basic.nack``: put it back into its queue."""
    return method(channel, NACK, _TAG.pack(tag) + bytes((REQUEUE,)))


def reject(channel: int, tag: int) -> bytes:
    """``basic.reject``: drop it, or let the server move it to the queue's dead letter."""
    return method(channel, REJECT, _TAG.pack(tag) + b"\x00")


def qos(channel: int, count: int) -> bytes:
    """``basic.qos`` for consumers to come on that channel, each for itself."""
    return method(channel, QOS, b"\x00\x00\x00\x00" + _SHORT.pack(count) + b"\x00")


def consume(channel: int, queue: str, tag: str) -> bytes:
    """``basic.consume`` with acknowledgements, without an answer."""
    names = short_text(queue) + short_text(tag)
    return method(channel, CONSUME, b"\x00\x00" + names + b"\x08\x00\x00\x00\x00")


def cancel(channel: int, tag: str, *, answer: bool) -> bytes:
    """``basic.cancel``."""
    return method(channel, CANCEL, short_text(tag) + (b"\x00" if answer else b"\x01"))


def tag_and_bits(payload: bytes) -> tuple[int, int]:
    """The delivery tag and the flags of ``basic.ack`` and ``basic.nack``."""
    return int(_TAG.unpack_from(payload, 4)[0]), payload[12]


def short_at(payload: bytes, offset: int) -> tuple[str, int]:
    """A short string, and where it ends."""
    start = offset + 1
    end = start + payload[offset]
    return payload[start:end].decode(errors="backslashreplace"), end


def reason_of_close(payload: bytes) -> tuple[int, str]:
    """Code and text of ``channel.close``."""
    return int(_SHORT.unpack_from(payload, 4)[0]), short_at(payload, 6)[0]


class Origin(NamedTuple):
    """What ``basic.deliver`` says that many messages have in common."""

    consumer: str
    exchange: str
    routing_key: str


class Origins:
    """Reads ``basic.deliver``; what is the same in message after message is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], Origin] = {}

    def read(self, payload: bytes) -> tuple[Origin, int, bool]:
        """Where it comes from, its tag, and whether it was delivered before."""
        end = 5 + payload[4]
        key = (payload[4:end], payload[end + 9 :])
        origin = self._known.get(key)
        if origin is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            origin = self._known[key] = _origin(*key)
        return origin, _TAG.unpack_from(payload, end)[0], payload[end + 8] != 0


def _origin(consumer: bytes, names: bytes) -> Origin:
    exchange, after = short_at(names, 0)
    return Origin(short_at(consumer, 0)[0], exchange, short_at(names, after)[0])


def returned(payload: bytes) -> tuple[str, str]:
    """Exchange and routing key of ``basic.return``."""
    _, end = short_at(payload, 6)
    exchange, after = short_at(payload, end)
    return exchange, short_at(payload, after)[0]
