"""What the messages of one task have in common: worked out once, filled in for every call that says nothing else.

Such a call differs from the one before it in its id, its arguments and its place in a workflow; route, times, priority
and most headers are the same. Working them out again is most of what publishing costs (benchmarks/README.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kernel.contracts.broker import Outgoing
from kernel.engine.codec import Codec
from kernel.engine.message_parts import HIDDEN, NO_EMBED
from kernel.engine.saferepr import saferepr
from kernel.model.call import Call
from kernel.model.config import Config
from kernel.model.options import CallOptions
from kernel.model.topology import QueueSpec

_PLACE: Final = {"group_id": "group", "group_index": "group_index", "root_id": "root_id", "parent_id": "parent_id"}
"""Options that only say where in a workflow a call stands, and the headers they become."""
_UNSEEN: Final = frozenset({"add_to_parent"})
_ORDINARY: Final = frozenset({*_PLACE, *_UNSEEN})
_STEADY: Final = frozenset(
    {
        "queue", "exchange", "routing_key", "priority", "serializer", "delivery_mode", "compression", "time_limit",
        "soft_time_limit", "ignore_result", *_ORDINARY,
    }
)  # fmt: skip
"""Options that mean the same for every call: of the others some are for one message only."""
_MOST: Final = 1000
"""Tasks whose outlines are remembered; names may come from outside and never end."""
Message = tuple[Outgoing, tuple[QueueSpec, ...], Mapping[str, Any]]
"""A message, the queues it needs, and its headers."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The message of a call of a task that says nothing about how it is sent.

    Attributes:
        declared: the task's own execution options; others mean another outline.
        reply_to: where results go; another process has another address.
        headers: those of such a message, in their order.
        item: such a message, without what is of one call only.
        specs: the queues that must exist for it.
        serializer: name of the body's format, with ``compression``.
        max_depth: depth of ``argsrepr`` and ``kwargsrepr``.
        hidden: what stands for the arguments where nobody may read them; None shows them.
    """

    declared: Mapping[str, Any]
    reply_to: str
    headers: Mapping[str, Any]
    item: Outgoing
    specs: tuple[QueueSpec, ...]
    serializer: str
    compression: str | None
    max_depth: int | None
    hidden: str | None

    def fits(self, call: Call, declared: Mapping[str, Any], reply_to: str) -> bool:
        """Whether the message of this call is one of these."""
        return (
            self.declared is declared
            and self.reply_to == reply_to
            and (not call.options or _ORDINARY.issuperset(call.options))
        )

    def headers_of(self, call: Call) -> dict[str, Any]:
        """The headers of a call that fits, as :func:`~kernel.engine.message_parts.build_headers` makes them."""
        headers = dict(self.headers)
        headers["id"] = headers["root_id"] = call.id
        for name, value in call.options.items():
            if name in _PLACE and (value or name != "root_id"):
                headers[_PLACE[name]] = value
        # Whoever changes one message must not change others.
        headers["timelimit"] = [*headers["timelimit"]]
        headers["stamps"] = {}
        hidden = self.hidden
        headers["argsrepr"] = saferepr(call.args, self.max_depth) if hidden is None else hidden
        headers["kwargsrepr"] = saferepr(call.kwargs, self.max_depth) if hidden is None else hidden
        return headers

    def message(self, call: Call, headers: dict[str, Any], codec: Codec) -> Outgoing:
        """The message of a call that fits.

        Raises:
            EncodeError: for an argument the serializer cannot carry.
        """
        item = self.item
        encoded = codec.encode([call.args, call.kwargs, NO_EMBED], self.serializer, self.compression)
        if encoded.compression is not None:
            headers["compression"] = encoded.compression
        return Outgoing(  # by position, which is a quarter quicker: benchmarks/README.md
            item.queue, encoded.body, headers, call.id, item.content_type, item.content_encoding, item.priority,
            item.delay_s, item.ttl_s, item.group, item.dedup_id, item.exchange, item.routing_key, call.id,
            item.reply_to, item.persistent, {},
        )  # fmt: skip


class Outlines:
    """The outlines of one process, by task. Safe in any thread.

    Args:
        config: the formats of bodies, the protocol, the depth of ``argsrepr``.
        codec: knows which formats hide what they carry.
    """

    def __init__(self, config: Config, codec: Codec) -> None:
        self._config = config
        self._hiding = codec.hiding
        self._known: dict[str, Outline] = {}

    def find(self, call: Call, declared: Mapping[str, Any], reply_to: str) -> Outline | None:
        """The outline that this call fits, if there is one already."""
        outline = self._known.get(call.task)
        return outline if outline is not None and outline.fits(call, declared, reply_to) else None

    def learn(self, call: Call, declared: Mapping[str, Any], options: CallOptions, message: Message) -> None:
        """From the message of a call, where times and routes were no matter of that call alone.

        Args:
            call: the call.
            declared: the execution options of its task.
            options: the call's, the task's and the route's together.
            message: what was made of them.
        """
        config = self._config
        if config.task_protocol == 1 or not (_ORDINARY.issuperset(call.options) and _STEADY.issuperset(options)):
            return
        item, specs, headers = message
        serializer = options.get("serializer") or config.task_serializer
        own = {"group": None, "group_index": None, "parent_id": None, "timelimit": [*headers["timelimit"]]}
        common = {**headers, **own}
        common.pop("compression", None)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[call.task] = Outline(
            declared=declared,
            reply_to=item.reply_to or "",
            headers=common,
            item=replace(item, body=b"", headers={}, id=""),
            specs=specs,
            serializer=serializer,
            compression=options.get("compression", config.task_compression),
            max_depth=config.task_repr_maxlevels,
            hidden=HIDDEN if serializer in self._hiding else None,
        )
