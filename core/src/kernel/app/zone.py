"""The time of an application: ``app.timezone`` and ``app.now()`` (features.md 2.3)."""

from datetime import UTC, datetime, timedelta, tzinfo
from importlib import import_module
from typing import Any, Protocol, overload

from kernel.model.config import Config


class Timed(Protocol):
    """An application, as far as its time."""

    @property
    def config(self) -> Config:
        """The effective settings."""


class LocalZone(tzinfo):
    """The zone of this machine, for ``enable_utc`` off without ``timezone``. One value, picklable."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """What the machine's clock is ahead of UTC at that time of its own."""
        local = datetime.now(UTC).astimezone() if moment is None else moment.replace(tzinfo=None).astimezone()
        return local.utcoffset() or timedelta()

    def dst(self, _moment: datetime | None) -> None:
        """Not known."""

    def tzname(self, _moment: datetime | None) -> str:
        """``local``."""
        return "local"

    def fromutc(self, moment: datetime) -> datetime:
        """The machine's time at a moment given in UTC."""
        local = moment.replace(tzinfo=UTC).astimezone()
        wall = local.replace(tzinfo=self, fold=0)
        return wall if wall.utcoffset() == local.utcoffset() else wall.replace(fold=1)

    def __repr__(self) -> str:
        return "LocalZone()"


_LOCAL = LocalZone()


def timezone(app: Timed) -> tzinfo:
    """The zone of an application: the setting ``timezone``, else UTC, else that of the machine.

    Raises:
        ImproperlyConfigured: for a zone this machine does not know.
    """
    config = app.config
    timing = import_module("kernel.engine.timing")  # not before it is needed: zoneinfo is a tenth of `import kernel`
    return timing.app_zone(config.timezone, config.enable_utc) or _LOCAL


class Timezone:
    """``app.timezone``, as an attribute with a type."""

    @overload
    def __get__(self, app: None, owner: type[Any]) -> "Timezone": ...
    @overload
    def __get__(self, app: Timed, owner: type[Any] | None = None) -> tzinfo: ...
    def __get__(self, app: Timed | None, owner: type[Any] | None = None) -> "Timezone | tzinfo":
        """The zone of that application; raises as :func:`timezone`."""
        return self if app is None else timezone(app)


def now(app: Timed) -> datetime:
    """The time now, in the application's zone."""
    return datetime.now(UTC).astimezone(timezone(app))
