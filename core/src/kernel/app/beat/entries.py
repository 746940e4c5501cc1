"""The entries of a scheduler: taken from configuration, merged by name, added while it runs."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from kernel.app.beat.entry import ScheduleEntry
from kernel.app.schedules.crontab import crontab
from kernel.app.setting_types import thawed
from kernel.errors import ImproperlyConfigured

CLEANUP = "celery.backend_cleanup"
_CLEANUP_EXPIRES_S = 12 * 3600


class Entries:
    """What every scheduler knows of its entries; :class:`~kernel.app.beat.scheduler.Scheduler` sends them.

    Args:
        app: the application.
        schedule: the entries by name, or a function that gives them; None is none.
    """

    Entry: type[Any] = ScheduleEntry

    def __init__(
        self, app: Any, schedule: MutableMapping[str, Any] | Callable[[], MutableMapping[str, Any]] | None = None
    ) -> None:
        self.app = app
        self.data: Any = (schedule() if callable(schedule) else schedule) if schedule is not None else {}

    def setup_schedule(self) -> None:
        """Take the entries of the configuration, and those that come by themselves."""
        self.install_default_entries(self.data)
        self.merge_inplace(self.app.conf.beat_schedule)

    def install_default_entries(self, data: Mapping[str, Any]) -> None:
        """Have expired results removed at four in the morning, where the result backend does not do it by itself."""
        if CLEANUP not in data and self._needs_cleanup():
            entry = {"task": CLEANUP, "schedule": crontab("0", "4"), "options": {"expires": _CLEANUP_EXPIRES_S}}
            self.update_from_dict({CLEANUP: entry})

    def merge_inplace(self, b: Mapping[str, Any]) -> None:
        """Make the schedule that of a mapping; when entries that stay ran last, stays, too."""
        schedule = self.schedule
        for name in set(schedule) - set(b) - {CLEANUP}:
            schedule.pop(name, None)
        for name, entry in b.items():
            made = self._maybe_entry(name, entry)
            if name in schedule:
                schedule[name].update(made)
            else:
                schedule[name] = made

    def update_from_dict(self, dict_: Mapping[str, Any]) -> None:
        """Add or replace entries."""
        self.schedule.update({name: self._maybe_entry(name, entry) for name, entry in dict_.items()})

    def add(self, **kwargs: Any) -> Any:
        """Add an entry: ``scheduler.add(name="tick", task="proj.tick", schedule=30)``; returns it."""
        entry = self.Entry(app=self.app, **kwargs)
        self.schedule[entry.name] = entry
        return entry

    def _maybe_entry(self, name: str, entry: Any) -> Any:
        if isinstance(entry, self.Entry):
            entry.app = self.app
            return entry
        fields: dict[str, Any] = {**thawed(dict(entry)), "name": name, "app": self.app}
        try:
            return self.Entry(**fields)
        except TypeError as error:
            raise ImproperlyConfigured(
                f"Entry {name!r} of beat_schedule cannot be used by {self.Entry.__name__}: {error}",
                cure="Correct the entry, or remove what this scheduler does not know.",
            ) from error

    def get_schedule(self) -> Any:
        """The entries by name."""
        return self.data

    def set_schedule(self, schedule: Any) -> None:
        """Replace all of them."""
        self.data = schedule

    schedule = property(lambda self: self.get_schedule(), lambda self, schedule: self.set_schedule(schedule))

    def _needs_cleanup(self) -> bool:
        return bool(self.app.conf.result_expires) and bool(self.app.client.services.needs_cleanup)
