"""Sends calls: route, headers, bytes, few broker calls for many of them, and patience with limits (features.md 1.8)."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

from kernel.contracts.broker import Broker, Outgoing
from kernel.contracts.capabilities import BrokerCaps
from kernel.contracts.deadline import Deadline
from kernel.engine.codec import Codec
from kernel.engine.message_parts import HIDDEN, build_body, build_headers, ids_in
from kernel.engine.message_properties import delay_of, persistent, priority_of, ttl_of
from kernel.engine.outline import Outlines
from kernel.engine.protocol1 import to_protocol_1
from kernel.engine.publish_policy import NO_RETRY, PublishPolicy, publish_policy
from kernel.engine.routing import Destination, RouteResolver
from kernel.engine.timing import NOW, Timing, app_zone, resolve_timing
from kernel.engine.topology import matching_queues, queue_spec
from kernel.model.call import Call
from kernel.model.config import Config
from kernel.model.context import may_wait
from kernel.model.events import event
from kernel.model.options import CallOptions
from kernel.model.topology import TaskRef, Topology
from kernel.runtime import announce
from kernel.runtime.mailbox import Mailbox
from kernel.runtime.middleware import observers
from kernel.runtime.reply_backend import ReplyBackend
from kernel.runtime.sender import Parcel, Sender, Specs, bound_queues
from kernel.runtime.signal_table import after_task_publish, before_task_publish

logger = logging.getLogger("kernel.publisher")


class Wiring(Protocol):
    """What a publisher needs around it; :class:`kernel.runtime.boot.Services` has it."""

    @property
    def config(self) -> Config:
        """The effective settings."""

    @property
    def codec(self) -> Codec:
        """Encodes bodies."""

    @property
    def resolver(self) -> RouteResolver:
        """Decides routes."""

    @property
    def topology(self) -> Topology:
        """The configured queues."""

    def open_broker(self, deadline: Deadline) -> Broker:
        """The broker of this process, open by then at the latest."""

    @property
    def broker_caps(self) -> BrokerCaps:
        """What it can do; known without a connection."""

    @property
    def broker_url(self) -> str:
        """Its URL, for messages to people; masked before it is shown."""

    @property
    def node(self) -> str:
        """The name of this process: the header ``origin``."""

    @property
    def mailbox(self) -> Mailbox:
        """The address of this process: the property ``reply_to``."""

    @property
    def reads_results(self) -> bool:
        """Whether results are asked for here, so that there must be a queue for them."""

    @property
    def replies(self) -> ReplyBackend | None:
        """The result backend when results come to that address."""


Defaults = Callable[[str], Mapping[str, Any]]
"""Execution options by task name, for what a call leaves open (features.md 1.1, ``send_task``)."""
Emit = Callable[[Sequence[Mapping[str, object]]], None]
"""Publishes monitoring events."""


_NOTHING: Mapping[str, Any] = {}


class Place(NamedTuple):
    """Where one message goes: to a queue or to an exchange; ``specs`` are the queues that must exist for it."""

    queue: str
    exchange: str
    routing_key: str
    specs: Specs


class Publisher:
    """Publishes calls for one process (architecture.md 3). Safe in any thread.

    Args:
        wiring: settings, codec, routes and the broker.
        middleware: objects that may have ``before_publish_batch(items)``.
        defaults: options a task declares for its calls; the options of a call win.
        emit: takes ``task-sent`` events when ``task_send_sent_event`` is on.
    """

    def __init__(
        self,
        wiring: Wiring,
        *,
        middleware: Sequence[object] = (),
        defaults: Defaults | None = None,
        emit: Emit | None = None,
    ) -> None:
        config = wiring.config
        self._wiring = wiring
        self._config = config
        self._warned: set[str] = set()
        self._replies = wiring.replies if wiring.reads_results else None
        self._zone = app_zone(config.timezone, config.enable_utc)
        self._defaults = defaults
        self._emit = emit if config.task_send_sent_event else None
        self._observers = observers(middleware, "before_publish_batch")
        self._sender = Sender(wiring.open_broker, config, wiring.broker_url)
        self._policy = publish_policy(config.task_publish_retry_policy, None)
        self._outlines = Outlines(config, wiring.codec)

    def publish(self, calls: Sequence[Call]) -> None:
        """Send a batch of any length, a thousand messages with one broker call.

        Raises:
            OperationalError: when the broker did not take all of them; ``failed`` says which, and why.
            EncodeError: for an argument the serializer cannot carry; nothing was sent then.
            QueueNotFound: for a queue that is not configured, with ``task_create_missing_queues`` off.
            ValueError: for an option outside its range.
        """
        if not calls:
            return
        now = time.time()
        parcels = [parcel for call in calls for parcel in self._parcels(call, now)]
        also = () if self._replies is None else self._answered(self._replies, parcels, calls)
        if self._observers:
            items = [parcel.item for parcel in parcels]
            for observe in self._observers:
                observe(items)
        self._sender.send(parcels, self._policy_of(calls[0].options), also)
        if self._emit is not None:
            self._emit([_sent(parcel, now) for parcel in parcels])
        if after_task_publish.receivers:
            announce.sent(parcels, {call.id: build_body(call, call.options) for call in calls})

    def _parcels(self, call: Call, now: float) -> list[Parcel]:
        """The message of a call; several, when its exchange feeds several queues and the broker knows no exchanges."""
        declared = _NOTHING if self._defaults is None else self._defaults(call.task)
        followed = bool(before_task_publish.receivers)  # they may change every message
        outline = None if followed else self._outlines.find(call, declared, self._wiring.mailbox.oid)
        if outline is not None:
            headers = outline.headers_of(call)
            return [Parcel(outline.message(call, headers, self._wiring.codec), outline.specs, headers)]
        return self._worked_out(call, declared, now)

    def _worked_out(self, call: Call, declared: Mapping[str, Any], now: float) -> list[Parcel]:
        """The same for a call that says how it is sent, and for the first one of its task."""
        options = call.options
        if declared:
            options = cast(CallOptions, {**declared, **options})
        ref = TaskRef(call.task, call.args, call.kwargs, cast(Mapping[str, object], options), call.id)
        destination = self._wiring.resolver.resolve(ref, options)
        options = cast(CallOptions, destination.options)
        timing = resolve_timing(options, now, self._zone, utc=self._config.enable_utc)
        if timing.late:
            logger.warning("Task %s[%s] is sent although it expired at %s", call.task, call.id, timing.expires)
        places = self._places(destination, self._wiring.broker_caps)
        if not places:
            logger.warning(
                "Task %s[%s] reaches no queue by way of exchange %r", call.task, call.id, destination.exchange
            )
        reply_to = options.get("reply_to") or self._wiring.mailbox.oid
        headers = build_headers(call, options, timing, self._wiring.node, self._config.task_repr_maxlevels)
        parcels = [self._parcel(call, options, timing, headers, reply_to, place) for place in places]
        alike = timing is NOW and self._wiring.resolver.by_name and not before_task_publish.receivers
        if len(parcels) == 1 and alike:
            self._outlines.learn(call, declared, options, parcels[0])
        return parcels

    def _answered(self, replies: ReplyBackend, parcels: Sequence[Parcel], calls: Sequence[Call]) -> Specs:
        """The reply queue, which must exist where an answer comes to this process."""
        here = self._wiring.mailbox
        if not any(parcel.item.reply_to == here.oid for parcel in parcels) or not may_wait():
            return ()
        here.expect([task_id for call in calls for task_id in (ids_in(call) if call.options else (call.id,))])
        queue = replies.queue()
        if replies.declare_again():
            self._sender.forget(queue)
        return (queue,)

    def _places(self, destination: Destination, caps: BrokerCaps) -> list[Place]:
        queue, exchange, key, _, spec = destination
        topology = self._wiring.topology
        if not exchange:
            return [Place(queue, "", key, (spec or queue_spec(topology, queue),))]
        if caps.exchanges:
            return [Place("", exchange, key, (spec,) if spec is not None else bound_queues(topology, exchange))]
        reached = matching_queues(topology, exchange, key) or ((queue,) if queue else ())
        return [Place(name, "", name, (queue_spec(topology, name),)) for name in reached]

    def _parcel(
        self,
        call: Call,
        options: CallOptions,
        timing: Timing,
        headers: dict[str, Any],
        reply_to: str,
        place: Place,
    ) -> Parcel:
        config, codec, caps = self._config, self._wiring.codec, self._wiring.broker_caps
        if options.get("priority") and not caps.priority:
            self._warn_of_priority(call.task)
        serializer = options.get("serializer") or config.task_serializer
        if serializer in codec.hiding:
            headers["argsrepr"] = headers["kwargsrepr"] = HIDDEN
        sent: dict[str, Any] = headers
        body: Any = build_body(call, options, reply_to)
        properties = dict(options.get("properties") or {})
        if before_task_publish.receivers:
            announce.sending(call.task, body, headers, properties, place)
        if config.task_protocol == 1:
            sent, body = to_protocol_1(headers, body, utc=config.enable_utc)
        encoded = codec.encode(body, serializer, options.get("compression", config.task_compression))
        if encoded.compression is not None:
            sent["compression"] = encoded.compression
        item = Outgoing(
            queue=place.queue,
            body=encoded.body,
            headers=sent,
            id=call.id,
            content_type=encoded.content_type,
            content_encoding=encoded.content_encoding,
            priority=priority_of(options, config) if caps.priority else None,
            # Through an exchange it goes at once, and the worker waits by the header: brokers delay for one queue.
            delay_s=None if place.exchange else delay_of(timing, caps),
            ttl_s=ttl_of(timing, options.get("ignore_result"), config) if caps.ttl else None,
            group=options.get("group"),
            dedup_id=options.get("dedup_id"),
            exchange=place.exchange,
            routing_key=place.routing_key,
            correlation_id=call.id,
            reply_to=reply_to,
            persistent=persistent(options.get("delivery_mode"), config),
            properties=properties,
        )
        return Parcel(item, place.specs, headers)

    def _warn_of_priority(self, task: str) -> None:
        """Once for each task: a retry carries the priority of its message along, wherever that came from."""
        if task not in self._warned:
            self._warned.add(task)
            logger.warning("Priorities of %s have no effect: the broker has none", task)

    def _policy_of(self, options: CallOptions) -> PublishPolicy:
        if not options.get("retry", self._config.task_publish_retry):
            return NO_RETRY
        own = options.get("retry_policy")
        return self._policy if own is None else publish_policy(self._config.task_publish_retry_policy, own)


def _sent(parcel: Parcel, now: float) -> Mapping[str, object]:
    item, _, headers = parcel
    copied = ("root_id", "parent_id", "retries", "eta", "expires")
    return event(
        "task-sent",
        now,
        uuid=item.id,
        name=headers["task"],
        args=headers["argsrepr"],
        kwargs=headers["kwargsrepr"],
        queue=item.queue,
        exchange=item.exchange,
        routing_key=item.routing_key,
        **{key: headers[key] for key in copied},
    )
