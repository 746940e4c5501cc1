"""What a plugin does when it is imported: looked at in a fresh process, which prints one line of JSON.

Run as ``python -m kernel_conformance.probes <value of the entry point>``.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import kernel.runtime.plugin_boot  # noqa: F401 - the loader and contracts count for the kernel, not for the plugin
import kernel.runtime.plugins as loader

LOUD_EVENTS = ("socket.", "subprocess.", "os.fork", "os.posix_spawn", "os.putenv", "smtplib.", "ftplib.", "urllib.")
"""Audit events that importing or constructing a plugin must not raise."""


class Watch:
    """Notes what a piece of code does to the process: threads, sockets, files left open, signals, logging."""

    def __init__(self) -> None:
        self._on = False
        self._events: list[str] = []
        sys.addaudithook(self._hear)

    def start(self) -> None:
        """Begin to look."""
        self._before = _state()
        self._events.clear()
        self._on = True

    def stop(self) -> list[str]:
        """What was noticed since, each in words."""
        self._on = False
        after = _state()
        noticed = [
            f"{name} changed: {self._before[name]} -> {after[name]}"
            for name in after
            if after[name] != self._before[name]
        ]
        return noticed + sorted(set(self._events))

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._on and event.startswith(LOUD_EVENTS) and event not in {"socket.gethostname", "socket.__new__"}:
            self._events.append(f"audit event {event}")


def _state() -> dict[str, Any]:
    root = logging.getLogger()
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "open sockets": _sockets(),
        "signal handlers": {str(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
        "root log handlers": [type(handler).__name__ for handler in root.handlers],
        "root log level": root.level,
        "environment": sorted(os.environ),
    }


def _sockets() -> list[str]:
    found = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            target = path.readlink()
        except OSError:
            continue  # the descriptor that lists the folder
        if str(target).startswith("socket:"):
            found.append(str(target))
    return sorted(found)


def _queued() -> float:
    """Seconds for which this process could have run, and the machine ran others; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def main(value: str) -> None:
    """Import what an entry point names, and say how long it took and what it did."""
    module, _, attribute = value.partition(":")
    loader.discover()
    watch = Watch()
    watch.start()
    started, queued = time.perf_counter(), _queued()
    plugin = getattr(import_module(module), attribute.strip().split(" ")[0])
    seconds = time.perf_counter() - started - (_queued() - queued)
    noticed = watch.stop()
    print(json.dumps({"seconds": seconds, "noticed": noticed, "type": type(plugin).__name__}))  # noqa: T201 - its answer


if __name__ == "__main__":
    main(sys.argv[1])
