"""How a message's place is written into its row id, so that the table itself is every queue, in order.

A ready message of queue *q* and priority *p* has the id ``q << 48 | (255 - p) << 40 | n``: one range per queue, the
highest priority first, then in queue order. A delayed one has ``1 << 62 | due in ms << 20 | n`` and remembers the
start of its range in the column ``home``. So publishing appends to one page and touches no index, and claiming reads
one range; with an index beside the table each commit costs about half as much again (benchmarks/report.md).
"""

import math

TOP_PRIORITY = 255
TOP_QUEUE = 16_383
"""Queues a file can hold at a time: 14 bits."""

FREE = 1 << 46
"""The value of ``claim`` in a message nobody holds. It takes the six bytes of a real claim, which are ``owner << 32``
and a random number: claiming then changes a row in place instead of splitting its page."""

RANGE = (1 << 40) - 1
DELAYED = 1 << 62
DELAYED_END = (1 << 63) - 1
TICK = (1 << 20) - 1


def span(queue: int) -> tuple[int, int]:
    """First and last id of a queue's ready and claimed messages."""
    return queue << 48, ((queue + 1) << 48) - 1


def home(queue: int, priority: int) -> int:
    """Start of the range of one priority."""
    return queue << 48 | (TOP_PRIORITY - priority) << 40


def home_of(message: int) -> int:
    """Start of the range that a ready message's id is in."""
    return message & ~RANGE


def queue_of(start: int) -> int:
    """The queue of an id or of a start of a range."""
    return start >> 48


def priority_of(start: int) -> int:
    """The priority of an id or of a start of a range."""
    return TOP_PRIORITY - (start >> 40 & 0xFF)


def delayed(due: float) -> int:
    """Start of the range of messages due at that Unix time, rounded up to a millisecond: never early."""
    return DELAYED | math.ceil(due * 1000) << 20


def last_due(now: float) -> int:
    """The highest id of a message that is due by then."""
    return DELAYED | math.floor(now * 1000) << 20 | TICK


def due(message: int) -> float:
    """When a delayed message is due, from its id."""
    return (message & ~DELAYED) / (1000 << 20)


def claims_of(owner: int) -> tuple[int, int]:
    """First and last claim number an owner can give."""
    return owner << 32, ((owner + 1) << 32) - 1
