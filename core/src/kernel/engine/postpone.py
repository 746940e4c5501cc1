"""Where a message waits that is not due yet: here, or with the broker in one of the ways it offers (features.md 1.6).

A worker never holds what is far off for long: the delivery would time out on some brokers, take a place among those
that may be unsettled on others, and be out of every other worker's reach on all of them (pains P02, P11).
"""

from dataclasses import dataclass

from kernel.contracts.capabilities import BrokerCaps

HOLD_S = 1.0
"""A message due within this time waits in the worker, whatever the broker can do."""

TURN_S = 60.0
"""Longest time in a worker where the broker cannot delay anything; then others of the queue get their turn."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep it for ``seconds``, and look again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Release it, to come again after ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Publish it anew, delayed by ``seconds``, and acknowledge the one at hand."""

    seconds: float


Postponement = Hold | GiveBack | SendAgain


def postponement(delay_s: float, caps: BrokerCaps, *, held: bool = False) -> Postponement:
    """What to do with a message that is due in ``delay_s`` seconds.

    A delay longer than the broker's longest is spent in several turns. A broker that counts every delivery as an
    attempt gets a new message, as waiting is no attempt; so does one that can delay what is published and not what is
    given back. With one that can do neither, the worker holds the message for a turn, and then puts it behind the
    others of its queue.

    Args:
        delay_s: positive seconds.
        caps: what the broker can do.
        held: whether it has waited here already.
    """
    if delay_s <= HOLD_S:
        return Hold(delay_s)
    longest = caps.limits.max_delay_s
    seconds = delay_s if longest is None else min(delay_s, longest)
    counts = caps.attempts and not caps.uncount
    if caps.delay and (counts or not caps.nack_delay):
        return SendAgain(seconds)
    if caps.nack_delay:
        return GiveBack(seconds)
    return SendAgain(0.0) if held else Hold(min(delay_s, TURN_S))
