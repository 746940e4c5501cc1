"""``kernel worker --nodes N``: one process that looks after several nodes (architecture.md 4).

Every node is this same command in a process of its own. One that dies is started again; a signal goes to all of them.
They share nothing with each other but the broker and the backend.
"""

import logging
import os
import random
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from kernel.cli.detach import DETACHED
from kernel.cli.exits import Exit
from kernel.engine.backoff import reconnect_delay
from kernel.runtime.signal_table import worker_ready

logger = logging.getLogger("kernel.worker")

_PLACE: Final = "KERNEL_NODE"
"""Environment of a node: its number, and the descriptor whose end means that the supervisor is gone."""
_LOOK_S: Final = 0.1
_SOUND_S: Final = 30.0
"""A node that ran for so long has earned a quick start after its death."""
_HOPELESS: Final = frozenset({Exit.USAGE, Exit.DATA, Exit.NO_INPUT, Exit.NO_USER, Exit.NO_PERMISSION, Exit.CONFIG})
"""Exit codes that a second start would only repeat."""
_STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Place(NamedTuple):
    """Which of several nodes this process is."""

    number: int
    supervisor: int

    def name(self, base: str) -> str:
        """The name of this node: ``w2@host`` of ``w@host``."""
        first, at, host = base.partition("@")
        return f"{first}{self.number}{at}{host}"

    def end_with_supervisor(self) -> None:
        """Once the node is ready, have it end in order when its supervisor is gone."""
        worker_ready.connect(self._watch, weak=False)

    def keep(self) -> None:
        """Over an exec of this process."""
        os.set_inheritable(self.supervisor, True)
        os.environ[_PLACE] = f"{self.number}:{self.supervisor}"

    def _watch(self, **_arguments: Any) -> None:
        threading.Thread(target=self._wait, name="kernel-supervisor", daemon=True).start()

    def _wait(self) -> None:
        os.read(self.supervisor, 1)  # nothing is ever written
        os.kill(os.getpid(), signal.SIGTERM)


def take_place() -> Place | None:
    """What the environment says of being one of several nodes; processes that this one starts are none."""
    text = os.environ.pop(_PLACE, "")
    number, _, fd = text.partition(":")
    if not (number.isdecimal() and fd.isdecimal()):
        return None
    os.set_inheritable(int(fd), False)
    return Place(int(number), int(fd))


@dataclass(slots=True)
class _Node:
    """One of them, with what is known of its starts."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = 0
    code: int | None = None
    """How it ended for good."""


class Supervisor:
    """Keeps nodes running until it is told to stop. Main thread only.

    Args:
        count: of nodes.
        command: starts one.
        folder: where.
        detached: whether they are to take themselves for processes in the background.
        restarts: whether SIGHUP lets them begin anew; else it is the end of a terminal, and ignored.
    """

    def __init__(
        self, count: int, command: Sequence[str], folder: Path, *, detached: bool = False, restarts: bool = False
    ) -> None:
        self._restarts = restarts
        self._nodes = [_Node(number) for number in range(1, count + 1)]
        self._command = list(command)
        self._folder = folder
        self._environment = {DETACHED: "-"} if detached else {}
        self._stopping = False
        self._came: deque[int] = deque()
        self._ear, self._mouth = os.pipe()

    def run(self) -> int:
        """Until all have ended; the exit code: 0, or the highest of theirs."""
        with self._signals():
            while any(node.code is None for node in self._nodes):
                while self._came:
                    self._pass_on(self._came.popleft())
                for node in self._nodes:
                    self._look(node)
                time.sleep(_LOOK_S)
        return max(node.code or 0 for node in self._nodes)

    def _look(self, node: _Node) -> None:
        if node.process is not None:
            code = node.process.poll()
            if code is not None:
                node.process = None
                self._ended(node, code)
        elif node.code is None and self._stopping:
            node.code = 0
        elif node.code is None and time.monotonic() >= node.start_at:
            self._start(node)

    def _start(self, node: _Node) -> None:
        node.started_at = time.monotonic()
        node.process = subprocess.Popen(  # noqa: S603 - our own program
            self._command,
            cwd=self._folder,
            env={**os.environ, **self._environment, _PLACE: f"{node.number}:{self._ear}"},
            stdin=subprocess.DEVNULL,
            pass_fds=(self._ear,),
            start_new_session=True,  # a terminal's Ctrl-C comes through us, once
        )
        logger.info("Node %d runs as process %d.", node.number, node.process.pid)

    def _ended(self, node: _Node, code: int) -> None:
        """For good, when that was asked for or another start would only repeat it; else it is started again."""
        if self._stopping or code in {Exit.OK, *_HOPELESS}:
            node.code = code if code >= 0 else Exit.INTERNAL
            if code in _HOPELESS and not self._stopping:
                logger.error("Node %d cannot run (exit code %d): all of them are stopped.", node.number, code)
                self._pass_on(signal.SIGTERM)
            return
        node.failures = 1 if time.monotonic() - node.started_at > _SOUND_S else node.failures + 1
        pause = reconnect_delay(node.failures, random.uniform)
        node.start_at = time.monotonic() + pause
        logger.error("Node %d ended (exit code %d) and is started again in %.1f s.", node.number, code, pause)

    def _pass_on(self, number: int) -> None:
        if number == signal.SIGHUP and not self._restarts:
            logger.warning("SIGHUP is ignored: these nodes run on a terminal. Stop them with SIGTERM.")
            return
        self._stopping = self._stopping or number in _STOPPING
        for node in self._nodes:
            if node.process is not None:
                node.process.send_signal(number)

    def _note(self, number: int, _frame: object) -> None:
        self._came.append(number)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._note) for number in (*_STOPPING, signal.SIGUSR1, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._mouth)
            os.close(self._ear)
