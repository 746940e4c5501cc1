"""Schedulers: what they send and when, what they keep, and what they do when something fails."""

import logging
import pickle
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from kernel.app.beat import scheduler as scheduler_module
from kernel.app.beat.sending import may_pass
from kernel.beat import BeatLazyFunc, PersistentScheduler, ScheduleEntry, Scheduler, SchedulingError, event_t
from kernel.errors import Code, ImproperlyConfigured, OperationalError
from kernel.runtime.beat_file import BeatFile
from kernel.schedules import crontab, schedule

NAME = "kernelbeat-schedule"


def entry_of(clock, task="proj.add", every=30, **more):
    return {"task": task, "schedule": schedule(every, nowfun=clock), "args": (1, 2), **more}


def ticks(scheduler, most=20):
    """Tick until the scheduler wants to sleep; for how long."""
    for _ in range(most):
        if seconds := scheduler.tick():
            return seconds
    pytest.fail("the scheduler never sleeps")


@pytest.fixture(params=[Scheduler, PersistentScheduler])
def kind(request):
    return request.param


@pytest.fixture
def made():
    """Schedulers that are closed in the end."""
    found = []
    yield lambda one: found.append(one) or one
    for each in found:
        each.close()


def test_what_is_due_is_sent_once_with_its_mark(kind, make_app, clock, inbox, made):
    app = make_app(
        beat_schedule={"a": entry_of(clock, options={"headers": {"own": 1}, "expires": 10}, kwargs={"z": 3})}
    )
    scheduler, seen = made(kind(app)), inbox(app)
    assert ticks(scheduler) == 30
    assert seen.take() == []
    clock.forward(seconds=30)
    assert ticks(scheduler) == 30
    (message,) = seen.take()
    assert message.headers["celery_beat_task"] is True
    assert message.headers["own"] == 1
    assert message.headers["task"] == "proj.add"
    assert message.headers["kwargsrepr"] == "{'z': 3}"
    assert message.headers["expires"]
    assert scheduler.schedule["a"].total_run_count == 1
    assert scheduler.schedule["a"].last_run_at == clock.moment
    assert app.conf.beat_schedule["a"]["options"]["headers"] == {"own": 1}, "the entry's own options stay as they are"


def test_a_registered_task_is_sent_with_what_it_declares(kind, make_app, clock, inbox, made):
    app = make_app()

    @app.task(name="proj.add", queue="mine")
    def add(x, y): ...

    app.add_periodic_task(schedule(30, nowfun=clock), add.s(1, 2), name="a")
    scheduler, seen = made(kind(app)), inbox(app)
    clock.forward(seconds=31)
    ticks(scheduler)
    assert [message.headers["task"] for message in seen.take("mine")] == ["proj.add"]


def test_arguments_are_ordinary_values_that_any_serializer_takes(kind, make_app, clock, inbox, made):
    entry = entry_of(clock, kwargs={"deep": {"er": {}}}, options={"serializer": "pickle", "headers": {"a": {"b": 1}}})
    app = make_app(beat_schedule={"a": entry}, accept_content=["json", "pickle"])
    scheduler, seen = made(kind(app)), inbox(app)
    clock.forward(seconds=31)
    ticks(scheduler)
    (message,) = seen.take()
    kwargs = pickle.loads(message.body)[1]
    assert {type(kwargs), type(kwargs["deep"]), type(kwargs["deep"]["er"]), type(message.headers["a"])} == {dict}


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (OperationalError("x", code=Code.UNAVAILABLE), True),
        (OperationalError("x", code=Code.AUTH), True),
        (OperationalError("x", code=Code.TOO_LARGE), False),
        (OperationalError("x", code=Code.NOT_FOUND), False),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (TypeError(), False),
    ],
)
def test_which_errors_an_entry_waits_out(error, waits):
    assert may_pass(error) is waits
    wrapped = SchedulingError("y")
    wrapped.__cause__ = error
    assert may_pass(wrapped) is waits


def test_all_that_is_due_is_sent_in_the_order_of_its_times(kind, make_app, clock, inbox, made):
    app = make_app(beat_schedule={f"e{n}": entry_of(clock, f"proj.t{n}", every=10 * n) for n in (3, 1, 2)})
    scheduler, seen = made(kind(app)), inbox(app)
    ticks(scheduler)
    clock.forward(seconds=30)
    assert ticks(scheduler) == 10
    assert [message.headers["task"] for message in seen.take()] == ["proj.t1", "proj.t2", "proj.t3"]


