"""Child processes that use the plugin and are killed on purpose."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self


class Child:
    """A process of :mod:`kernel_conformance.worker`: what it said so far, and the means to end it."""

    def __init__(self, target: str, url: str, verb: str, **order: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kernel_conformance.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a pipe is missing")  # never: both were asked for
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._pending = b""
        self.said: list[dict[str, Any]] = []
        self._stdin.write(json.dumps({"target": target, "url": url, "verb": verb, **order}).encode() + b"\n")
        self._stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def listen(self, word: str, seconds: float = 30.0) -> Any:
        """Wait for a line with ``word``; its value.

        Raises:
            AssertionError: the process ended first, or was silent for so long.
        """
        end = time.monotonic() + seconds
        while True:
            line = self._line(end)
            if line is None:
                code = self._process.poll()
                raise AssertionError(f"the child process did not say {word!r}; it said {self.said[-3:]}, code {code}")
            if word in line:
                return line[word]

    def kill(self) -> None:
        """SIGKILL, and everything it had said until then."""
        self._process.kill()
        self._process.wait()
        while self._line(time.monotonic() + 5) is not None:
            pass

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def heard(self, word: str) -> list[Any]:
        """The values of every line with ``word``, as far as they were read."""
        return [line[word] for line in self.said if word in line]

    def _line(self, end: float) -> dict[str, Any] | None:
        """The next line; None at the end of its output or of the time."""
        while b"\n" not in self._pending:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._stdout], [], [], left)[0]:
                return None
            data = os.read(self._stdout.fileno(), 65_536)
            if not data:
                return None
            self._pending += data
        text, _, self._pending = self._pending.partition(b"\n")
        line: dict[str, Any] = json.loads(text)
        self.said.append(line)
        return line
