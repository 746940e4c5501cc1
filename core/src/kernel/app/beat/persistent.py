"""The built-in scheduler: entries from configuration, and a file that knows when each ran last."""

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from kernel.app.beat.scheduler import Scheduler
from kernel.runtime.beat_file import BeatFile, Ran

logger = logging.getLogger("kernel.beat")

_UNWRITTEN_S = 1.0
"""Seconds that what was sent may be known in memory alone, while more and more is due."""
_AHEAD = timedelta(seconds=60)
"""A last run further in the future than this is the word of a clock that was wrong."""


class PersistentScheduler(Scheduler):
    """Keeps the times of last runs in a file (``beat_schedule_filename``); what runs when is read from configuration.

    What was sent is written as soon as nothing else is due, and after a second at the latest, unless
    ``beat_sync_every`` says otherwise: a kill repeats at most what was sent and not yet written.

    Args:
        args: as :class:`Scheduler`.
        kwargs: likewise; ``schedule_filename`` is the file.

    Raises:
        ImproperlyConfigured: when another beat has the file open.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.schedule_filename: str | None = kwargs.get("schedule_filename")
        self._file: BeatFile | None = None
        self._written: dict[str, Ran] = {}
        super().__init__(*args, **kwargs)
        self._at_once = self.sync_every_tasks is None

    def setup_schedule(self) -> None:
        """Open the file, and tell the entries of the configuration when they ran last."""
        file = self._file = BeatFile(self._path())
        try:
            self._begin(file)
        except BaseException:
            file.close()
            raise

    def _begin(self, file: BeatFile) -> None:
        self._forget_another_time(file)
        self.merge_inplace(self.app.conf.beat_schedule)
        self.install_default_entries(self.schedule)
        self._written = file.read()
        for name, ran in self._written.items():
            if name in self.schedule:
                self._remember(self.schedule[name], ran)
        self.sync()
        logger.debug("Current schedule:\n%s", "\n".join(repr(entry) for entry in self.schedule.values()))

    def tick(self) -> float:
        """As every scheduler's; what was sent is written before a sleep."""
        seconds = super().tick()
        if self._at_once and self._tasks_since_sync and (seconds > 0 or self._unwritten_s() > _UNWRITTEN_S):
            self.keep()
        return seconds

    def sync(self) -> None:
        """Write what changed since the last time."""
        if self._file is None:
            return
        found = {name: Ran(entry.last_run_at, entry.total_run_count) for name, entry in self.schedule.items()}
        changed = {name: ran for name, ran in found.items() if self._written.get(name) != ran}
        gone = self._written.keys() - found.keys()
        if changed or gone:
            self._file.write(changed, gone)
            self._written = found

    def close(self) -> None:
        """The last sync; the file is free for another beat. Idempotent."""
        try:
            super().close()
        finally:
            if self._file is not None:
                self._file.close()
                self._file = None

    @property
    def info(self) -> str:
        """The file, for the banner."""
        return self._path()

    def _path(self) -> str:
        config = self.app.conf
        return self.schedule_filename or config.beat_schedule_filename or f"{config.namespace}beat-schedule"

    def _unwritten_s(self) -> float:
        return time.monotonic() - (self._last_sync or 0.0)

    def _forget_another_time(self, file: BeatFile) -> None:
        """Times of last runs mean something else when the clock that counts is another one."""
        config, known = self.app.conf, file.facts()
        facts = {"timezone": config.timezone, "enable_utc": str(config.enable_utc)}
        changed = [name for name in facts if name in known and known[name] != facts[name]]
        for name in changed:
            logger.warning(
                "Reset: %s changed from %r to %r, so every entry begins anew", name, known[name], facts[name]
            )
        file.forget(facts, entries=bool(changed))

    def _remember(self, entry: Any, ran: Ran) -> None:
        if ran.last_run_at > datetime.fromtimestamp(time.time(), UTC) + _AHEAD:
            logger.warning(
                "Entry %s ran last at %s, which is still to come: it begins anew", entry.name, ran.last_run_at
            )
            return
        entry.last_run_at = ran.last_run_at
        entry.total_run_count = ran.total_run_count
