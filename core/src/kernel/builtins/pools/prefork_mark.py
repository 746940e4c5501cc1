"""What each child is doing, in memory it shares with the node: readable after a SIGKILL, and without asking."""

import mmap
import os
import tempfile
import time
from typing import NamedTuple

_WORDS = 8
"""64-bit words per cell: one cache line, so that children do not slow each other."""
_TAG, _BEGAN, _RUNNING = 0, 1, 2
_NOBODY = -1


class Seen(NamedTuple):
    """One reading of a mark.

    Attributes:
        tag: the job begun last, or -1.
        running: whether its body has not ended.
        seconds: since it began.
    """

    tag: int
    running: bool
    seconds: float


class Mark:
    """One child's cell. The child writes, the node and the nursery read.

    The words are written in an order that makes a reading between two writes harmless: the time of a job stands before
    its tag does, and its tag before ``running``.
    """

    __slots__ = ("_words", "number")

    def __init__(self, words: memoryview, number: int = 0) -> None:
        self._words = words
        self.number = number

    def begin(self, tag: int, began_ns: int) -> None:
        """A body is about to begin, at this monotonic time."""
        words = self._words
        words[_BEGAN] = began_ns
        words[_TAG] = tag
        words[_RUNNING] = 1

    def end(self) -> None:
        """It has ended."""
        self._words[_RUNNING] = 0

    def clear(self) -> None:
        """Nothing has begun; for a new child in this cell."""
        self._words[_RUNNING] = 0
        self._words[_TAG] = _NOBODY

    def read(self) -> Seen:
        """What the child is doing."""
        words = self._words
        while True:
            tag, began, running = words[_TAG], words[_BEGAN], words[_RUNNING]
            if words[_TAG] == tag and words[_BEGAN] == began:
                return Seen(tag, bool(running), (time.monotonic_ns() - began) / 1e9 if running else 0.0)


class Marks:
    """The shared memory of all cells.

    Args:
        fd: its descriptor, as handed to a fresh interpreter.
        cells: how many.
    """

    def __init__(self, fd: int, cells: int) -> None:
        self.fd = fd
        self.cells = cells
        self._map = mmap.mmap(fd, cells * _WORDS * 8)
        words = memoryview(self._map).cast("q")
        self._words = [words[at * _WORDS : (at + 1) * _WORDS] for at in range(cells)]
        words.release()

    @classmethod
    def create(cls, cells: int) -> "Marks":
        """New shared memory, seen by every process forked from here on."""
        fd = _anonymous_file()
        os.ftruncate(fd, cells * _WORDS * 8)
        return cls(fd, cells)

    def cell(self, number: int) -> Mark:
        """One cell."""
        return Mark(self._words[number], number)

    def close(self) -> None:
        """Let go of it, and of all cells; it lives on while another process holds it."""
        os.close(self.fd)
        for words in self._words:
            words.release()
        self._map.close()


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("kernel-pool-marks")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
