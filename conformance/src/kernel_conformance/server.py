"""Servers as child processes: started on a free port, killed, restarted, and never left behind."""

import contextlib
import os
import random
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from kernel_conformance.outcome import NotRun

OWN_PORTS = range(20_000, 32_000)


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on now, and nobody is given without asking for it.

    It is below the range that systems take the ports of outgoing connections from, so that a server that is down for
    a while finds its port free again.
    """
    for port in random.sample(OWN_PORTS, 100):
        with contextlib.suppress(OSError), socket.create_server((host, port)):
            return port
    with socket.create_server((host, 0)) as listener:
        return int(listener.getsockname()[1])


def accepts(address: tuple[str, int]) -> bool:
    """Whether somebody accepts TCP connections there."""
    try:
        socket.create_connection(address, timeout=0.5).close()
    except OSError:
        return False
    return True


class Server:
    """A server that the harness starts, kills and restarts.

    Args:
        command: the command line; ``{host}``, ``{port}`` and ``{dir}`` (a folder that survives restarts) are filled in.
        ready: tells whether the server at an address is ready; by default that it accepts TCP connections.
        start_s: how long starting may take.
        env: environment variables to add.
        before_start: called with the folder before every start, for example to remove a stale pid file.
    """

    def __init__(
        self,
        command: str,
        *,
        ready: Callable[[tuple[str, int]], bool] = accepts,
        start_s: float = 30.0,
        env: Mapping[str, str] | None = None,
        before_start: Callable[[Path], None] | None = None,
    ) -> None:
        self._command = command
        self._ready = ready
        self._start_s = start_s
        self._env = dict(env or {})
        self._before_start = before_start
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._address = ("127.0.0.1", 0)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; the same after a restart."""
        return self._address

    @property
    def pid(self) -> int:
        """The process that serves; 0 while it does not run."""
        return self._process.pid if self._process is not None and self.running else 0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it is ready; nothing when it runs.

        Raises:
            NotRun: it could not be started; the message has the end of what it printed.
        """
        if self.running:
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="conformance-server-")
            self._address = ("127.0.0.1", free_port())
        folder = Path(self._folder.name)
        if self._before_start is not None:
            self._before_start(folder)
        host, port = self._address
        words = shlex.split(self._command.format(host=host, port=port, dir=folder))
        log = folder / "server.log"
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **self._env}
                )
        except OSError as error:
            self.stop()
            raise NotRun(f"the server does not start: {error}") from error
        self._await_ready(log)

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """End it politely."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it and start it again, at the same address with the same folder."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """End it and remove its folder."""
        self._end(signal.SIGTERM)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def _await_ready(self, log: Path) -> None:
        end = time.monotonic() + self._start_s
        while time.monotonic() < end and self.running:
            if self._ready(self._address):
                return
            time.sleep(0.02)
        why = f"was not ready after {self._start_s:g} s" if self.running else "ended at once"
        self._end(signal.SIGKILL)
        tail = " ".join(log.read_text(errors="replace").split())[-300:]
        self.stop()
        raise NotRun(f"the server {why}: {tail or 'it printed nothing'}")
