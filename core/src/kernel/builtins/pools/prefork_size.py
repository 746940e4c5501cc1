"""How many children there are to be: some go when there are too many, and missing ones are counted."""

import heapq
from collections.abc import Collection

from kernel.builtins.pools import prefork_link as link_
from kernel.builtins.pools.prefork_hand import Hand


def missing(hands: Collection[Hand], size: int, leave_by: float) -> int:
    """How many children are missing; those that are too many take no more jobs, and go as soon as they have none.

    Args:
        hands: all children.
        size: how many there are to be.
        leave_by: monotonic time when one that is idle must be gone.
    """
    staying = [hand for hand in hands if not (hand.orderly or hand.retired)]
    for hand in heapq.nsmallest(len(staying) - size, staying, key=lambda each: (len(each.jobs), each.number)):
        hand.retire()
    for hand in hands:
        if hand.retired and hand.ready and not (hand.leaving or hand.jobs) and hand.link is not None:
            hand.link.offer((link_.STOP,))
            hand.leave(leave_by)
    return max(0, size - len(staying))
