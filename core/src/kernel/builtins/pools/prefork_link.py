"""One pipe between the node and a child: length-prefixed pickles over a stream socket, sent in batches."""

import pickle
import socket
import struct
from typing import Any

_HEAD = struct.Struct("=I")
_CHUNK = 1 << 18

Frame = tuple[Any, ...]
"""A kind, then what belongs to it; see the tables below.

Node to child: ``(JOBS, rows)`` · ``(RECALL,)`` give back what has not begun · ``(STOP,)`` · ``(SETUP, blob)``, the
pickled factory for a fresh interpreter, sent first.

Child to node: ``(READY,)`` · ``(FAILED, text)`` · ``(REPORTS, starts, seconds, rows)`` · ``(STARTS, starts)`` ·
``(RETURNED, tags)``, the answer to every RECALL · ``(BYE, why)``: what is assigned and not reported has not begun.
"""

JOBS, RECALL, STOP, SETUP = "jobs", "recall", "stop", "setup"
READY, FAILED, REPORTS, STARTS, RETURNED, BYE = "ready", "failed", "reports", "starts", "returned", "bye"


class Link:
    """One end. Not safe for threads by itself: reads need one lock, writes another.

    Attributes:
        ended: the other end is gone and everything it sent has been read.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.ended = False
        self._sock = sock
        self._came = bytearray()
        self._left = bytearray()
        self._deaf = False

    def fileno(self) -> int:
        """The descriptor, for poll and selectors."""
        return self._sock.fileno()

    def read(self, wait: bool) -> list[Frame]:
        """Whole frames that are there; with ``wait`` blocks until something comes or the other end is gone."""
        try:
            came = self._sock.recv(_CHUNK, 0 if wait else socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            came = b""
        if not came:
            self.ended = True
            return []
        self._came += came
        return self._frames()

    def drain(self) -> list[Frame]:
        """Everything that is there."""
        frames: list[Frame] = []
        while not self.ended:
            before = len(self._came)
            read = self.read(wait=False)
            if not read and len(self._came) == before:
                break
            frames += read
        return frames

    def send(self, frame: Frame) -> bool:
        """Send, blocking; whether the other end still takes anything."""
        data = pickle.dumps(frame, 5)
        try:
            self._sock.sendall(_HEAD.pack(len(data)) + data)
        except OSError:
            return False
        return True

    def offer(self, frame: Frame) -> None:
        """Send what fits without blocking and keep the rest for :meth:`flush`. A dead end swallows it."""
        data = pickle.dumps(frame, 5)
        self._left += _HEAD.pack(len(data))
        self._left += data
        self.flush()

    @property
    def waiting(self) -> bool:
        """Whether something offered has not been sent."""
        return bool(self._left) and not self._deaf

    def flush(self) -> None:
        """Send more of what was offered."""
        while self._left and not self._deaf:
            try:
                sent = self._sock.send(self._left, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._deaf = True
                return
            del self._left[:sent]

    def close(self) -> None:
        """Close this end."""
        self._sock.close()

    def _frames(self) -> list[Frame]:
        frames: list[Frame] = []
        at, size = 0, len(self._came)
        with memoryview(self._came) as view:
            while size - at >= _HEAD.size:
                (length,) = _HEAD.unpack_from(view, at)
                if size - at - _HEAD.size < length:
                    break
                at += _HEAD.size
                frames.append(pickle.loads(view[at : at + length]))  # noqa: S301 - from our own child or parent, over a private pipe
                at += length
        if at:  # deleting nothing would still move all of a large unfinished frame
            del self._came[:at]
        return frames
