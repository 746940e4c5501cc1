"""``schedule``: again and again after an interval."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from kernel.app.schedules.base import BaseSchedule, schedstate
from kernel.model.interval import in_words, interval_end


class schedule(BaseSchedule):  # noqa: N801 - the name users of the calling API know
    """Due when so much time has passed, whatever was done to the clock on the wall meanwhile.

    Args:
        run_every: the interval: seconds, or a timedelta.
        relative: round down to the clock: an interval of hours runs at full hours, one of days at midnight.
        nowfun: tells the time.
        app: the application.
    """

    relative: bool = False

    def __init__(
        self,
        run_every: float | timedelta | None = None,
        relative: bool = False,
        nowfun: Callable[[], datetime] | None = None,
        app: Any = None,
    ) -> None:
        super().__init__(nowfun=nowfun, app=app)
        self.run_every = run_every if isinstance(run_every, timedelta) else timedelta(seconds=run_every or 0)
        self.relative = relative

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """What is left of the interval."""
        return self._left(last_run_at, self.maybe_make_aware(self.now()))

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Whether the interval is over; then with the seconds that the next one takes."""
        left = self.remaining_estimate(last_run_at).total_seconds()
        if left > 0:
            return schedstate(False, left)
        if not self.relative:
            return schedstate(True, self.seconds)
        now = self.maybe_make_aware(self.now())
        return schedstate(True, max(0.0, self._left(now, now).total_seconds()))

    def _left(self, since: datetime, now: datetime) -> timedelta:
        end = interval_end(self.maybe_make_aware(since), self.run_every, self.tz, relative=self.relative)
        return end - now.astimezone(UTC)

    @property
    def seconds(self) -> float:
        """The interval in seconds."""
        return max(0.0, self.run_every.total_seconds())

    @property
    def human_seconds(self) -> str:
        """The interval for people: ``2.00 minutes``."""
        return in_words(self.seconds)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, schedule):
            return self.run_every == other.run_every
        return self.run_every == other

    def __hash__(self) -> int:
        return hash(self.run_every)

    def __repr__(self) -> str:
        return f"<freq: {self.human_seconds}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.run_every, self.relative, self.nowfun)
