"""Worker nodes as child processes of run.py: started, watched, and stopped by their process ids."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).resolve().parent
STOP_SECONDS = 15.0


class NodeEnded(Exception):
    """A worker node ended although nobody asked it to."""


@dataclass
class Node:
    """One `kernel worker` process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-15:])


class Fleet:
    """Starts `size` prefork worker nodes with two executors each, and leaves nothing behind.

    Args:
        size: how many nodes.
        folder: where their logs go.
        environment: KERNEL_* variables that tell them which broker and backend to use.
        plugins: names of plugins to load beside those of the configuration, divided by commas.
    """

    def __init__(self, size: int, folder: Path, environment: Mapping[str, str], plugins: str | None = None) -> None:
        self._environment = {**os.environ, **environment}
        self._plugins = ["--plugins", plugins] if plugins else []
        self._folder = folder
        self._size = size
        self.nodes: list[Node] = []

    def __enter__(self) -> Self:
        for number in range(1, self._size + 1):
            self.nodes.append(self._start(f"counter{number}"))
        return self

    def _start(self, name: str) -> Node:
        log = self._folder / f"{name}.log"
        command = [sys.executable, "-m", "kernel", "-A", "tasks", "--workdir", str(HERE), "worker"]
        options = ["--pool", "prefork", "--concurrency", "2", "--hostname", f"{name}@%h", "--loglevel", "INFO"]
        with log.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [*command, *options, *self._plugins],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
        return Node(name, process, log)

    def check(self) -> None:
        """Raise NodeEnded when a node is no longer there."""
        for node in self.nodes:
            code = node.process.poll()
            if code is not None:
                raise NodeEnded(f"worker {node.name} ended with exit code {code}; its last lines:\n{node.tail()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            if node.process.poll() is None:
                node.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for node in self.nodes:
            try:
                node.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                node.process.kill()
                node.process.wait()
