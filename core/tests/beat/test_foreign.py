"""Schedulers of other people, in the shapes that are around: entries in a database, and entries in a shared store."""

import pickle
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from kernel.app.worker import _changed
from kernel.beat import DEFAULT_MAX_INTERVAL, BeatLazyFunc, EmbeddedService, ScheduleEntry, Scheduler, Service
from kernel.schedules import crontab, schedstate, schedule
from kernel.signals import beat_init


def wait_for(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


class Row:
    """A row of a table."""

    def __init__(self, name, task, every, **more):
        self.name, self.task, self.every = name, task, every
        self.args, self.kwargs, self.queue, self.enabled = (), {}, None, True
        self.last_run_at, self.total_run_count = None, 0
        self.__dict__.update(more)


class Table:
    """A database, and the time of its last change."""

    rows: dict[str, Row] = {}
    changed = 0
    saved: list[str] = []


class RowEntry(ScheduleEntry):
    """Built from a row, with a constructor of its own."""

    def __init__(self, row, app=None):
        self.app = app
        self.row = row
        self.name, self.task, self.args, self.kwargs = row.name, row.task, row.args, row.kwargs
        self.schedule = schedule(row.every, app=app)
        self.options = {"queue": row.queue} if row.queue else {}
        self.total_run_count = row.total_run_count
        self.last_run_at = row.last_run_at or self._default_now()

    def is_due(self):
        if not self.row.enabled:
            return schedstate(False, 5.0)
        return self.schedule.is_due(self.last_run_at)

    def _default_now(self):
        return datetime.now(UTC)

    def __next__(self):
        self.row.last_run_at = self._default_now()
        self.row.total_run_count += 1
        return self.__class__(self.row, app=self.app)

    next = __next__

    @classmethod
    def from_entry(cls, name, app=None, **entry):
        row = Row(name, entry["task"], entry["schedule"], args=entry.get("args", ()))
        Table.rows[name] = row
        return cls(row, app=app)


class DatabaseScheduler(Scheduler):
    """Entries in a table, read again when it changed, written when beat says so."""

    Entry = RowEntry

    def __init__(self, *args, **kwargs):
        self._dirty = set()
        self._read_at = -1
        self._schedule = {}
        Scheduler.__init__(self, *args, **kwargs)
        self.max_interval = kwargs.get("max_interval") or self.app.conf.beat_max_loop_interval or DEFAULT_MAX_INTERVAL

    def setup_schedule(self):
        self.install_default_entries(self.schedule)
        self.update_from_dict(self.app.conf.beat_schedule)

    def update_from_dict(self, mapping):
        self.schedule.update(
            {name: self.Entry.from_entry(name, app=self.app, **entry) for name, entry in mapping.items()}
        )

    def reserve(self, entry):
        new_entry = next(entry)
        self._dirty.add(new_entry.name)
        self._schedule[new_entry.name] = new_entry
        return new_entry

    def sync(self):
        Table.saved.extend(sorted(self._dirty))
        self._dirty.clear()

    @property
    def schedule(self):
        if self._read_at != Table.changed:
            self._read_at = Table.changed
            self.sync()
            self._schedule = {name: self.Entry(row, app=self.app) for name, row in Table.rows.items()}
            self._heap = []
        return self._schedule

    @property
    def info(self):
        return "    . db -> here"


class SharedScheduler(Scheduler):
    """Entries in a store that several beats share: it decides in ``tick`` by itself."""

    store: dict[str, ScheduleEntry] = {}
    closed = 0
    max_interval = 0.05

    def __init__(self, app, **kwargs):
        self.lock = None
        super().__init__(app, **kwargs)

    def setup_schedule(self):
        self.install_default_entries(self.app.conf.beat_schedule)
        self.update_from_dict(self.app.conf.beat_schedule)

    def update_from_dict(self, dict_):
        for name, entry in dict_.items():
            self.store[name] = self._maybe_entry(name, entry)

    @property
    def schedule(self):
        return dict(self.store)

    def reserve(self, entry):
        self.store[entry.name] = following = next(entry)
        return following

    def maybe_due(self, entry, **kwargs):
        is_due, next_time_to_run = entry.is_due()
        if is_due:
            try:
                self.apply_async(entry, **kwargs)
            except Exception as error:
                self.logger.error("cannot send: %r", error)
        return next_time_to_run

    def tick(self, min=min, **kwargs):  # noqa: A002 - as such a scheduler has it
        times = [self.maybe_due(entry, producer=self.producer) for entry in self.schedule.values()]
        return min([*times, self.max_interval])

    def close(self):
        super().close()
        type(self).closed += 1


class FailingOnce(Scheduler):
    """Its database is away at first."""

    ticked = 0

    def tick(self):
        type(self).ticked += 1
        if self.ticked == 1:
            raise ConnectionError("the database is away")
        return super().tick()


@pytest.fixture
def running(make_app):
    """A beat on a scheduler of that name, in a thread."""
    started = []

    def start(name, **config):
        service = Service(make_app(beat_scheduler=name, **config))
        thread = threading.Thread(target=service.start)
        thread.start()
        started.append((service, thread))
        return service

    yield start
    for service, thread in started:
        service.stop()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def empty(monkeypatch):
    monkeypatch.setattr(Table, "rows", {})
    monkeypatch.setattr(Table, "saved", [])
    monkeypatch.setattr(SharedScheduler, "store", {})
    monkeypatch.setattr(SharedScheduler, "closed", 0)


def test_entries_in_a_database(running, inbox):
    Table.rows["mine"] = Row("mine", "proj.row", 0.05, queue="rows")
    service = running(
        f"{__name__}:DatabaseScheduler", beat_schedule={"configured": {"task": "proj.conf", "schedule": 0.05}}
    )
    wait_for(lambda: all(Table.rows[name].total_run_count > 1 for name in ("mine", "configured")), "two runs of both")
    Table.rows["added"] = Row("added", "proj.added", 0.05)
    Table.rows["mine"].enabled = False
    Table.changed += 1
    wait_for(lambda: Table.rows["added"].total_run_count, "a run of what was added")
    ran = Table.rows["mine"].total_run_count
    service.stop(wait=True)
    assert Table.rows["mine"].total_run_count <= ran + 1
    assert {"mine", "configured", "added"} <= set(Table.saved), "the last sync is made in the end"
    sent = {message.headers["task"] for message in inbox(service.app).take()}
    assert {"proj.conf", "proj.added"} <= sent
    assert {m.headers["celery_beat_task"] for m in inbox(service.app).take("rows")} == {True}


def test_entries_in_a_shared_store(running, inbox):
    service = running(
        f"{__name__}:SharedScheduler",
        beat_schedule={
            "a": {"task": "proj.a", "schedule": 0.05},
            "wrong": {"task": "proj.wrong", "schedule": 0.05, "args": (object(),)},
            "late": {"task": "proj.late", "schedule": crontab(minute=0, hour=0, month_of_year=1)},
        },
    )
    wait_for(lambda: SharedScheduler.store.get("a") and SharedScheduler.store["a"].total_run_count > 2, "three runs")
    service.stop(wait=True)
    assert SharedScheduler.closed == 1
    assert SharedScheduler.store["late"].total_run_count == 0
    assert len(inbox(service.app).take()) == SharedScheduler.store["a"].total_run_count


def test_signals_and_a_scheduler_that_fails_as_a_whole(running, caplog, monkeypatch):
    told = []

    def tell(sender, **kwargs):
        told.append(sender)

    monkeypatch.setattr("kernel.app.beat.service._AFTER_ERROR_S", 0.01)
    beat_init.connect(tell)
    try:
        service = running(f"{__name__}:FailingOnce")
        wait_for(lambda: FailingOnce.ticked > 1, "a second look")
    finally:
        beat_init.disconnect(tell)
    assert told == [service]
    assert "the database is away" in caplog.text
    assert service.last_tick is not None


def test_what_ran_long_ago_is_due_at_once(make_app):
    app = make_app()
    entry = ScheduleEntry(name="a", task="t", schedule=60, last_run_at=datetime.now(UTC) - timedelta(days=3), app=app)
    assert entry.is_due() == (True, 60)


def test_an_error_in_a_worker_ends_beat_and_never_the_worker(make_app, caplog, monkeypatch):
    """Such as a receiver of a signal that ends the thread."""
    app = make_app()
    beat = EmbeddedService(app)

    def wrong(*args):
        raise LookupError("no such thing")

    monkeypatch.setattr(beat.service, "_turn", wrong)
    beat.start()
    beat.join(30)
    assert "the worker goes on without it" in caplog.text
    beat.stop()
    EmbeddedService(app).stop()
    again = EmbeddedService(app)
    again.start()
    again.stop()
    assert not again.is_alive(), "the file was free again"


def test_functions_in_a_schedule_need_not_travel_to_spawned_children(make_app):
    lazy = BeatLazyFunc(lambda: 3)
    app = make_app(beat_schedule={"a": {"task": "t", "schedule": 3, "args": (lazy,)}}, worker_pool_start_method="spawn")
    assert pickle.loads(pickle.dumps(_changed(app.config)))["worker_pool_start_method"] == "spawn"
