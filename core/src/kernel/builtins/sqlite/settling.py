"""Settlements of the SQLite broker: what each kind does to a held message, and which are refused."""

from collections.abc import Sequence

from kernel.builtins import envelope
from kernel.builtins.sqlite.desk import Desk
from kernel.builtins.sqlite.mailbox import DELETE_HELD, Mailbox
from kernel.contracts.broker import SETTLED, Settle, SettleKind, SettleResult
from kernel.contracts.deadline import Deadline
from kernel.errors import DriverError


def settle(desk: Desk, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
    """Apply a batch in one transaction; each result stands for itself."""
    if len(actions) == 1 and actions[0].kind is SettleKind.ACK:
        return [_acknowledge_one(desk, actions[0], deadline)]
    with desk.database.write(deadline) as connection:
        now = desk.clock()
        mailbox = Mailbox(connection, desk.topology.current(connection), now)
        return [_settle(mailbox, action, now) for action in actions]


def _acknowledge_one(desk: Desk, action: Settle, deadline: Deadline) -> SettleResult:
    """The usual case in a statement of its own."""
    refused = _refusal(action)
    if refused is None and desk.database.change(deadline, DELETE_HELD, action.delivery.receipt) != 1:
        refused = envelope.lease_lost(action.delivery.message.id)
    return SETTLED if refused is None else SettleResult(refused)


def _settle(mailbox: Mailbox, action: Settle, now: float) -> SettleResult:
    refused = _refusal(action)
    if refused is not None:
        return SettleResult(refused)
    message, claim = action.delivery.receipt
    until = None
    match action.kind:
        case SettleKind.ACK:
            held = mailbox.acknowledge(message, claim)
        case SettleKind.RELEASE:
            held = mailbox.release(message, claim, action.seconds, uncounted=not action.started)
        case SettleKind.REJECT:
            held = mailbox.reject(message, claim, action.reason)
        case SettleKind.EXTEND:
            until = now + action.seconds
            held = mailbox.extend(message, claim, until)
    if not held:
        return SettleResult(envelope.lease_lost(action.delivery.message.id))
    return SETTLED if until is None else SettleResult(lease_until=until)


def _refusal(action: Settle) -> DriverError | None:
    receipt = action.delivery.receipt
    if not isinstance(receipt, tuple) or len(receipt) != 2 or not all(map(_is_number, receipt)):  # noqa: PLR2004 - a pair
        return envelope.bad_receipt(receipt)
    if not 0 <= action.seconds < float("inf"):
        return envelope.bad_seconds(action.seconds)
    return None


def _is_number(part: object) -> bool:
    """Whether it can be in a column; SQLite's numbers have 64 bits."""
    return isinstance(part, int) and 0 <= part < 1 << 63
