"""The two sides of a test as child processes: a client that obeys and a worker, each of either library."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Side = Literal["celery", "kernel"]

PROGRAMS = Path(__file__).parent / "programs"
QUEUES: Mapping[Side, str] = {"celery": "of-celery", "kernel": "of-kernel"}
"""The queue that each side's worker consumes."""
STOP_S = 20.0


class Failed(AssertionError):
    """A client could not do what it was told; its traceback and the end of the logs."""


@dataclass(frozen=True)
class Site:
    """Where the processes meet.

    Attributes:
        folder: of logs and notes.
        bins: the programs of each side: its interpreter's folder.
        config: the settings of both applications.
    """

    folder: Path
    bins: Mapping[Side, Path]
    config: Mapping[str, Any]

    def environ(self, side: Side) -> dict[str, str]:
        """The environment of one side's processes."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "KERNEL_", "CELERY_"))}
        mine = {"INTEROP_SIDE": side, "INTEROP_CONFIG": json.dumps(self.config), "PYTHONPATH": str(PROGRAMS)}
        return {**kept, **mine, "PYTHONUNBUFFERED": "1"}

    def start(self, side: Side, name: str, words: Sequence[str], **streams: Any) -> subprocess.Popen[bytes]:
        """Start a program of one side; what it prints goes to a log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [str(self.bins[side] / words[0]), *words[1:]],
                **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **streams},
                cwd=self.folder,
                env=self.environ(side),
            )

    def logs(self) -> str:
        """The end of every log."""
        tails = (f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in self.folder.glob("*.log"))
        return "\n".join(tails)


@dataclass
class Worker:
    """A worker of one side; Celery's with all it does beside tasks: control, events, gossip, mingle."""

    side: Side
    site: Site
    queues: Sequence[str] = ()
    options: Sequence[str] = ("-c", "2")
    name: str = ""
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.name or f"{self.side}-worker"
        queues = ",".join(self.queues or (QUEUES[self.side],))
        words = [self.side, "-A", "interop_tasks", "worker", "-Q", queues, "-l", "INFO", "-n", f"{self.name}@interop"]
        self.process = self.site.start(self.side, self.name, [*words, *self.options])

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self.process.poll() is None

    def log(self) -> str:
        """What it printed."""
        return (self.site.folder / f"{self.name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """End it, politely first."""
        end(self.process)


class Client:
    """A client program of one side."""

    def __init__(self, side: Side, site: Site) -> None:
        self.side = side
        self._site = site
        words = ["python", str(PROGRAMS / "client.py")]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = site.start(side, f"{side}-client", words, **streams)
        self._pending = b""

    def ask(self, command: str, seconds: float = 60.0, **arguments: Any) -> Any:
        """Have it do a command and return the answer.

        Raises:
            Failed: it raised, ended, or did not answer in time.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, arguments]).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._line(time.monotonic() + seconds))
        if "failed" in answer:
            raise Failed(f"{self.side} client, {command} {arguments}:\n{answer['failed']}\n{self._site.logs()}")
        return answer["answer"]

    def send(self, name: str, *args: Any, kwargs: Mapping[str, Any] | None = None, **options: Any) -> str:
        """Call a task; its id."""
        return str(self.ask("send", name=name, args=args, kwargs=kwargs, options=options))

    def outcome(self, task_id: str, timeout: float = 30) -> dict[str, Any]:
        """How a task ended: ``state`` with ``value`` or ``error``."""
        found: dict[str, Any] = self.ask("outcome", task_id=task_id, timeout=timeout)
        return found

    def value(self, task_id: str, timeout: float = 30) -> Any:
        """What a task returned."""
        outcome = self.outcome(task_id, timeout)
        if outcome["state"] != "SUCCESS":
            raise Failed(f"{outcome}\n{self._site.logs()}")
        return outcome["value"]

    def error(self, task_id: str, timeout: float = 30) -> dict[str, Any]:
        """What a task raised."""
        outcome = self.outcome(task_id, timeout)
        if "error" not in outcome:
            raise Failed(f"it did not fail: {outcome}")
        found: dict[str, Any] = outcome["error"]
        return found

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        end(self._process)
        self._process.stdout.close()

    def _line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise Failed(f"the {self.side} client did not answer\n{self._site.logs()}")
            data = os.read(self._process.stdout.fileno(), 65_536)
            if not data:
                raise Failed(f"the {self.side} client ended\n{self._site.logs()}")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return line


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process by its id, politely first."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def bins(celery: Path) -> dict[Side, Path]:
    """Where each side's programs are: Celery's in its own environment, ours beside this interpreter."""
    return {"celery": celery, "kernel": Path(sys.executable).parent}