def test_relative_entries_go_by_the_clock(kind, make_app, clock, inbox, made):
    clock.forward(minutes=20)
    app = make_app(beat_schedule={"a": {"task": "proj.a", "schedule": 3600, "relative": True}})
    scheduler, seen = made(kind(app)), inbox(app)
    entry = scheduler.schedule["a"]
    entry.schedule.nowfun = clock
    entry.last_run_at = clock.moment
    clock.forward(minutes=39)
    assert ticks(scheduler) == 60
    clock.forward(minutes=1)
    ticks(scheduler)
    assert len(seen.take()) == 1


def test_the_longest_sleep(kind, make_app, clock, made):
    app = make_app(beat_schedule={"a": entry_of(clock, every=86_400)})
    assert ticks(made(kind(app, schedule_filename="one"))) == 300
    app.conf.beat_max_loop_interval = 20
    assert ticks(made(kind(app, schedule_filename="two"))) == 20
    assert ticks(made(kind(app, max_interval=7, schedule_filename="three"))) == 7
    assert made(kind(make_app(), schedule_filename="four")).tick() == 300


def test_functions_among_the_arguments_are_called_when_it_is_sent(make_app, clock, inbox, made):
    calls = []
    lazy = BeatLazyFunc(lambda by: calls.append(by) or len(calls), 5)
    app = make_app(beat_schedule={"a": entry_of(clock, args=(lazy, 7), kwargs={"n": lazy})})
    scheduler, seen = made(Scheduler(app)), inbox(app)
    ticks(scheduler)
    assert calls == []
    for _ in range(2):
        clock.forward(seconds=30)
        ticks(scheduler)
    assert [(m.headers["argsrepr"], m.headers["kwargsrepr"]) for m in seen.take()] == [
        ("(1, 7)", "{'n': 2}"),
        ("(3, 7)", "{'n': 4}"),
    ]


def test_an_entry_that_fails_does_not_stop_the_rest(kind, make_app, clock, inbox, caplog, made):
    class Broken(schedule):
        def is_due(self, last_run_at):
            raise LookupError("no idea when")

    def refuse():
        raise LookupError("nothing to send")

    app = make_app(
        beat_schedule={
            "cannot be told": {"task": "proj.a", "schedule": Broken(30, nowfun=clock)},
            "cannot be called": entry_of(clock, kwargs={"x": BeatLazyFunc(refuse)}),
            "cannot be encoded": entry_of(clock, args=(object(),)),
            "fine": entry_of(clock),
        }
    )
    scheduler, seen = made(kind(app)), inbox(app)
    for _ in range(2):
        clock.forward(seconds=30)
        ticks(scheduler)
    assert len(seen.take()) == 2
    assert caplog.text.count("waits for its next time") == 4
    assert "no idea when" in caplog.text
    assert "nothing to send" in caplog.text


class Away(Scheduler):
    """The broker is away as long as ``away`` says so."""

    away = True
    tried = 0

    def send_task(self, *args, **kwargs):
        self.tried += 1
        if self.away:
            raise OperationalError("nobody there", code=Code.UNAVAILABLE)
        return super().send_task(*args, **kwargs)


def test_what_the_broker_did_not_take_is_sent_when_it_is_back(make_app, clock, inbox, caplog, made):
    app = make_app(beat_schedule={"a": entry_of(clock, every=3600), "b": entry_of(clock, every=3600)})
    scheduler, seen = made(Away(app)), inbox(app)
    clock.forward(seconds=3600)
    pauses = []
    for _ in range(12):
        pauses.append(scheduler.tick())
        clock.forward(seconds=pauses[-1])
    assert max(pauses) <= 2, "a server that is back is found soon"
    assert scheduler.tried >= 8
    assert scheduler.schedule["a"].total_run_count == 0
    waiting = [record for record in caplog.records if "waits for the broker" in record.message]
    assert [record.levelname for record in waiting].count("WARNING") == 2, "one line for each in the log of an outage"
    scheduler.away = False
    clock.forward(seconds=2)
    ticks(scheduler)
    assert len(seen.take()) == 2
    assert scheduler.schedule["a"].total_run_count == 1


def test_a_crontab_is_made_up_only_within_its_deadline_when_the_broker_is_back(make_app, clock, inbox, made):
    app = make_app(
        beat_schedule={"a": entry_of(clock, schedule=crontab(minute=30, nowfun=clock))}, beat_cron_starting_deadline=60
    )
    scheduler, seen = made(Away(app)), inbox(app)
    ticks(scheduler)
    clock.forward(minutes=30)
    assert scheduler.tick() > 0
    clock.forward(seconds=62)
    scheduler.away = False
    assert ticks(scheduler) == 300
    assert seen.take() == []


