"""``beat_schedule`` in every form, ``app.add_periodic_task``, and the signals that call for it."""

import sys
from datetime import UTC, datetime, timedelta

import pytest

from kernel.beat import Scheduler
from kernel.errors import ImproperlyConfigured
from kernel.schedules import crontab, maybe_schedule, schedule

TOML = """
[kernel]
timezone = "Europe/Berlin"

[kernel.beat_schedule.report]
task = "proj.report"
schedule = "30 7 * * mon-fri"
args = ["daily"]

[kernel.beat_schedule.tick]
task = "proj.tick"
schedule = { every = 30 }
options = { queue = "hipri", expires = 10 }

[kernel.beat_schedule.hourly]
task = "proj.hourly"
schedule = 3600
relative = true
"""


def test_the_schedule_of_a_file(make_app, tmp_path):
    (tmp_path / "kernel.toml").write_text(TOML)
    app = make_app()
    found = app.conf.beat_schedule
    assert maybe_schedule(found["report"]["schedule"]) == crontab("30", "7", "mon-fri")
    assert maybe_schedule(found["tick"]["schedule"]) == schedule(30)
    assert found["tick"]["options"] == {"queue": "hipri", "expires": 10}
    assert str(app.timezone) == "Europe/Berlin"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"taks": "a", "schedule": 3}, "no key 'taks'. Did you mean 'task'?"),
        ({"schedule": 3}, "must name its 'task'"),
        ({"task": "a"}, "must have a 'schedule'"),
        ({"task": "a", "schedule": "* *"}, "2 fields, not five"),
        ({"task": "a", "schedule": "61 * * * *"}, "0 to 59"),
        ({"task": "a", "schedule": {"evry": 3}}, "Did you mean 'every'"),
        ({"task": "a", "schedule": object()}, "a schedule is"),
        ({"task": "a", "schedule": 0}, "an interval of nothing"),
        ({"task": "a", "schedule": 3, "args": 5}, "a list as its 'args'"),
        ({"task": "a", "schedule": 3, "kwargs": [1]}, "a mapping as its 'kwargs'"),
        ({"task": "a", "schedule": 3, "options": "x"}, "a mapping as its 'options'"),
        (3, "must be a mapping"),
    ],
)
def test_an_entry_that_cannot_be_is_an_error_when_it_is_set(make_app, entry, said):
    app = make_app()
    with pytest.raises(ImproperlyConfigured) as caught:
        app.conf.beat_schedule = {"mine": entry}
    assert "entry 'mine'" in str(caught.value)
    assert said in str(caught.value)


def test_only_beat_needs_the_library_for_the_sun(make_app, monkeypatch):
    monkeypatch.setitem(sys.modules, "ephem", None)
    entry = {"task": "a", "schedule": {"event": "sunset", "lat": 52.5, "lon": 13.4}}
    app = make_app(beat_schedule={"a": entry})
    assert set(app.conf.beat_schedule) == {"a"}
    with pytest.raises(ImproperlyConfigured, match="ephem"):
        Scheduler(app)
    with pytest.raises(ImproperlyConfigured, match="latitude"):
        app.conf.beat_schedule = {"a": {**entry, "schedule": {"event": "sunset", "lat": 152.5, "lon": 13.4}}}


def test_tasks_are_added_when_the_application_is_configured(make_app):
    app = make_app()
    told = []

    @app.on_after_configure.connect
    def set_up(sender, source, **kwargs):
        told.append((sender, source))
        sender.add_periodic_task(10.0, add.s(2, 2), name="every ten", expires=5, queue="hipri")
        sender.add_periodic_task(crontab(hour=7), add.s(1), kwargs={"y": 3})

    @app.task
    def add(x, y): ...

    assert told == [], "nothing is read before something asks"
    assert app.conf.beat_schedule["every ten"] == {
        "task": add.name,
        "schedule": 10.0,
        "args": (2, 2),
        "kwargs": {},
        "options": {"expires": 5, "queue": "hipri"},
    }
    assert app.conf.beat_schedule[f"{add.name}(1, y=3)"]["kwargs"] == {"y": 3}
    assert told == [(app, app.conf)]


def test_a_receiver_that_comes_late_is_told_by_beat(make_app):
    app = make_app()
    assert app.conf.timezone is None

    @app.on_after_configure.connect
    def late(sender, **kwargs):
        sender.add_periodic_task(10, "proj.late", name="late")

    assert app.conf.beat_schedule == {}
    app.on_after_configure.tell(app, source=app.conf)
    app.on_after_configure.tell(app, source=app.conf)
    assert set(app.conf.beat_schedule) == {"late"}


def test_tasks_are_added_when_the_application_is_complete(make_app):
    app = make_app()
    seen = []

    @app.on_after_finalize.connect
    def complete(sender, **kwargs):
        seen.append("celery.chord" in sender.tasks)
        sender.add_periodic_task(timedelta(minutes=1), sender.tasks["celery.accumulate"], (1,), name="a")

    app.finalize()
    assert app.tasks
    assert seen == [True]
    assert app.conf.beat_schedule["a"]["task"] == "celery.accumulate"


def test_a_receiver_that_fails_is_logged_and_harms_nobody(make_app, caplog):
    app = make_app()

    @app.on_after_configure.connect
    def broken(**kwargs):
        raise LookupError("no such thing")

    assert app.conf.timezone is None
    assert "no such thing" in caplog.text


def test_adding_a_task_reads_no_configuration_and_hides_none(make_app):
    app = make_app()
    app.add_periodic_task(3, "proj.a", name="added")
    app.on_after_configure.connect(lambda **kwargs: pytest.fail("it was read"))
    app.on_after_configure.receivers = ()
    app.config_from_object({"beat_schedule": {"configured": {"task": "b", "schedule": 4}}})
    assert set(app.conf.beat_schedule) == {"added", "configured"}
    assert app.add_periodic_task(5, "proj.c", name="added") == "added"
    assert app.conf.beat_schedule["added"]["task"] == "proj.c"


def test_what_cannot_be_added(make_app):
    with pytest.raises(ImproperlyConfigured, match="2 fields"):
        make_app().add_periodic_task("* *", "proj.a")


def test_the_time_of_an_application(make_app):
    utc, berlin, local = make_app(), make_app(timezone="Europe/Berlin"), make_app(enable_utc=False)
    for app in (utc, berlin, local):
        assert abs(app.now() - datetime.now(UTC)) < timedelta(seconds=30)
    assert utc.now().utcoffset() == timedelta()
    assert berlin.now().tzinfo is berlin.timezone
    summer, winter = datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 12, tzinfo=UTC)
    for moment in (summer, winter):
        here = moment.astimezone(local.timezone)
        assert here == moment
        assert here.replace(tzinfo=None) == moment.astimezone().replace(tzinfo=None)
        assert here.replace(tzinfo=None).replace(tzinfo=local.timezone) == moment


def test_the_machines_zone_puts_its_clock_forward_and_back(make_app, monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        app = make_app(enable_utc=False)
        daily = crontab(minute=30, hour=2, app=app)
        daily.nowfun = lambda: datetime(2026, 3, 28, 12, tzinfo=UTC)
        left = daily.remaining_estimate(datetime(2026, 3, 28, 12, tzinfo=UTC))
        assert left == timedelta(hours=13), "at the leap, 01:00 UTC"
        assert datetime(2026, 10, 25, 1, 30, tzinfo=UTC).astimezone(app.timezone).utcoffset() == timedelta(hours=1)
    finally:
        monkeypatch.undo()
        time.tzset()
