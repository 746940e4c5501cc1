"""The scheduler: knows entries, sends those that are due, says how long to sleep (features.md 2.3).

An entry that is due is sent first and marked as sent after that. A crash in between sends it again; none is lost.
"""

import copy
import heapq
import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from kernel.app.beat.agenda import PRIORITY, event_t, seconds_of, sleep_s
from kernel.app.beat.entries import Entries
from kernel.app.beat.sending import SchedulingError, arguments, keywords, may_pass, pause_s, with_header
from kernel.model.interval import in_words

logger = logging.getLogger("kernel.beat")

DEFAULT_MAX_INTERVAL = 300.0
_PUT_BACK_S = 60.0
"""Smaller steps back are how clocks are kept right."""


class Scheduler(Entries):
    """Keeps entries in memory. Subclasses keep them elsewhere, and may replace any method.

    Args:
        app: the application.
        schedule: the entries by name, or a function that gives them; None is none.
        max_interval: seconds slept at most; None follows ``beat_max_loop_interval``, and that :attr:`max_interval`.
        Producer: makes the producer that is handed to ``apply_async``; None is the application's.
        lazy: do not set the schedule up: somebody only wants to look.
        sync_every_tasks: calls between two syncs; None follows ``beat_sync_every``.
        more: of schedulers with options of their own.
    """

    max_interval: float = DEFAULT_MAX_INTERVAL
    sync_every: float = 180.0
    """Seconds between two syncs."""
    sync_every_tasks: int | None = None
    logger = logger

    def __init__(
        self,
        app: Any,
        schedule: MutableMapping[str, Any] | Callable[[], MutableMapping[str, Any]] | None = None,
        max_interval: float | None = None,
        Producer: Callable[[], Any] | None = None,  # noqa: N803 - the documented name
        lazy: bool = False,
        sync_every_tasks: int | None = None,
        **more: Any,  # noqa: ARG002 - schedule_filename and the like are for subclasses that know them
    ) -> None:
        super().__init__(app, schedule)
        self.max_interval = max_interval or app.conf.beat_max_loop_interval or self.max_interval
        self.Producer = Producer or app.amqp.Producer
        self.sync_every_tasks = self._tasks_between(sync_every_tasks)
        self.old_schedulers: Any = None
        self._heap: list[Any] | None = None
        self._last_sync: float | None = None
        self._tasks_since_sync = 0
        self._tries: dict[str, int] = {}
        self._latest = 0.0
        self._producer: Any = None
        if not lazy:
            self.setup_schedule()

    # One look

    def tick(self) -> float:
        """Send the entry that is due first, if one is due.

        Returns:
            Seconds to sleep until the next call; 0 when another entry may be due.
        """
        if self._clock_was_put_back():
            self._forget_the_future()
        if self._heap is None or not self.schedules_equal(self.old_schedulers, self.schedule):
            self.old_schedulers = copy.copy(self.schedule)
            self.populate_heap()
        heap = self._heap or []
        if not heap:
            return self.max_interval
        entry = heap[0][2]
        now = self._when(entry, 0)
        if heap[0][0] > now:
            return sleep_s(heap[0][0], now, self.max_interval)
        heapq.heappop(heap)
        is_due, asked = self._look(entry)
        look_at = now + self.adjust(seconds_of(asked, self.max_interval))  # from now on, however long sending takes
        if is_due:
            entry, look_at = self._send(entry, look_at)
        heapq.heappush(heap, event_t(look_at, PRIORITY, entry))
        return sleep_s(heap[0][0], self._when(entry, 0), self.max_interval)

    def _send(self, entry: Any, look_at: float) -> tuple[Any, float]:
        """The entry as it stands after a try, and when it is looked at again."""
        if self.apply_entry(entry, producer=self.producer) is False:
            tries = self._tries[entry.name] = self._tries.get(entry.name, 0) + 1
            return entry, self._when(entry, pause_s(tries))
        if tries := self._tries.pop(entry.name, 0):
            logger.info("Entry %s waits no more, after %d tries", entry.name, tries)
        try:
            return self._mark(entry), look_at
        except Exception:
            logger.exception("Entry %s was sent and could not be marked as sent", entry.name)
            return entry, look_at

    def populate_heap(self) -> None:
        """Look at every entry."""
        self._heap = []
        for entry in self.schedule.values():
            is_due, asked = self._look(entry)
            in_s = 0.0 if is_due else seconds_of(asked, self.max_interval)
            self._heap.append(event_t(self._when(entry, in_s), PRIORITY, entry))
        heapq.heapify(self._heap)

    def _look(self, entry: Any) -> tuple[bool, Any]:
        """Whether it is due; an entry that cannot tell does not stop the rest."""
        try:
            is_due, asked = self.is_due(entry)
        except Exception:
            logger.exception(
                "Entry %s cannot tell when it is due; asked again in %s", entry.name, in_words(self.max_interval)
            )
            return False, self.max_interval
        return bool(is_due), asked

    def _clock_was_put_back(self) -> bool:
        now, before = time.time(), self._latest
        self._latest = now
        return now < before - _PUT_BACK_S

    def _forget_the_future(self) -> None:
        """What ran at times that are to come again would otherwise wait until they have come."""
        logger.warning("The clock was put back: entries that ran later than now begin anew")
        self._heap = None
        for entry in self.schedule.values():
            now = entry.default_now()
            if entry.last_run_at is not None and entry.last_run_at > now:
                entry.last_run_at = now

    def is_due(self, entry: Any) -> Any:
        """Whether an entry is due, and the seconds until it is to be asked again."""
        return entry.is_due()

    def adjust(self, n: float, drift: float = 0.0) -> float:
        """Seconds to wait, corrected by what waking up takes; for subclasses."""
        return n + drift if n and n > 0 else n

    def _when(self, entry: Any, next_time_to_run: float) -> float:
        """The Unix time so many seconds from now, by the clock of the entry."""
        return float(entry.default_now().timestamp()) + (next_time_to_run or 0.0)

    def schedules_equal(self, old_schedules: Any, new_schedules: Any) -> bool:
        """Whether two schedules say the same, so that what was planned holds."""
        if old_schedules is None or new_schedules is None:
            return old_schedules is new_schedules
        if set(old_schedules) != set(new_schedules):
            return False
        pairs = ((old, new_schedules.get(name)) for name, old in old_schedules.items())
        return all(old is new or old == new for old, new in pairs)

    # Sending

    def reserve(self, entry: Any) -> Any:
        """Mark an entry as sent now; the entry that takes its place."""
        following = self.schedule[entry.name] = next(entry)
        return following

    def apply_entry(self, entry: Any, producer: Any = None) -> bool:
        """Send an entry that is due; a failure is logged and never raised.

        Returns:
            False when the broker is away, so that the entry is still due; True when it was sent, or never can be.
        """
        tried = entry.name in self._tries  # then the log has both lines already: an outage is long, and tries are many
        logger.log(
            logging.DEBUG if tried else logging.INFO, "Scheduler: Sending due task %s (%s)", entry.name, entry.task
        )
        try:
            result = self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:
            if may_pass(error):
                logger.log(
                    logging.DEBUG if tried else logging.WARNING, "Entry %s waits for the broker: %s", entry.name, error
                )
                return False
            logger.exception("Entry %s could not be sent and waits for its next time", entry.name)
            return True
        logger.debug("%s sent. id->%s", entry.task, getattr(result, "id", None))
        return True

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Send an entry.

        Args:
            entry: what to send.
            producer: sends it; None is the application's pool.
            advance: mark the entry as sent, once it is; False leaves that to the caller.
            kwargs: further execution options.

        Returns:
            The result of the call.

        Raises:
            SchedulingError: when it could not be sent.
        """
        try:
            options = {**with_header(entry.options), **kwargs, "producer": producer}
            task = self.app.tasks.get(entry.task)
            args, named = arguments(entry.args), keywords(entry.kwargs)
            if task is not None:
                result = task.apply_async(args, named, **options)
            else:
                result = self.send_task(entry.task, args, named, **options)
        except Exception as error:
            if advance and not may_pass(error):
                self._mark(entry)  # or it would be tried at once, for ever
            raise SchedulingError(f"Couldn't apply scheduled task {entry.name}: {error}") from error
        if advance:
            self._mark(entry)
        return result

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        """Send a task that is not registered here."""
        return self.app.send_task(*args, **kwargs)

    @property
    def producer(self) -> Any:
        """Handed to ``apply_async``."""
        if self._producer is None:
            self._producer = self.Producer()
        return self._producer

    # Keeping

    def should_sync(self) -> bool:
        """Whether it is time to write down what was sent."""
        if not self._last_sync or time.monotonic() - self._last_sync > self.sync_every:
            return True
        return bool(self.sync_every_tasks) and self._tasks_since_sync >= (self.sync_every_tasks or 0)

    def sync(self) -> None:
        """Write down what was sent; nothing to do in memory."""

    def close(self) -> None:
        """The last sync."""
        self.sync()
        self._producer = None

    @property
    def info(self) -> str:
        """A line for the banner."""
        return ""

    def _mark(self, entry: Any) -> Any:
        following = self.reserve(entry)
        self._tasks_since_sync += 1
        if self.should_sync():
            self.keep()
        return following

    def keep(self) -> None:
        """A sync that may fail, as on a full disk: what was sent is known in memory, and written with the next one."""
        try:
            self._do_sync()
        except Exception:
            logger.exception("beat: What was sent could not be written down")

    def _do_sync(self) -> None:
        try:
            logger.debug("beat: Synchronizing schedule...")
            self.sync()
        finally:
            self._last_sync = time.monotonic()
            self._tasks_since_sync = 0

    def _tasks_between(self, given: int | None) -> int | None:
        if given is not None:
            return given
        setting: int | None = self.app.conf.beat_sync_every
        return self.sync_every_tasks if setting is None else setting
