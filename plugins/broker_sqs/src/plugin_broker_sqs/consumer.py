"""Receives from some queues in turn, waiting in long polls that may be left at any moment."""

import time
from collections.abc import Callable, Sequence

from kernel.contracts.broker import Consumer, Delivery, Settle, SettleResult
from kernel.contracts.deadline import Deadline
from kernel.contracts.waker import Waker
from kernel.errors import Code, DriverError
from plugin_broker_sqs.batches import MOST
from plugin_broker_sqs.leases import Leases
from plugin_broker_sqs.polls import Polls
from plugin_broker_sqs.receiving import Receiving
from plugin_broker_sqs.settling import Settling


class SqsConsumer(Consumer):
    """A consumer of some queues.

    While messages keep coming, each receive is one request in the caller's thread. Only when nothing is there does
    it wait in long polls, one for each queue.

    Args:
        receiving: makes the requests.
        settling: likewise.
        queues: names, each once.
        prefetch: the most unsettled deliveries; 0 for no bound.
        clock: Unix time.
        longest_poll_s: the longest long poll, whole seconds.
    """

    def __init__(
        self,
        receiving: Receiving,
        settling: Settling,
        queues: Sequence[str],
        prefetch: int,
        clock: Callable[[], float],
        longest_poll_s: int,
    ) -> None:
        self._receiving = receiving
        self._settling = settling
        self._queues = list(queues)
        self._prefetch = prefetch
        self._leases = Leases(clock)
        self._waker = Waker()
        self._polls = Polls(receiving, self._leases, longest_poll_s, self._waker.wake)
        self._woken = False
        self._busy = True
        self._turn = 0
        self.closed = False

    def receive(self, max_n: int, wait_s: float) -> list[Delivery]:
        """See :meth:`kernel.contracts.Consumer.receive`."""
        self._check_open()
        end = time.monotonic() + wait_s
        found = self._at_once(max_n, look=self._busy or wait_s <= 0)
        while not found and not self._woken and not self.closed:
            left = end - time.monotonic()
            if left <= 0:
                break
            self._poll(max_n, left)
            self._waker.wait(left)
            found = self._polls.take(max_n)
        self._woken = False
        self._busy = bool(found)
        return found

    def settle(self, actions: Sequence[Settle], deadline: Deadline) -> list[SettleResult]:
        """See :meth:`kernel.contracts.Consumer.settle`."""
        self._check_open()
        results = self._settling.settle(actions, self._leases, deadline)
        if self._prefetch:
            self._waker.wake()  # there may be room now
        return results

    def change(self, queues: Sequence[str], deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Consumer.change`. A poll that is under way may still bring something."""
        del deadline
        self._check_open()
        self._queues = list(dict.fromkeys(queues))
        self._busy = True

    def wake(self) -> None:
        """See :meth:`kernel.contracts.Consumer.wake`."""
        self._woken = True
        self._waker.wake()

    def close(self, release: bool, deadline: Deadline) -> None:
        """See :meth:`kernel.contracts.Consumer.close`.

        Waits for the polls that are under way, as the server may be giving them messages, which go back. One that
        takes longer than the deadline does so by itself. A server that is gone is no error: leases end.
        """
        if self.closed:
            return
        self.closed = True
        self.wake()
        self._polls.end(deadline)
        if release:
            self._receiving.give_back(self._leases.take_all(), self._leases, deadline)

    def abandon(self) -> None:
        """In a forked child: close without a word to the server."""
        self.closed = True
        self._waker = Waker()
        self._polls.abandon()

    def _check_open(self) -> None:
        if self.closed:
            raise DriverError(Code.CLOSED, "This consumer is closed", cure="Ask the broker for a new one.")

    def _at_once(self, max_n: int, *, look: bool) -> list[Delivery]:
        """What polls have brought, and with ``look`` what the queues have now."""
        found = self._polls.take(max_n)
        if not look:
            return found
        for queue in self._in_turn():
            room = self._room(max_n - len(found))
            if room <= 0:
                break
            if self._polls.is_running(queue):
                continue
            try:
                found += self._receiving.receive(queue, room, 0, self._leases)
            except DriverError:
                if not found:
                    raise
                break  # what was received is not lost by what came after it; the next call meets the error again
        return found

    def _poll(self, max_n: int, wait_s: float) -> None:
        for queue in self._in_turn():
            room = min(MOST, self._room(max_n))
            if room > 0 and not self._polls.is_running(queue):
                self._polls.start(queue, room, wait_s)

    def _in_turn(self) -> list[str]:
        """The queues, another one first each time."""
        self._turn = (self._turn + 1) % len(self._queues) if self._queues else 0
        return self._queues[self._turn :] + self._queues[: self._turn]

    def _room(self, wanted: int) -> int:
        if not self._prefetch:
            return wanted
        return min(wanted, self._prefetch - self._leases.count() - self._polls.wanted)
