"""Where decisions about deliveries are carried out."""

from dataclasses import dataclass

from kernel.contracts.broker import Delivery, Settle, SettleKind
from kernel.contracts.capabilities import BrokerCaps
from kernel.engine.postpone import GiveBack, Hold, Postponement, SendAgain
from kernel.engine.quarantine import again, copy_for
from kernel.runtime.copies import Copies
from kernel.runtime.endings import Ending, Endings
from kernel.runtime.lease import LeaseKeeper
from kernel.runtime.ledger import Ledger
from kernel.runtime.link import Link
from kernel.runtime.settlement import Settlement
from kernel.runtime.tell import Tell
from kernel.runtime.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of a node that act, with what the broker lacks made up for.

    Attributes:
        link: the connection.
        ledger: what runs.
        settlement: settles deliveries.
        copies: sends messages again.
        endings: stores results of the node's own.
        waiting: messages due in a moment.
        leases: keeps leases.
        tell: log and events.
        quarantine: name of the quarantine queue.
    """

    link: Link
    ledger: Ledger
    settlement: Settlement
    copies: Copies
    endings: Endings
    waiting: Waiting
    leases: LeaseKeeper
    tell: Tell
    quarantine: str

    @property
    def caps(self) -> BrokerCaps:
        """What the broker can do."""
        return self.link.capabilities

    def settle(self, settle: Settle, tag: int | None = None) -> None:
        """Settle a delivery; where the broker has no dead letters, a copy goes into quarantine first."""
        if settle.kind is SettleKind.REJECT and not self.caps.dlq:
            copy = copy_for(settle.delivery.message, self.quarantine, settle.reason)
            self.copies.add(copy, Settle(settle.delivery, SettleKind.ACK), tag)
        else:
            self.settlement.settle(settle, tag)

    def end(self, ending: Ending, settle: Settle | None = None, tag: int | None = None) -> None:
        """Store how a task ended, then settle its delivery, unless it was acknowledged before."""
        if not self.endings.enabled:
            if settle is not None:
                self.settle(settle, tag)
        else:
            self.endings.add(ending, settle, tag)

    def postpone(self, delivery: Delivery, tag: int, how: Postponement, now: float) -> bool:
        """Let a message wait; whether its lease is to be kept meanwhile. ``tag`` is that lease's."""
        match how:
            case Hold(seconds):
                self.waiting.add(now + seconds, tag, delivery)
            case SendAgain(seconds):
                message = again(delivery.message, delivery.message.queue, seconds)
                self.copies.add(message, Settle(delivery, SettleKind.ACK), tag)
            case GiveBack(seconds):
                self.settlement.settle(Settle(delivery, SettleKind.RELEASE, seconds, started=False), tag)
                return False
        return True