def test_sending_by_hand(make_app, clock, inbox, made):
    app = make_app(beat_schedule={"a": entry_of(clock), "bad": entry_of(clock, args=(object(),))})
    scheduler, seen = made(Away(app)), inbox(app)
    with pytest.raises(SchedulingError, match="a: nobody there") as caught:
        scheduler.apply_async(scheduler.schedule["a"])
    assert isinstance(caught.value.__cause__, OperationalError)
    assert scheduler.schedule["a"].total_run_count == 0, "it is still due"
    scheduler.away = False
    result = scheduler.apply_async(scheduler.schedule["a"])
    assert scheduler.schedule["a"].total_run_count == 1
    assert [message.id for message in seen.take()] == [result.id]
    with pytest.raises(SchedulingError):
        scheduler.apply_async(scheduler.schedule["bad"])
    assert scheduler.schedule["bad"].total_run_count == 1, "or it would be tried at once, for ever"


def test_entries_are_added_changed_and_removed_while_it_runs(kind, make_app, clock, inbox, made):
    app = make_app(beat_schedule={"a": entry_of(clock)})
    scheduler, seen = made(kind(app)), inbox(app)
    ticks(scheduler)
    scheduler.add(**entry_of(clock, "proj.more", every=5), name="b")
    assert ticks(scheduler) == 5
    scheduler.update_from_dict({"a": entry_of(clock, every=2)})
    assert ticks(scheduler) == 2
    scheduler.schedule.pop("a")
    clock.forward(seconds=5)
    assert ticks(scheduler) == 5
    assert [message.headers["task"] for message in seen.take()] == ["proj.more"]
    scheduler.merge_inplace({"c": entry_of(clock)})
    assert set(scheduler.schedule) == {"c"}


def test_an_entry_that_the_scheduler_does_not_know_all_of(make_app, clock):
    app = make_app(beat_schedule={"a": entry_of(clock, colour="red")})
    with pytest.raises(ImproperlyConfigured, match=r"'a' of beat_schedule.*colour"):
        Scheduler(app)


def test_entries(make_app, clock):
    app = make_app()
    entry = ScheduleEntry(name="a", app=app, **entry_of(clock))
    assert entry.is_due() == (False, 30)
    assert next(entry).total_run_count == 1
    assert dict(entry)["task"] == "proj.add"
    assert repr(entry) == "<ScheduleEntry: a proj.add(1, 2) <freq: 30.00 seconds>>"
    assert entry == next(entry)
    assert entry != ScheduleEntry(name="a", app=app, **entry_of(clock, every=31))
    following = next(entry)
    assert (entry < following) != (following < entry)
    other = ScheduleEntry(name="a", app=app, **entry_of(clock, every=31))
    other.update(entry)
    assert other == entry
    naive = ScheduleEntry(name="a", task="t", schedule=schedule(3, nowfun=lambda: datetime(2026, 1, 1)), app=app)
    assert naive.last_run_at == datetime(2026, 1, 1, tzinfo=UTC)


