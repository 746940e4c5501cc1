"""Which tasks are not to run any more: ids and stamps, the newest so many of them, for some hours (features.md 2.5)."""

import threading
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

Stamps = Mapping[str, Any]


class RevokedTasks:
    """Ids and stamps that were revoked. Looked at by one thread for every message, changed by others.

    Attributes:
        ids: id → Unix time when it is forgotten, oldest first. To be looked at only.
        stamps: header → value → the same, for tasks revoked by a stamp. To be looked at only.

    Args:
        limit: most ids kept, and most stamps; the oldest go first.
        keep_s: seconds each is kept.
    """

    def __init__(self, limit: int = 50_000, keep_s: float = 10_800.0) -> None:
        self.ids: dict[str, float] = {}
        self.stamps: dict[str, dict[Hashable, float]] = {}
        self._limit = limit
        self._keep_s = keep_s
        self._lock = threading.Lock()

    def add(self, ids: Iterable[str], now: float) -> dict[str, float]:
        """Revoke these; what is new or newer, with the time it is forgotten."""
        return self.restore(dict.fromkeys(ids, now + self._keep_s), now)

    def restore(self, known: Mapping[str, float], now: float) -> dict[str, float]:
        """Take over what is known elsewhere, with the times it is forgotten; what was new or newer."""
        taken: dict[str, float] = {}
        with self._lock:
            for task_id, until in known.items():
                if until > now and until > self.ids.get(task_id, 0.0):
                    self.ids.pop(task_id, None)  # the newest stand last
                    self.ids[task_id] = taken[task_id] = until
            _shorten(self.ids, self._limit)
        return taken

    def add_stamps(self, stamps: Stamps, now: float) -> dict[str, dict[Hashable, float]]:
        """Revoke every task that carries one of these: header → value, or list of values."""
        until = now + self._keep_s
        return self.restore_stamps({name: dict.fromkeys(values_of(each), until) for name, each in stamps.items()}, now)

    def restore_stamps(
        self, known: Mapping[str, Mapping[Hashable, float]], now: float
    ) -> dict[str, dict[Hashable, float]]:
        """As :meth:`restore`, for stamps."""
        with self._lock:
            for name, values in known.items():
                # Replaced as a whole: another thread may be looking at it.
                merged = {**self.stamps.get(name, {}), **{each: until for each, until in values.items() if until > now}}
                _shorten(merged, self._limit)
                if merged:
                    self.stamps[name] = merged
            while sum(map(len, self.stamps.values())) > self._limit and len(self.stamps) > 1:
                del self.stamps[next(iter(self.stamps))]
        return {name: dict(values) for name, values in known.items()}

    def holds(self, task_id: str, headers: Mapping[str, Any]) -> bool:
        """Whether a message with that id and those headers is not to run."""
        return task_id in self.ids or (bool(self.stamps) and self.stamped(headers.get("stamps")))

    def stamped(self, stamps: object) -> bool:
        """Whether one of the stamps of a message was revoked."""
        return isinstance(stamps, Mapping) and any(
            not revoked.keys().isdisjoint(values_of(stamps[name]))
            for name, revoked in self.stamps.copy().items()
            if name in stamps
        )

    def purge(self, now: float) -> None:
        """Forget what is over."""
        with self._lock:
            for task_id in [task_id for task_id, until in self.ids.items() if until <= now]:
                del self.ids[task_id]
            for name, values in list(self.stamps.items()):
                left = {each: until for each, until in values.items() if until > now}
                if left:
                    self.stamps[name] = left
                else:
                    del self.stamps[name]

    def known(self) -> list[str]:
        """The ids, oldest first."""
        with self._lock:
            return list(self.ids)


def is_task_id(value: object) -> bool:
    """Whether it may be the id of a task: a text that files and stores can keep, so not half a character."""
    if not isinstance(value, str) or not value:
        return False
    return value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value)


def values_of(stamp: object) -> list[Hashable]:
    """The values of a stamp, which may be one or several; one that cannot be compared is none."""
    values = stamp if isinstance(stamp, (list, tuple, set, frozenset)) else [stamp]
    return [value for value in values if isinstance(value, (str, int, float, bool))]


def _shorten(values: dict[Any, float], limit: int) -> None:
    while len(values) > limit:
        del values[next(iter(values))]
