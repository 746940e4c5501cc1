"""Long polls, each in a thread of its own, so that nothing the server gives is lost when nobody waits any more.

A receive that is woken leaves its polls running. What they bring is for the next receive; when none comes for a while,
or the consumer was closed, the poll gives it back at once. Its thread lives no longer than the poll, and the
interpreter waits for it at its end: a poll is not cut off while the server may be giving it messages.
"""

import threading
from collections.abc import Callable
from typing import Final

from kernel.contracts.broker import Delivery
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError
from plugin_broker_sqs.leases import Leases
from plugin_broker_sqs.receiving import Receiving

HOLD_S: Final = 1.0
"""How long what came is kept for the next receive."""
GIVE_BACK_S: Final = 5.0


class Poll:
    """One long poll of one queue.

    Args:
        receiving: makes the request.
        queue: the queue.
        leases: the consumer's.
        tell: called, in the poll's thread, when there is something to take.

    Attributes:
        wanted: how many messages may still come.
    """

    def __init__(self, receiving: Receiving, queue: str, leases: Leases, tell: Callable[[], None]) -> None:
        self.queue = queue
        self.wanted = 0
        self._receiving = receiving
        self._leases = leases
        self._tell = tell
        self._lock = threading.Lock()
        self._found: list[Delivery] = []
        self._error: DriverError | None = None
        self._over = threading.Event()
        self._unwanted = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended, and everything was taken or given back."""
        return self._over.is_set()

    def start(self, most: int, wait_s: int) -> None:
        """Ask for up to so many messages, waiting so many seconds."""
        self.wanted = most
        name = f"sqs-poll-{self.queue}"
        self._thread = threading.Thread(target=self._run, args=(most, wait_s), name=name, daemon=False)
        self._thread.start()

    def take(self, most: int) -> list[Delivery]:
        """What came, at most so many.

        Raises:
            DriverError: the poll failed; said once.
        """
        with self._lock:
            error, self._error = self._error, None
            if error is not None:
                raise error
            found = self._found[:most]
            del self._found[:most]
            if found and not self._found:
                self._unwanted.set()
        return found

    def end(self, seconds: float) -> None:
        """Nobody will take any more: what comes is given back. Waits for that, at most so long."""
        self._unwanted.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(0.0, seconds))

    def _run(self, most: int, wait_s: int) -> None:
        try:
            found = self._receiving.receive(self.queue, most, wait_s, self._leases)
        except DriverError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - whoever receives must hear of it, whatever it is
            self._error = DriverError(Code.INTERNAL, f"A long poll ended with {type(error).__name__}: {error}")
            self._error.__cause__ = error
        else:
            self._offer(found)
        finally:
            self.wanted = 0
            self._over.set()
            self._tell()

    def _offer(self, found: list[Delivery]) -> None:
        if not found:
            return
        with self._lock:
            self._found = found
            self.wanted = 0
        self._tell()
        self._unwanted.wait(HOLD_S)
        with self._lock:
            left, self._found = self._found, []
        if left:
            self._receiving.give_back(left, self._leases, Deadline.after(GIVE_BACK_S))


class Polls:
    """The polls of one consumer, at most one for each queue.

    Args:
        receiving: makes the requests.
        leases: the consumer's.
        longest_s: the longest poll, whole seconds.
        tell: called when there may be something to take.
    """

    def __init__(self, receiving: Receiving, leases: Leases, longest_s: int, tell: Callable[[], None]) -> None:
        self._receiving = receiving
        self._leases = leases
        self._longest_s = longest_s
        self._tell = tell
        self._running: dict[str, Poll] = {}

    def is_running(self, queue: str) -> bool:
        """Whether a poll of that queue is under way, which will get what comes."""
        return queue in self._running

    @property
    def wanted(self) -> int:
        """How many messages may still come from what is running."""
        return sum(poll.wanted for poll in self._running.values())

    def start(self, queue: str, most: int, wait_s: float) -> None:
        """Poll a queue for about as long as the caller waits, in whole seconds."""
        poll = Poll(self._receiving, queue, self._leases, self._tell)
        poll.start(most, max(1, min(self._longest_s, int(wait_s))))
        self._running[queue] = poll

    def take(self, most: int) -> list[Delivery]:
        """What polls have brought.

        Raises:
            DriverError: of one that failed; the errors of others at the same time are not told.
        """
        found: list[Delivery] = []
        failed: DriverError | None = None
        for queue, poll in list(self._running.items()):
            over = poll.over
            try:
                found += poll.take(most - len(found)) if len(found) < most else []
            except DriverError as error:
                failed = error
            if over:
                del self._running[queue]
        if failed is not None and not found:
            raise failed
        return found

    def end(self, deadline: Deadline) -> None:
        """End all: they give back what comes. Waits for them until the deadline."""
        polls, self._running = list(self._running.values()), {}
        for poll in polls:
            poll.end(0.0)
        for poll in polls:
            poll.end(deadline.left())

    def abandon(self) -> None:
        """In a forked child, where their threads are not."""
        self._running = {}