class TestFile:
    """The file of the built-in scheduler."""

    def test_last_runs_survive(self, make_app, clock, inbox):
        config = {"a": entry_of(clock), "b": entry_of(clock, every=3600)}
        scheduler = PersistentScheduler(make_app(beat_schedule=config))
        clock.forward(seconds=30)
        ticks(scheduler)
        ran = clock.moment
        scheduler.close()
        clock.forward(seconds=10)
        again = PersistentScheduler(make_app(beat_schedule=config))
        assert (again.schedule["a"].last_run_at, again.schedule["a"].total_run_count) == (ran, 1)
        assert ticks(again) == 20
        clock.forward(seconds=3560)
        app = again.app
        ticks(again)
        assert len(inbox(app).take()) == 2, "what was missed meanwhile is sent once"
        again.close()
        again.close()

    def test_what_was_sent_is_known_after_a_kill(self, make_app, clock):
        config = {"a": entry_of(clock)}
        scheduler = PersistentScheduler(make_app(beat_schedule=config))
        clock.forward(seconds=30)
        scheduler.tick()
        with sqlite3.connect(f"file:{NAME}?mode=ro&immutable=1", uri=True) as db:
            rows = db.execute("SELECT name, total_run_count FROM entry").fetchall()
        db.close()
        assert rows == [("a", 1)], "written before the next one is sent"
        scheduler.close()

    def test_configuration_is_merged_by_name(self, make_app, clock):
        first = PersistentScheduler(make_app(beat_schedule={"a": entry_of(clock), "gone": entry_of(clock)}))
        first.close()
        began = clock.moment
        clock.forward(seconds=20)
        config = {"a": entry_of(clock, every=90), "new": entry_of(clock)}
        second = PersistentScheduler(make_app(beat_schedule=config))
        assert set(second.schedule) == {"a", "new"}
        assert second.schedule["a"].last_run_at == began
        assert second.schedule["new"].last_run_at == clock.moment
        assert ticks(second) == 30
        second.close()
        file = BeatFile(NAME)
        assert set(file.read()) == {"a", "new"}
        file.close()

    def test_another_time_zone_begins_anew(self, make_app, clock, caplog):
        config = {"a": entry_of(clock)}
        PersistentScheduler(make_app(beat_schedule=config)).close()
        clock.forward(hours=1)
        for settings in ({"timezone": "Europe/Berlin"}, {"timezone": "Europe/Berlin", "enable_utc": False}):
            caplog.clear()
            scheduler = PersistentScheduler(make_app(beat_schedule=config, **settings))
            assert scheduler.schedule["a"].last_run_at == clock.moment
            assert "Reset:" in caplog.text
            scheduler.close()
            clock.forward(hours=1)

    def test_a_clock_that_was_wrong(self, make_app, clock, caplog):
        clock.moment = datetime.now(UTC) + timedelta(days=400)
        config = {"a": entry_of(clock)}
        PersistentScheduler(make_app(beat_schedule=config)).close()
        clock.moment = datetime.now(UTC)
        scheduler = PersistentScheduler(make_app(beat_schedule=config))
        assert scheduler.schedule["a"].last_run_at == clock.moment
        assert "still to come" in caplog.text
        scheduler.close()

    def test_two_beats_on_one_file(self, make_app, clock):
        first = PersistentScheduler(make_app(beat_schedule={"a": entry_of(clock)}))
        with pytest.raises(ImproperlyConfigured, match=f"Another beat has the file {NAME} open"):
            PersistentScheduler(make_app())
        first.close()
        PersistentScheduler(make_app()).close()

    def test_a_lazy_one_opens_nothing(self, make_app):
        scheduler = PersistentScheduler(make_app(namespace="celery"), lazy=True)
        assert scheduler.info == "celerybeat-schedule"
        scheduler.close()
        assert not Path("celerybeat-schedule").exists()
        assert PersistentScheduler(make_app(beat_schedule_filename="x"), lazy=True).info == "x"

    @pytest.mark.parametrize("content", [b"\x13\x57\x9a\xce" * 3000, b"short", b"SQLite format 3\0" + b"\xff" * 8000])
    def test_a_damaged_file_is_set_aside(self, make_app, clock, caplog, content):
        Path(NAME).write_bytes(content)
        scheduler = PersistentScheduler(make_app(beat_schedule={"a": entry_of(clock)}))
        assert "cannot be read" in caplog.text
        (aside,) = Path().glob(f"{NAME}.unreadable-*")
        assert aside.read_bytes() == content
        assert scheduler.schedule["a"].total_run_count == 0
        scheduler.close()

    def test_a_file_that_was_damaged_in_the_middle(self, make_app, clock, caplog):
        config = {f"entry {n}": entry_of(clock) for n in range(500)}
        PersistentScheduler(make_app(beat_schedule=config)).close()
        whole = Path(NAME).read_bytes()
        Path(NAME).write_bytes(whole[:4096] + b"\x55" * (len(whole) - 4096))
        scheduler = PersistentScheduler(make_app(beat_schedule=config))
        assert "cannot be read" in caplog.text
        assert len(scheduler.schedule) == 500
        scheduler.close()

    def test_a_file_of_another_program_or_a_later_version_is_left_alone(self, make_app):
        with sqlite3.connect("theirs") as db:
            db.execute("CREATE TABLE treasure (gold)")
        db.close()
        with pytest.raises(ImproperlyConfigured, match="another program"):
            PersistentScheduler(make_app(), schedule_filename="theirs")
        PersistentScheduler(make_app(), schedule_filename="later").close()
        with sqlite3.connect("later") as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        with pytest.raises(ImproperlyConfigured, match="later version"):
            PersistentScheduler(make_app(), schedule_filename="later")

    def test_a_file_that_cannot_be_written(self, make_app):
        for path in ("no/such/folder/x", "."):
            with pytest.raises(ImproperlyConfigured, match="cannot be used"):
                PersistentScheduler(make_app(), schedule_filename=path)

    def test_a_disk_that_is_full_stops_nothing(self, make_app, clock, inbox, caplog, monkeypatch):
        app = make_app(beat_schedule={"a": entry_of(clock)})
        scheduler = PersistentScheduler(app)

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(scheduler._file, "write", full)
        for _ in range(2):
            clock.forward(seconds=30)
            ticks(scheduler)
        assert len(inbox(app).take()) == 2
        assert "No space left" in caplog.text
        monkeypatch.undo()
        scheduler.close()


