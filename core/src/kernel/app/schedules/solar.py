"""``solar``: at dawn, sunrise, noon, sunset or dusk of a place; needs the library ephem."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, NamedTuple

from kernel.app.schedules.base import BaseSchedule
from kernel.errors import ImproperlyConfigured
from kernel.errors.near import did_you_mean


class _Event(NamedTuple):
    """What to ask ephem for: the next time the Sun does this, seen over that horizon.

    Attributes:
        method: of ``ephem.Observer``.
        horizon: degrees and minutes below the horizon; at sunrise and sunset the refraction of the air.
        center: whether the middle of the Sun is meant rather than its edge.
    """

    method: str
    horizon: str
    center: bool


_EVENTS: Mapping[str, _Event] = {
    "dawn_astronomical": _Event("next_rising", "-18", True),
    "dawn_nautical": _Event("next_rising", "-12", True),
    "dawn_civil": _Event("next_rising", "-6", True),
    "sunrise": _Event("next_rising", "-0:34", False),
    "solar_noon": _Event("next_transit", "0", False),
    "sunset": _Event("next_setting", "-0:34", False),
    "dusk_civil": _Event("next_setting", "-6", True),
    "dusk_nautical": _Event("next_setting", "-12", True),
    "dusk_astronomical": _Event("next_setting", "-18", True),
}
_DAYS = 366
"""How far an event is looked for where the Sun stays up, or down, for months."""
_LATITUDE = 90
_LONGITUDE = 180


class solar(BaseSchedule):  # noqa: N801 - the name users of the calling API know
    """Due at an event of the Sun, at a place on the Earth.

    Args:
        event: ``dawn_astronomical``, ``dawn_nautical``, ``dawn_civil``, ``sunrise``, ``solar_noon``, ``sunset``,
            ``dusk_civil``, ``dusk_nautical`` or ``dusk_astronomical``.
        lat: degrees of latitude, north is positive.
        lon: degrees of longitude, east is positive.
        nowfun: tells the time.
        app: the application.

    Raises:
        ImproperlyConfigured: without the library ephem.
        ValueError: for another event, or a place that is not on the Earth.
    """

    def __init__(
        self,
        event: str,
        lat: float,
        lon: float,
        nowfun: Callable[[], datetime] | None = None,
        app: Any = None,
    ) -> None:
        super().__init__(nowfun=nowfun, app=app)
        _check(event, lat, lon)
        self.event = event
        self.lat = lat
        self.lon = lon
        self._ephem = _library()
        self._place = self._ephem.Observer()
        self._place.lat, self._place.lon = str(lat), str(lon)
        self._place.horizon = _EVENTS[event].horizon
        self._place.pressure = 0  # the horizon has the refraction in it

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """How long until the event after ``last_run_at``; without one in a year, until it is looked for again."""
        start = self.maybe_make_aware(last_run_at).astimezone(UTC)
        return self._next(start) - self.maybe_make_aware(self.now()).astimezone(UTC)

    def _next(self, start: datetime) -> datetime:
        event, sun = _EVENTS[self.event], self._ephem.Sun()
        more = {} if event.method == "next_transit" else {"use_center": event.center}
        moment = self._ephem.Date(start.replace(tzinfo=None))
        for _ in range(_DAYS):
            try:
                moment = getattr(self._place, event.method)(sun, start=moment, **more)
                break
            except self._ephem.CircumpolarError:
                moment = self._place.next_antitransit(sun, start=moment)
        found: datetime = moment.datetime().replace(tzinfo=UTC)
        return found

    def __eq__(self, other: object) -> bool:
        if isinstance(other, solar):
            return (self.event, self.lat, self.lon) == (other.event, other.lat, other.lon)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.event, self.lat, self.lon))

    def __repr__(self) -> str:
        return f"<solar: {self.event} at latitude {self.lat}, longitude: {self.lon}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.event, self.lat, self.lon, self.nowfun)


def _check(event: str, lat: float, lon: float) -> None:
    if event not in _EVENTS:
        near = did_you_mean(str(event), _EVENTS) or f"There are {', '.join(_EVENTS)}."
        raise ValueError(f"{event!r} is no event of the Sun. {near}")
    if not -_LATITUDE <= lat <= _LATITUDE:
        raise ValueError(f"a latitude lies between -{_LATITUDE} and {_LATITUDE}, not at {lat!r}")
    if not -_LONGITUDE <= lon <= _LONGITUDE:
        raise ValueError(f"a longitude lies between -{_LONGITUDE} and {_LONGITUDE}, not at {lon!r}")


def _library() -> Any:
    try:
        return import_module("ephem")  # when it is needed: it is a library of its own, and few look at the Sun
    except ImportError as error:
        raise ImproperlyConfigured(
            "solar() needs the library ephem, which is not installed.", cure="pip install 'kernel[solar]'"
        ) from error
