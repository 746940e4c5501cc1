"""A worker node as a monitor has seen it through events (features.md 2.6)."""

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from kernel.engine.monitoring import EXPIRE_WINDOW, FREQUENCY_S, heartbeat_expires, kept_heartbeats


class Worker:
    """One node; two of equal hostname are equal.

    Attributes:
        hostname: its name, such as ``w1@host``.
        pid: of its supervising process.
        freq: seconds between two heartbeats.
        heartbeats: when the last few were heard, oldest first; empty once it said ``worker-offline``.
        clock: its logical clock at the last event.
        active: tasks it is running.
        processed: tasks it has taken since it started.
        loadavg: load of its machine over 1, 5 and 15 minutes.
        sw_ident, sw_ver, sw_sys: what software it is, which version, on which system.

    Anything else that its events carry becomes an attribute, too.
    """

    fields: ClassVar = (
        "hostname", "pid", "freq", "heartbeats", "clock", "active", "processed", "loadavg", "sw_ident", "sw_ver",
        "sw_sys",
    )  # fmt: skip
    expire_window: float = EXPIRE_WINDOW

    def __init__(self, hostname: str | None = None, **fields: Any) -> None:
        self.hostname = hostname
        self.pid: int | None = None
        self.freq: float = FREQUENCY_S
        self.heartbeats: list[float] = []
        self.clock = 0
        self.active: int | None = None
        self.processed: int | None = None
        self.loadavg: list[float] | None = None
        self.sw_ident: str | None = None
        self.sw_ver: str | None = None
        self.sw_sys: str | None = None
        self.update(fields)

    def event(
        self,
        type_: str | None,
        timestamp: float | None = None,
        local_received: float | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Take in an event of its own, or, with a ``type_`` of None, one of a task it runs.

        Args:
            type_: the second part of the event's type.
            timestamp: when it happened by the worker's clock.
            local_received: when it was heard by the clock of this machine.
            fields: what it carries.
        """
        self.update(fields or {})
        if type_ == "offline":
            self.heartbeats = []
        elif local_received and timestamp:
            self.heartbeats = kept_heartbeats(self.heartbeats, local_received)

    def update(self, fields: Mapping[str, Any], **more: Any) -> None:
        """Set attributes."""
        self.__dict__.update(fields, **more)

    def as_dict(self) -> dict[str, Any]:
        """Its fields."""
        return {name: getattr(self, name) for name in self.fields}

    @property
    def heartbeat_expires(self) -> float:
        """The Unix time from which it counts as gone; it has been heard of."""
        return heartbeat_expires(self.heartbeats[-1], self.freq, self.expire_window)

    @property
    def alive(self) -> bool:
        """Whether it was heard of lately, by the clock of this machine."""
        return bool(self.heartbeats) and time.time() < self.heartbeat_expires

    @property
    def status_string(self) -> str:
        """``ONLINE`` or ``OFFLINE``."""
        return "ONLINE" if self.alive else "OFFLINE"

    @property
    def id(self) -> str:
        """Name and process."""
        return f"{self.hostname}.{self.pid}"

    def __eq__(self, other: object) -> bool:
        return self.hostname == other.hostname if isinstance(other, Worker) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hostname)

    def __repr__(self) -> str:
        return f"<Worker: {self.hostname} ({self.status_string} clock:{self.clock})>"
