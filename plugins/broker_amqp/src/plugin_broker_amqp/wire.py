"""One connection that several threads use: who reads, who writes, and how long anybody waits.

Whoever waits for something reads, unless somebody else reads already; then it waits to be told. So there is no thread
between the socket and the one who needs what comes, and a settlement never waits for a blocked receive.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from kernel.contracts import Deadline
from kernel.errors import Applied, DriverError
from plugin_broker_amqp import failures, frames
from plugin_broker_amqp.stream import Stream, discard
from plugin_broker_amqp.turns import taken

SLICE_S: Final = 0.05
"""A follower looks itself so often, should it be that nobody tells it."""
_PATIENCE_S: Final = 1.0


class Handler(Protocol):
    """Takes the frames of one channel, in the thread that reads."""

    def take(self, kind: int, payload: bytes) -> bool:
        """Whether the frame was for it; py-amqp gets the others."""

    def closed(self, code: int, text: str) -> None:
        """The server closed the channel."""


class Wire:
    """A connection.

    Args:
        connection: from :func:`plugin_broker_amqp.native.connect`.
        epoch: its number.

    Attributes:
        blocked: whether the server said that it takes no messages at present (a memory or disk alarm).
        failure: why it can no longer be used; None while it can.
    """

    def __init__(self, connection: Any, epoch: int) -> None:
        self.native = connection
        self.epoch = epoch
        self.frame_max = int(connection.frame_max)
        self.blocked = False
        self.failure: DriverError | None = None
        self._stream = Stream(connection.transport.sock)
        self._cutter = frames.Cutter()
        self._handlers: dict[int, Handler] = {}
        self._closes: dict[int, tuple[int, str]] = {}
        self._for_native: deque[frames.Frame] = deque()
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._news = threading.Condition(threading.Lock())
        self._followers = 0
        self._turn = threading.RLock()
        self._deadline = Deadline.after(_PATIENCE_S)
        self._sent_at = self._heard_at = time.monotonic()
        connection.drain_events = self._native_wait
        connection.transport._write = self._native_write  # noqa: SLF001 - its one way out
        connection.on_blocked = self._on_blocked
        connection.on_unblocked = self._on_unblocked

    # --- for whoever sends

    def write(self, data: bytes, deadline: Deadline) -> None:
        """Send all of it.

        Raises:
            DriverError: UNAVAILABLE, or TIMEOUT: then the connection cannot be used any more.
        """
        if not taken(self._writing, deadline):
            raise failures.timeout("Sending", Applied.NOT_APPLIED)
        try:
            self._check()
            self._stream.send(data, deadline)
            self._sent_at = time.monotonic()
        except TimeoutError as error:
            raise self.fail(failures.timeout("Sending to RabbitMQ")) from error
        except OSError as error:
            raise self.fail(failures.lost(f"{error}", error)) from error
        finally:
            self._writing.release()

    # --- for whoever waits

    def wait(self, done: Callable[[], bool], end: float, wake: int | None = None) -> bool:
        """Read, or let another read, until ``done()`` or the monotonic time ``end``; whether it is done.

        Args:
            done: asked after everything that comes, by this thread.
            end: when to give up; what is there already is read even when it has passed.
            wake: a descriptor that ends the waiting when it is readable.

        Raises:
            DriverError: the connection failed.
        """
        last = False
        while not done():
            left = end - time.monotonic()
            if left <= 0 and last:
                return False
            last = left <= 0
            self._step(done, left, wake)
        return True

    def _step(self, done: Callable[[], bool], left: float, wake: int | None) -> None:
        """Read once, or let another read."""
        self._check()
        if self._reading.acquire(blocking=False):
            try:
                if not done():  # another may have read it since we looked, and nothing more comes
                    self._pump(max(0.0, left), wake)
            finally:
                self._reading.release()
                self._tell()
        else:
            self._follow(done, max(0.001, left))

    def poll(self) -> None:
        """Take in what is there without waiting; a failure is noted, not raised."""
        if self.failure is None and self._reading.acquire(blocking=False):
            try:
                with contextlib.suppress(DriverError):
                    self._pump(0.0, None)
            finally:
                self._reading.release()
                self._tell()

    def _follow(self, done: Callable[[], bool], left: float) -> None:
        with self._news:
            self._followers += 1
            try:
                if self._reading.locked() and not done():
                    self._news.wait(min(left, SLICE_S))
            finally:
                self._followers -= 1

    def _tell(self) -> None:
        if self._followers:
            with self._news:
                self._news.notify_all()

    def _pump(self, wait_s: float, wake: int | None) -> None:
        """Read once, waiting for the first byte; called by the one who reads."""
        try:
            data = self._stream.read(wait_s, wake)
        except OSError as error:
            raise self.fail(failures.lost(f"{error}", error)) from error
        if data is not None:
            self._heard_at = time.monotonic()
            self._take_in(data)

    def _take_in(self, data: bytes) -> None:
        try:
            for frame in self._cutter.feed(data):
                self._dispatch(frame)
        except DriverError:
            raise
        except Exception as error:
            raise self.fail(failures.lost(f"{error}", error)) from error

    def _dispatch(self, frame: frames.Frame) -> None:
        kind, channel, payload = frame
        handler = self._handlers.get(channel)
        if handler is not None and handler.take(kind, payload):
            return
        if kind == frames.METHOD and payload[:4] == frames.CHANNEL_CLOSE:
            self._close_channel(channel, payload, handler)
        elif channel:
            self._for_native.append(frame)
        else:
            self.native.on_inbound_frame(frame)

    def _close_channel(self, number: int, payload: bytes, handler: Handler | None) -> None:
        """py-amqp would raise the reason in whatever thread reads, and open the channel again behind our back."""
        code, text = frames.reason_of_close(payload)
        self.write(frames.method(number, frames.CHANNEL_CLOSE_OK), Deadline.after(_PATIENCE_S))
        self._handlers.pop(number, None)
        if handler is not None:
            handler.closed(code, text)
        else:
            self._closes[number] = (code, text)
        channel = self.native.channels.get(number)
        if channel is not None:
            channel.collect()

    # --- channels

    @contextlib.contextmanager
    def using(self, deadline: Deadline) -> Iterator[Any]:
        """The connection as py-amqp knows it, for one thread at a time; its waiting obeys the deadline.

        Raises:
            DriverError: TIMEOUT when it is not our turn in time.
        """
        if not taken(self._turn, deadline):
            raise failures.timeout("Waiting for the connection", Applied.NOT_APPLIED)
        before, self._deadline = self._deadline, deadline
        try:
            self._check()
            yield self.native
        finally:
            self._deadline = before
            self._turn.release()

    def open_channel(self, handler: Handler, deadline: Deadline) -> int:
        """A new channel whose frames go to ``handler``; its number."""
        with self.using(deadline) as connection:
            number = int(connection.channel().channel_id)
        self._handlers[number] = handler
        return number

    def reason_of_close(self, channel: int) -> tuple[int, str] | None:
        """Why the server closed a channel of py-amqp's."""
        return self._closes.pop(channel, None)

    def _native_wait(self, timeout: float | None = None) -> None:
        """What py-amqp does, again and again, while it waits for an answer.

        It begins to wait after it has asked, and forgets an answer that nobody waits for. So its frames are kept until
        it asks for them, whoever has read them.
        """
        del timeout
        if self._deadline.passed:
            raise self.fail(failures.timeout("Waiting for RabbitMQ's answer"))
        self._step(lambda: bool(self._for_native or self._closes), self._deadline.left(), None)
        while self._for_native:
            self.native.on_inbound_frame(self._for_native.popleft())

    def _native_write(self, data: bytes | memoryview) -> None:
        self.write(bytes(data), self._deadline)

    # --- its life

    def beat(self) -> None:
        """Send a heartbeat when one is due, and give the connection up when none comes. Called every second or so.

        Raises:
            DriverError: UNAVAILABLE.
        """
        interval = float(self.native.heartbeat or 0)
        now = time.monotonic()
        if not interval or self.failure is not None:
            return
        if now - self._heard_at > 2 * interval:
            raise self.fail(
                failures.lost("no heartbeat came", TimeoutError(f"silent for {now - self._heard_at:.0f} s"))
            )
        if now - self._sent_at > interval / 2:
            self.write(frames.HEARTBEAT_FRAME, Deadline.after(_PATIENCE_S))

    def look_after(self) -> None:
        """Take in what came, and see to the heartbeats; what fails is noted for the next one who uses it."""
        self.poll()
        with contextlib.suppress(DriverError):
            self.beat()

    def fail(self, error: DriverError) -> DriverError:
        """Give the connection up; the error, or the one that came first."""
        if self.failure is None:
            self.failure = error
            self._stream.shut()
        self._tell()
        return self.failure

    def close(self, deadline: Deadline) -> None:
        """Close it in order, as far as the deadline allows; then in any case."""
        if self.failure is None:
            with contextlib.suppress(Exception), self.using(Deadline(min(deadline.at, time.monotonic() + _PATIENCE_S))):
                self.native.close()
        self.fail(failures.lost("it was closed", ConnectionAbortedError("closed"), Applied.NOT_APPLIED))
        mine = self._reading.acquire(timeout=_PATIENCE_S)  # nobody may wait on a descriptor that is used anew
        discard(self.native)
        self._stream.close()
        if mine:
            self._reading.release()

    def abandon(self) -> None:
        """In a forked child: forget the parent's connection without a word."""
        self.failure = failures.lost("it belongs to another process", ConnectionAbortedError("forked"))
        discard(self.native)
        self._stream.close()

    def _check(self) -> None:
        if self.failure is not None:
            raise failures.again(self.failure)

    def _on_blocked(self, reason: object) -> None:
        del reason
        self.blocked = True

    def _on_unblocked(self) -> None:
        self.blocked = False
