"""Settlements of the SQLite broker: what each kind does to a held message, and which are refused."""

import contextlib
from collections.abc import Sequence

from kernel.builtins import envelope
from kernel.builtins.sqlite.desk import Desk
from kernel.builtins.sqlite.mailbox import DELETE_HELD, Mailbox
from kernel.contracts.broker import SETTLED, Settle, SettleKind, SettleResult
from kernel.contracts.deadline import Deadline
from kernel.errors import DriverError

INT64 = 1 << 63


def settle(desk: Desk, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
    """Apply a batch in one transaction; each result stands for itself."""
    if all(action.kind is SettleKind.ACK and _is_receipt(action.delivery.receipt) for action in actions):
        if len(actions) == 1:
            return [_acknowledge_one(desk, actions[0], deadline)]
        if _acknowledge_all(desk, actions, deadline):
            return [SETTLED] * len(actions)
    with desk.database.write(deadline) as connection:
        now = desk.clock()
        mailbox = Mailbox(connection, desk.topology.current(connection), now)
        return [_settle(mailbox, action, now) for action in actions]


def _acknowledge_one(desk: Desk, action: Settle, deadline: Deadline) -> SettleResult:
    """The usual case of an idle system, in a statement of its own."""
    if desk.database.change(deadline, DELETE_HELD, action.delivery.receipt) == 1:
        return SETTLED
    return SettleResult(envelope.lease_lost(action.delivery.message.id))


def _acknowledge_all(desk: Desk, actions: Sequence[Settle], deadline: Deadline) -> bool:
    """The usual case of a busy one, in one statement; False, with nothing done, when a receipt is outdated."""
    receipts = [action.delivery.receipt for action in actions]
    with contextlib.suppress(_OutdatedError), desk.database.write(deadline) as connection:
        if connection.executemany(DELETE_HELD, receipts).rowcount != len(receipts):
            raise _OutdatedError
        return True
    return False


class _OutdatedError(Exception):
    """Rolls a transaction back."""


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
    if not _is_receipt(action.delivery.receipt):
        return envelope.bad_receipt(action.delivery.receipt)
    if not 0 <= action.seconds < float("inf"):
        return envelope.bad_seconds(action.seconds)
    return None


def _is_receipt(receipt: object) -> bool:
    """Whether it is a row id and a claim number, as columns can hold them."""
    if type(receipt) is not tuple or len(receipt) != 2:  # noqa: PLR2004 - the two parts
        return False
    message, claim = receipt
    return type(message) is int and type(claim) is int and 0 <= message < INT64 and 0 <= claim < INT64
