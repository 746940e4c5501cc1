"""One channel that consumes: windows through which the server sends, what came, and what is not settled yet.

A window is a consumer of the server's with a bound on its unacknowledged messages. Nothing comes except through one, so
nothing is taken from other consumers that nobody here asked for.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final

from kernel.contracts import Deadline, Delivery
from kernel.errors import Applied, DriverError
from plugin_broker_amqp import failures, frames
from plugin_broker_amqp.properties import body_size
from plugin_broker_amqp.window import Arrival, Window
from plugin_broker_amqp.wire import Wire

WIDEST: Final = 65_535
LAX: Final = 16
"""A window may be so many times as wide as what is asked for: what comes too much is given back soon."""
STUCK_S: Final = 15.0
"""A server that does not even stop sending within this time is given up."""


class Session:
    """A channel from its opening to its end; deliveries belong to it and cannot outlive it.

    Args:
        wire: the connection.
        queues: what may be consumed.
        counted: those of them whose deliveries the server counts.
        epoch: its number.
        deadline: for opening the channel.

    Attributes:
        given: deliveries given out and not settled, by tag.
        arrived: messages that nobody has asked for yet.
        refused: code and text, when the server closed the channel.
        gone: queues that the server says are gone.
    """

    def __init__(
        self, wire: Wire, queues: tuple[str, ...], counted: frozenset[str], epoch: int, deadline: Deadline
    ) -> None:
        self.wire = wire
        self.epoch = epoch
        self.given: dict[int, Delivery] = {}
        self.arrived: deque[Arrival] = deque()
        self.refused: tuple[int, str] | None = None
        self.gone: set[str] = set()
        self._queues = queues
        self._counted = counted
        self._lock = threading.Lock()
        self._windows: dict[str, Window] = {}
        self._by_tag: dict[str, Window] = {}
        self._unsettled: OrderedDict[int, Window | None] = OrderedDict()
        self._proven = False
        self._number = self._qos = self._qos_sent = self._qos_answered = 0
        self._cancelling: set[str] = set()
        self._closing_since: float | None = None
        self._last_word: int | None = None
        self._origins = frames.Origins()
        self._method = self._header = b""
        self._pieces: list[bytes] = []
        self._left = 0
        self.channel = wire.open_channel(self, deadline)

    @property
    def lost(self) -> bool:
        """Whether the server has taken back what was not settled."""
        return self.refused is not None or self.wire.failure is not None

    def counts(self, queue: str) -> bool:
        """Whether the server counts deliveries of a queue."""
        return queue in self._counted

    # --- frames, in the thread that reads

    def take(self, kind: int, payload: bytes) -> bool:
        """See :class:`plugin_broker_amqp.wire.Handler`."""
        if kind == frames.BODY:
            self._pieces.append(payload)
            self._left -= len(payload)
            self._finish()
        elif kind == frames.HEADER:
            self._header, self._left = payload, body_size(payload)
            self._finish()
        elif payload[:4] == frames.DELIVER:
            self._method = payload
        else:
            return self._answered(payload)
        return True

    def closed(self, code: int, text: str) -> None:
        """See :class:`plugin_broker_amqp.wire.Handler`."""
        self.refused = (code, text)

    def _answered(self, payload: bytes) -> bool:
        signature = payload[:4]
        if signature == frames.QOS_OK:
            self._qos_answered += 1
        elif signature == frames.CANCEL_OK:
            self._cancelling.discard(frames.short_at(payload, 4)[0])
        elif signature == frames.CANCEL:
            window = self._by_tag.get(frames.short_at(payload, 4)[0])
            if window is not None:
                self.gone.add(window.queue)
        else:
            return False
        return True

    def _finish(self) -> None:
        if self._left > 0:
            return
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        origin, tag, redelivered = self._origins.read(self._method)
        window = self._by_tag.get(origin.consumer)
        queue = window.queue if window is not None else self._queues[int(origin.consumer.partition(".")[0])]
        with self._lock:
            self._unsettled[tag] = window
            if window is not None:
                window.out += 1
            self.arrived.append(Arrival(queue, origin, tag, redelivered, self._header, body))

    # --- windows, by the owner

    def open_windows(self, queues: Iterable[str], size: int, deadline: Deadline) -> bool:
        """See that about ``size`` messages may come from each queue; whether anything had to be opened for it."""
        pieces: list[bytes] = []
        size = min(size, WIDEST)
        for queue in queues:
            window = self._windows.get(queue)
            if window is not None and window.credit >= max(1, size // 2) and window.size <= LAX * size:
                continue
            if window is not None:
                pieces.append(frames.cancel(self.channel, window.tag, answer=False))
            pieces.append(self._new_window(queue, size))
        if pieces and self._proven:
            self.wire.write(b"".join(pieces), deadline)
        elif pieces:  # whether the queues are there at all is known before the first receive ends
            number = self._ask(b"".join(pieces), deadline)
            self.wire.wait(lambda: self._qos_answered >= number or self.refused is not None, deadline.at)
            self._proven = True
        return bool(pieces)

    def _new_window(self, queue: str, size: int) -> bytes:
        self._number += 1
        window = Window(queue, f"{self._queues.index(queue)}.{self._number}", size)
        self._windows[queue] = self._by_tag[window.tag] = window
        if len(self._by_tag) > 2 * len(self._queues) + 100:  # late messages of older ones are known by their tag
            old = [tag for tag, one in self._by_tag.items() if self._windows.get(one.queue) is not one]
            for tag in old[:-50]:
                del self._by_tag[tag]
        data = frames.consume(self.channel, queue, window.tag)
        if size == self._qos:
            return data
        self._qos = size
        self._qos_sent += 1
        return frames.qos(self.channel, size) + data

    def change(self, queues: Iterable[str], counted: frozenset[str], deadline: Deadline) -> None:
        """Consume these queues from now on; through the windows of others nothing more is to come.

        The number of a queue is part of its windows' tags, so that none is ever taken away.
        """
        wanted = set(queues)
        self._queues += tuple(queue for queue in queues if queue not in self._queues)
        self._counted |= counted
        closing = [self._windows.pop(queue) for queue in list(self._windows) if queue not in wanted]
        if closing:
            pieces = [frames.cancel(self.channel, window.tag, answer=False) for window in closing]
            self.wire.write(b"".join(pieces), deadline)

    @property
    def open(self) -> bool:
        """Whether the server may send something."""
        return bool(self._windows)

    def close_windows(self, deadline: Deadline) -> None:
        """Let nothing more come; see :meth:`settle_down`. Windows through which nothing can come need no answer."""
        windows, self._windows = list(self._windows.values()), {}
        if windows:
            ask = any(window.credit > 0 for window in windows)
            self._cancelling |= {window.tag for window in windows} if ask else set()
            self._closing_since = time.monotonic() if ask else None
            self.wire.write(
                b"".join([frames.cancel(self.channel, window.tag, answer=ask) for window in windows]), deadline
            )
        self.settle_down(deadline)

    @property
    def settling_down(self) -> bool:
        """Whether something may still come through windows that are closed."""
        return self._closing_since is not None

    def settle_down(self, deadline: Deadline) -> None:
        """Wait until what the server sent before it closed the windows has come; perhaps not all of that time.

        A queue that has no leader at present answers when it has one; until then this goes on with the next call.

        Raises:
            DriverError: TIMEOUT when no answer comes for long, or what became of the connection.
        """
        if self._closing_since is None:
            return
        end = min(deadline.at, self._closing_since + STUCK_S)
        if self.wire.wait(lambda: not self._cancelling or self.refused is not None, end):
            if self._last_word is None:  # what a queue had sent before its answer may still be behind that
                self._last_word = self._ask(b"", deadline)
            number = self._last_word
            if self.wire.wait(lambda: self._qos_answered >= number or self.refused is not None, end):
                self._closing_since = self._last_word = None
                return
        if time.monotonic() >= self._closing_since + STUCK_S:
            raise self.wire.fail(failures.timeout("Cancelling"))

    def barrier(self, data: bytes, deadline: Deadline) -> None:
        """Send frames, and wait until the server has dealt with all that was sent on this channel.

        Raises:
            DriverError: it may not have, or the channel was closed.
        """
        try:
            number = self._ask(data, deadline)
        except DriverError as error:  # these deliveries count as settled here: the server must take them back
            raise self.wire.fail(error) from error
        if not self.wire.wait(lambda: self._qos_answered >= number or self.refused is not None, deadline.at):
            raise self.wire.fail(failures.timeout("Settling"))
        if self.refused is not None:
            raise failures.of_reply(*self.refused, "a settlement", Applied.UNKNOWN)

    def _ask(self, data: bytes, deadline: Deadline) -> int:
        """Send frames and something harmless that has an answer; the answer's number."""
        with self._lock:  # so that the numbers are in the order of the wire
            self._qos_sent += 1
            self.wire.write(data + frames.qos(self.channel, self._qos), deadline)
            return self._qos_sent

    # --- settling, by any thread

    def acknowledge(self, tags: set[int]) -> bytes:
        """The frames that acknowledge these deliveries and no others, in as few frames as their order allows."""
        with self._lock:
            upto = count = 0
            while self._unsettled:
                first = next(iter(self._unsettled))
                if first not in tags:
                    break
                self._forget(first)
                upto, count = first, count + 1
            rest = [tag for tag in sorted(tags) if tag in self._unsettled]
            for tag in rest:
                self._forget(tag)
        pieces = [frames.ack(self.channel, upto, multiple=count > 1)] if count else []
        pieces += [frames.ack(self.channel, tag) for tag in rest]
        return b"".join(pieces)

    def give_back(self, tags: Iterable[int]) -> bytes:
        """The frames that put these deliveries back into their queues."""
        with self._lock:
            return b"".join([frames.nack(self.channel, tag) for tag in tags if self._forget(tag)])

    def drop(self, tags: Iterable[int]) -> bytes:
        """The frames that reject these deliveries for good."""
        with self._lock:
            return b"".join([frames.reject(self.channel, tag) for tag in tags if self._forget(tag)])

    def _forget(self, tag: int) -> bool:
        if tag not in self._unsettled:
            return False
        window = self._unsettled.pop(tag)
        self.given.pop(tag, None)
        if window is not None:
            window.out -= 1
        return True

    def close(self, deadline: Deadline) -> None:
        """End the channel on a connection that goes on; the server takes back what is not settled."""
        if self.lost:
            return
        try:
            with self.wire.using(deadline) as connection:
                channel = connection.channels.get(self.channel)
                if channel is not None:
                    channel.close()
        except (DriverError, *failures.NATIVE) as error:
            self.wire.fail(failures.lost("closing a channel", error))
