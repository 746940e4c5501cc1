"""What a node tells of one task to those who ask (wire.md 12, task info object)."""

from collections.abc import Mapping
from typing import Any

from kernel.contracts.broker import Delivery
from kernel.contracts.pool import Running
from kernel.engine.codec import Codec
from kernel.errors import CodecError, InvalidTaskError
from kernel.model.message import read_body
from kernel.runtime.jobs import delivery_info
from kernel.runtime.ledger import Entry

Info = dict[str, Any]


class TaskInfos:
    """Describes tasks.

    Args:
        codec: reads arguments, which the node itself never needs.
        serializer: of answers (``task_serializer``); what came in another format is shown as its sender's text.
        hostname: name of the node.
    """

    def __init__(self, codec: Codec, serializer: str, hostname: str) -> None:
        self._codec = codec
        self._content_type = codec.serializer(serializer).content_type
        self._hostname = hostname

    def of_entry(self, entry: Entry, running: Running | None = None, *, safe: bool = False) -> Info:
        """A task that was handed to the pool; ``running`` once an executor has begun."""
        info = self.of_delivery(entry.delivery, entry.headers, safe=safe)
        info["acknowledged"] = entry.settled and not entry.gone
        if running is not None:
            info["time_start"], info["worker_pid"] = running.at, running.pid
        return info

    def of_delivery(self, delivery: Delivery, headers: Mapping[str, Any], *, safe: bool = False) -> Info:
        """A task that is held back.

        Args:
            delivery: its message.
            headers: its headers.
            safe: show arguments as the sender's text instead of decoding them.
        """
        as_text = safe or delivery.message.content_type != self._content_type
        args, kwargs = (None, None) if as_text else self._arguments(delivery, headers)
        return {
            "id": headers.get("id"),
            "name": headers.get("task"),
            "args": headers.get("argsrepr") if args is None else args,
            "kwargs": headers.get("kwargsrepr") if kwargs is None else kwargs,
            "type": headers.get("task"),
            "hostname": self._hostname,
            "time_start": None,
            "acknowledged": False,
            "delivery_info": delivery_info(delivery),
            "worker_pid": None,
        }

    def _arguments(self, delivery: Delivery, headers: Mapping[str, Any]) -> tuple[Any, Any]:
        """The arguments; None for both when they cannot be read."""
        message = delivery.message
        try:
            decoded = self._codec.decode(
                message.body, message.content_type, message.content_encoding, headers.get("compression")
            )
            body = read_body(headers, decoded)
        except (CodecError, InvalidTaskError):
            return None, None
        return list(body.args), dict(body.kwargs)
