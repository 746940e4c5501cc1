"""What every schedule is: it tells whether something that ran last then is due now."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from kernel.app.current import app_or_default


class schedstate(NamedTuple):  # noqa: N801 - the name users of the calling API know
    """Whether something is due, and in how many seconds to ask again."""

    is_due: bool
    next: float


class BaseSchedule:
    """The base of schedules; a subclass defines :meth:`remaining_estimate`, and :meth:`is_due` where that differs.

    Args:
        nowfun: tells the time, in place of the application's clock; a naive answer is in UTC.
        app: whose clock and time zone count; None is the current application.
    """

    _zone: tzinfo | None = None  # of the class: a subclass may set its zone before it calls this constructor

    def __init__(self, nowfun: Callable[[], datetime] | None = None, app: Any = None) -> None:
        self.nowfun = nowfun
        self._app = app

    def now(self) -> datetime:
        """The time now."""
        found: datetime = (self.nowfun or self.app.now)()
        return found

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """How long it takes until it is due again, after a run at ``last_run_at``; not positive when it is due."""
        raise NotImplementedError(f"{type(self).__name__} defines no remaining_estimate()")

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Whether it is due after a run at ``last_run_at``, and the seconds until that may change."""
        left = self.remaining_estimate(last_run_at).total_seconds()
        if left > 0:
            return schedstate(False, left)
        return schedstate(True, max(0.0, self.remaining_estimate(self.now()).total_seconds()))

    def maybe_make_aware(self, dt: datetime, naive_as_utc: bool = True) -> datetime:
        """The same moment in the schedule's zone; a naive one is in UTC, or in that zone with False."""
        if dt.tzinfo is None:
            dt = dt.replace(tzinfo=UTC if naive_as_utc else self.tz)
        return dt.astimezone(self.tz)

    @property
    def app(self) -> Any:
        """The application."""
        return app_or_default(self._app)

    @app.setter
    def app(self, app: Any) -> None:
        self._app = app

    @property
    def tz(self) -> tzinfo:
        """The zone whose clock counts: the application's, unless a subclass sets another."""
        zone: tzinfo = self.app.timezone if self._zone is None else self._zone
        return zone

    @tz.setter
    def tz(self, zone: tzinfo | None) -> None:
        self._zone = zone

    @property
    def utc_enabled(self) -> bool:
        """The application's setting ``enable_utc``."""
        return bool(self.app.conf.enable_utc)

    def to_local(self, dt: datetime) -> datetime:
        """The same moment by the clock that counts."""
        return dt.astimezone(self.tz)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BaseSchedule):
            return other.nowfun == self.nowfun
        return NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.nowfun))
