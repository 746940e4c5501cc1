"""From what came over the wire to deliveries."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kernel.contracts import Deadline, Delivery, Settle, SettleKind
from kernel.errors import DriverError
from plugin_broker_amqp.envelope import Envelopes
from plugin_broker_amqp.properties import unpack_header
from plugin_broker_amqp.receipt import Receipt
from plugin_broker_amqp.session import Session
from plugin_broker_amqp.settling import Settling
from plugin_broker_amqp.specs import Specs
from plugin_broker_amqp.stencil import Stencils
from plugin_broker_amqp.window import Arrival

BURY_S = 2.0
"""What burying a message that must not be delivered may take."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Makes deliveries, and buries what must not be delivered any more.

    Args:
        envelopes: reads messages.
        specs: which queues are counted, and how often they deliver.
        settling: buries.
        clock: Unix time.
    """

    envelopes: Envelopes
    specs: Specs
    settling: Settling
    clock: Callable[[], float] = time.time
    stencils: Stencils = field(default_factory=Stencils)

    def deliveries(self, session: Session, most: int) -> list[Delivery]:
        """Give out what has arrived, up to ``most``."""
        found: list[Delivery] = []
        arrived, given = session.arrived, session.given
        while arrived and len(found) < most:
            arrival = arrived.popleft()
            delivery, expires = self._delivery(session, arrival)
            given[arrival.tag] = delivery
            reason = self._over(delivery, expires) if expires is not None or delivery.attempt is not None else ""
            if reason:
                self._bury(session, delivery, reason)
            else:
                found.append(delivery)
        return found

    def _delivery(self, session: Session, arrival: Arrival) -> tuple[Delivery, float | None]:
        queue, origin, tag, again, header, body = arrival
        message, marks, returns = self.envelopes.open(queue, origin, unpack_header(header, self.stencils.read), body)
        if marks.expires is not None:
            message = replace(message, ttl_s=max(0.0, marks.expires - self.clock()))
        attempt = marks.attempts + returns + 1 if session.counts(queue) else None
        delivery = Delivery(
            message=message,
            receipt=Receipt(session.epoch, tag),
            attempt=attempt,
            redelivered=again or returns > 0 or marks.attempts > 0,
            epoch=session.epoch,
            dead_reason=marks.dead_reason,
            dead_queue=marks.dead_queue,
        )
        return delivery, marks.expires

    def _over(self, delivery: Delivery, expires: float | None) -> str:
        """Why it must not be delivered; "" when it may."""
        if expires is not None and expires <= self.clock():
            return "expired"
        spec = self.specs.get(delivery.message.queue)
        limit = spec.delivery_limit if spec is not None else None
        if limit is not None and delivery.attempt is not None and delivery.attempt > limit:
            return "delivery_limit"
        return ""

    def _bury(self, session: Session, delivery: Delivery, reason: str) -> None:
        deadline = Deadline.after(BURY_S)
        try:
            [result] = self.settling.settle(session, [Settle(delivery, SettleKind.REJECT, reason=reason)], deadline)
            error = result.error
        except DriverError as lost:
            error = lost
        if error is not None and not session.lost:
            session.wire.write(session.give_back([delivery.receipt.tag]), deadline)