def test_a_clock_that_is_put_back_while_it_runs(kind, make_app, clock, inbox, caplog, made, monkeypatch):
    def wall():
        return clock.moment.timestamp()

    monkeypatch.setattr(scheduler_module, "time", SimpleNamespace(time=wall, monotonic=float))
    app = make_app(beat_schedule={"a": entry_of(clock)})
    scheduler, seen = made(kind(app)), inbox(app)
    ticks(scheduler)
    clock.forward(seconds=-30)
    assert ticks(scheduler) > 30, "as when a clock is kept right"
    clock.forward(hours=-5)
    assert ticks(scheduler) == 30
    assert "put back" in caplog.text
    clock.forward(seconds=30)
    ticks(scheduler)
    assert len(seen.take()) == 1


def test_the_next_look_does_not_wait_for_how_long_sending_took(make_app, clock, made):
    class Slow(Scheduler):
        def apply_async(self, *args, **kwargs):
            clock.forward(seconds=20)
            return super().apply_async(*args, **kwargs)

    scheduler = made(Slow(make_app(beat_schedule={"a": entry_of(clock, schedule=crontab(nowfun=clock))})))
    clock.forward(seconds=60)
    assert ticks(scheduler) == 40


def test_how_often_it_is_written(make_app, clock):
    class Counted(Scheduler):
        synced = 0

        def sync(self):
            self.synced += 1

    config = {"a": entry_of(clock)}
    for settings, wanted in (
        ({}, 1),
        ({"beat_sync_every": 2}, 3),
        ({"beat_sync_every": 1}, 5),
        ({"beat_sync_every": 0}, 1),
    ):
        scheduler = Counted(make_app(beat_schedule=config, **settings))
        for _ in range(5):
            clock.forward(seconds=30)
            ticks(scheduler)
        assert scheduler.synced == wanted, settings
        assert scheduler.should_sync() is False


@pytest.mark.parametrize(("every", "writes"), [(None, 1), (2, 2), (0, 0)])
def test_how_often_the_file_is_written(make_app, clock, made, monkeypatch, every, writes):
    """By default once before every sleep, however much was sent; else by number, or by time only."""
    monkeypatch.setattr("kernel.app.beat.persistent._UNWRITTEN_S", float("inf"))
    config = {f"e{n}": entry_of(clock) for n in range(5)}
    scheduler = made(PersistentScheduler(make_app(beat_schedule=config, beat_sync_every=every)))
    ticks(scheduler)
    scheduler.keep()
    written = []
    with monkeypatch.context() as patch:
        patch.setattr(scheduler._file, "write", lambda *args: written.append(args))
        clock.forward(seconds=30)
        ticks(scheduler)
    assert len(written) == writes


def test_what_was_sent_is_written_after_a_second_although_more_is_due(make_app, clock, made, monkeypatch):
    monkeypatch.setattr("kernel.app.beat.persistent._UNWRITTEN_S", 0.0)
    config = {f"e{n}": entry_of(clock) for n in range(3)}
    scheduler = made(PersistentScheduler(make_app(beat_schedule=config)))
    ticks(scheduler)
    clock.forward(seconds=30)
    for count in (1, 2, 3):
        scheduler.tick()
        assert sum(ran.total_run_count for ran in scheduler._file.read().values()) == count


def test_results_that_do_not_expire_by_themselves_are_removed_at_four(make_app, clock, monkeypatch):
    app = make_app()
    assert "celery.backend_cleanup" not in Scheduler(app).schedule
    monkeypatch.setattr(type(app.client.services), "needs_cleanup", True)
    entry = Scheduler(app).schedule["celery.backend_cleanup"]
    assert entry.schedule == crontab(minute=0, hour=4)
    assert entry.options == {"expires": 43_200}
    own = {"celery.backend_cleanup": {"task": "celery.backend_cleanup", "schedule": 60}}
    assert Scheduler(make_app(beat_schedule=own)).schedule["celery.backend_cleanup"].schedule == schedule(60)
    app.conf.result_expires = None
    assert "celery.backend_cleanup" not in Scheduler(app).schedule


def test_an_entry_in_the_heap():
    assert event_t(1.0, 5, None)._fields == ("time", "priority", "entry")
    assert logging.getLogger("kernel.beat") is Scheduler.logger
