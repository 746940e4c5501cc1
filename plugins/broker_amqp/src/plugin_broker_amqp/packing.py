"""From messages to what is written: checks first, then the way to the queue, then bytes."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from kernel.contracts import BrokerCaps, Deadline, Outgoing
from kernel.contracts.simple import refusals
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from plugin_broker_amqp.desk import Desk
from plugin_broker_amqp.envelope import Envelopes, Marks
from plugin_broker_amqp.ladder import Ladder
from plugin_broker_amqp.properties import pack_header
from plugin_broker_amqp.publisher import Parcel
from plugin_broker_amqp.specs import Specs
from plugin_broker_amqp.tables import BadTable

MOST_NAME_BYTES: Final = 255
MOST_HEADER: Final = 120_000
"""Bytes of properties and headers: they stand in one frame, and RabbitMQ's frames have 131,072 bytes."""
RESERVED: Final = "amq."


@dataclass(frozen=True, slots=True)
class Packing:
    """Packs.

    Args:
        caps: what the broker claims.
        envelopes: makes properties.
        specs: the priorities of queues.
        desk: prepares queues for delays.
        ladder: the names of the delay queues.
        clock: Unix time.
    """

    caps: BrokerCaps
    envelopes: Envelopes
    specs: Specs
    desk: Desk
    ladder: Ladder
    clock: Callable[[], float]

    def check_spec(self, spec: QueueSpec) -> None:
        """Refuse a queue that cannot be declared.

        Raises:
            DriverError: INVALID or UNSUPPORTED.
        """
        refused = refusals.refused_spec(spec, self.caps)
        for name in (spec.name, spec.dead_letter or "", spec.exchange.name):
            refused = refused or _refused_name(name)
        if refused is not None:
            raise refused

    def parcel(self, item: Outgoing, marks: Marks, deadline: Deadline) -> Parcel:
        """A message ready for the wire.

        Raises:
            DriverError: why it cannot be sent.
        """
        refused = None if self._is_plain(item) else refusals.refused_item(item, self.caps) or self._refused(item)
        if refused is not None:
            raise refused
        if not item.queue:
            self.desk.find_exchange(item.exchange, deadline)
            return self._packed(item, item.exchange, item.routing_key, marks)
        if not item.delay_s:
            return self._packed(item, "", item.queue, marks)
        self.desk.land(item.queue, deadline)
        if item.ttl_s is not None:
            marks = replace(marks, expires=self.clock() + item.ttl_s)
        return self._packed(item, self.ladder.top, self.ladder.key(item.queue, item.delay_s), marks)

    def _is_plain(self, item: Outgoing) -> bool:
        """Whether there is nothing to check, as with nearly every message of a queue that was declared here."""
        most = self.caps.limits.max_body or 0
        return (
            self.specs.get(item.queue) is not None
            and type(item.body) is bytes
            and len(item.body) <= most
            and (item.priority is None or (item.priority == 0 and self.caps.priority))
            and item.delay_s is None
            and item.ttl_s is None
            and item.group is None
            and item.dedup_id is None
        )

    def _packed(self, item: Outgoing, exchange: str, key: str, marks: Marks) -> Parcel:
        seen_key = item.queue or key  # what the receiver sees: the delay's digits are taken off there
        try:
            properties = self.envelopes.seal(item, seen_key, marks, to_exchange=not item.queue)
            header = pack_header(properties, len(item.body))
        except BadTable as error:
            raise _invalid(f"Message {item.id!r} cannot be sent: {error}") from error
        if len(header) > MOST_HEADER:
            raise DriverError(
                Code.TOO_LARGE,
                f"Message {item.id!r} has {len(header)} bytes of headers; the limit is {MOST_HEADER}",
                cure="Put them into the body.",
            )
        return Parcel(exchange, key, bool(item.queue), header, item.body, item.id)

    def _refused(self, item: Outgoing) -> DriverError | None:
        if item.delay_s is not None and not item.queue:
            return refusals.unsupported("delay", f"Message {item.id!r} to exchange {item.exchange!r} with a delay")
        if item.ttl_s is not None and not item.ttl_s < math.inf:
            return _invalid(f"ttl_s={item.ttl_s!r} of message {item.id!r} is no number of seconds")
        spec = self.specs.get(item.queue)
        top = spec.max_priority if spec is not None else None
        if item.priority is not None and top is not None and item.priority > top:
            return _invalid(f"priority={item.priority} of message {item.id!r} is outside 0 to {top}")
        return _refused_name(item.queue)


def _refused_name(name: str) -> DriverError | None:
    if len(name.encode(errors="replace")) > MOST_NAME_BYTES:
        return _invalid(f"The name {name[:40]!r}... has more than {MOST_NAME_BYTES} bytes")
    if name.startswith(RESERVED):
        return _invalid(f"The name {name!r} begins with {RESERVED!r}, which belongs to the server")
    return None


def _invalid(what: str) -> DriverError:
    return DriverError(Code.INVALID, what, cure="Correct the call.")
