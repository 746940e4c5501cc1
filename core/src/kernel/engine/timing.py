"""When a message may run and when it is too late: countdown, eta and expires (features.md 1.6, 1.7)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kernel.errors import ImproperlyConfigured
from kernel.model.options import CallOptions


@dataclass(frozen=True, slots=True)
class Timing:
    """The resolved times of one message.

    Attributes:
        delay_s: seconds until it may run; 0 is now.
        eta: the same as ISO 8601 text for the header, or None.
        left_s: seconds until it expires, never negative; None is never.
        expires: the same as ISO 8601 text for the header, or None.
        late: it had expired already.
    """

    delay_s: float = 0.0
    eta: str | None = None
    left_s: float | None = None
    expires: str | None = None
    late: bool = False


NOW = Timing()
_ROUNDING_S = 0.000_01
_WANTED = {"countdown": "a number of seconds", "eta": "a datetime", "expires": "a datetime or seconds from now"}


def app_zone(name: str | None, enable_utc: bool) -> tzinfo | None:
    """The zone that naive times are in: the setting ``timezone``, else UTC, else local time (None).

    Raises:
        ImproperlyConfigured: for a zone this machine does not know.
    """
    if name is None:
        return UTC if enable_utc else None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ImproperlyConfigured(
            f"timezone is {name!r}, which this machine does not know",
            cure="Use a name such as 'Europe/Berlin'; the package 'tzdata' brings the list where the system has none.",
        ) from error


def resolve_timing(options: CallOptions, now: float, zone: tzinfo | None, *, utc: bool = True) -> Timing:
    """Turn the time options of a call into what its message carries.

    Args:
        options: ``countdown`` (wins over ``eta``), ``eta`` and ``expires`` are read.
        now: Unix time in seconds.
        zone: what a naive ``eta`` or ``expires`` is in; None is local time.
        utc: write times in UTC, else in ``zone``.

    Raises:
        ValueError: for a time that is no time, or lies outside the calendar.
    """
    countdown, eta, expires = options.get("countdown"), options.get("eta"), options.get("expires")
    if countdown is None and eta is None and expires is None:
        return NOW
    shown = UTC if utc else zone
    start = _moment("countdown", countdown, now, zone) if countdown is not None else _moment("eta", eta, now, zone)
    end = _moment("expires", expires, now, zone)
    return Timing(
        delay_s=_ahead(start.timestamp() - now) if start else 0.0,
        eta=_text(start, shown),
        left_s=max(0.0, end.timestamp() - now) if end else None,
        expires=_text(end, shown),
        late=end is not None and end.timestamp() <= now,
    )


def _ahead(seconds: float) -> float:
    """A moment that rounding put a little ahead is now: a broker that cannot delay must not be asked for it."""
    return seconds if seconds >= _ROUNDING_S else 0.0


def _moment(name: str, value: object, now: float, zone: tzinfo | None) -> datetime | None:
    """A number is seconds from ``now``; text is ISO 8601, as it is after a trip over the wire."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, timedelta):
            value = value.total_seconds()
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=zone) if zone else value.astimezone()
            return aware.astimezone(UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and name != "eta":
            return datetime.fromtimestamp(now, UTC) + timedelta(seconds=value)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{name}={value!r} is outside the range of dates: {error}") from error
    raise ValueError(f"{name} must be {_WANTED[name]}, not {value!r} ({type(value).__name__})")


def _text(moment: datetime | None, zone: tzinfo | None) -> str | None:
    return moment.astimezone(zone).isoformat(timespec="microseconds") if moment else None
