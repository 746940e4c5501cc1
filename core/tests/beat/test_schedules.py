"""Schedules as users write, compare, print, pickle and subclass them."""

import pickle
import sys
import types
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kernel.errors import ImproperlyConfigured
from kernel.schedules import (
    BaseSchedule,
    ParseException,
    crontab,
    maybe_schedule,
    schedstate,
    schedule,
    solar,
)

MORNING = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)  # a Monday


def test_an_interval(make_app, clock):
    every = schedule(30, nowfun=clock, app=make_app())
    assert every.is_due(clock.moment) == schedstate(is_due=False, next=30)
    began = clock.moment
    clock.forward(seconds=29)
    assert every.is_due(began) == (False, 1)
    assert every.remaining_estimate(began) == timedelta(seconds=1)
    clock.forward(seconds=5)
    assert every.is_due(began) == (True, 30)


def test_a_relative_interval_goes_by_the_clock(make_app, clock):
    hourly = schedule(timedelta(hours=1), relative=True, nowfun=clock, app=make_app())
    clock.forward(minutes=10)
    assert hourly.is_due(clock.moment) == (False, 50 * 60)
    began = clock.moment
    clock.forward(minutes=51)
    assert hourly.is_due(began) == (True, 59 * 60)


def test_a_crontab_goes_by_the_clock_of_the_application(make_app, clock):
    app = make_app(timezone="Europe/Berlin")
    daily = crontab(hour=7, minute=30, nowfun=clock, app=app)
    last = datetime(2026, 5, 3, 5, 30, 2, tzinfo=UTC)
    clock.moment = datetime(2026, 5, 4, 5, 29, tzinfo=UTC)
    assert daily.is_due(last) == (False, 60)
    clock.forward(minutes=1)
    assert daily.is_due(last) == (True, 24 * 3600)
    assert daily.is_due(last.replace(tzinfo=None)) == (True, 24 * 3600)  # naive: UTC
    assert daily.tz == ZoneInfo("Europe/Berlin")


def test_what_was_missed_is_made_up_once_within_the_deadline(make_app, clock):
    app = make_app(beat_cron_starting_deadline=120)
    hourly = crontab(minute=0, nowfun=clock, app=app)
    last = clock.moment - timedelta(hours=30)
    clock.forward(minutes=2)
    assert hourly.is_due(last) == (True, 58 * 60)
    clock.forward(seconds=1)
    assert hourly.is_due(last) == (False, 58 * 60 - 1)
    app.conf.beat_cron_starting_deadline = None
    assert hourly.is_due(last)[0]


def test_text_that_users_know():
    assert repr(schedule(300)) == "<freq: 5.00 minutes>"
    assert repr(crontab(minute="*/5", hour=3, day_of_week="mon")) == "<crontab: */5 3 * * mon (m/h/dM/MY/d)>"
    assert crontab.from_string("0 4 1 jan sun") == crontab("0", "4", "sun", "1", "jan")
    for wrong in ("* * * *", "0 4 * * * *", ""):
        with pytest.raises(ParseException, match="five"):
            crontab.from_string(wrong)


def test_equality_and_pickles():
    for one, other in [
        (schedule(30), schedule(timedelta(seconds=30))),
        (crontab(minute="*/30"), crontab(minute="0,30")),
        (crontab(hour={7, 8}), crontab(hour="7-8")),
    ]:
        assert one == other
        assert hash(one) == hash(other)
        again = pickle.loads(pickle.dumps(one))
        assert again == one
        assert repr(again) == repr(one)
    assert schedule(30) == timedelta(seconds=30)
    assert schedule(30) != schedule(31)
    assert crontab() != crontab(minute=0)
    assert crontab() != schedule(60)
    assert crontab() != 3
    assert pickle.loads(pickle.dumps(schedule(86400, relative=True))).relative
    numbers = crontab(minute=iter([1, 2]))
    assert pickle.loads(pickle.dumps(numbers)).minute == {1, 2}


def test_a_crontab_that_cannot_be():
    for wrong in ({"minute": 60}, {"hour": "24"}, {"day_of_month": "31", "month_of_year": "2"}):
        with pytest.raises(ValueError):
            crontab(**wrong)
    with pytest.raises(TypeError, match="Did you mean 'hour'"):
        crontab(hours=3)
    with pytest.raises(TypeError):
        crontab(minute=3.5)
    assert crontab(minute=None).minute == crontab().minute


@pytest.mark.parametrize(
    ("written", "same"),
    [
        (30, schedule(30)),
        (0.5, schedule(0.5)),
        (timedelta(hours=1), schedule(3600)),
        ("*/5 * * * *", crontab("*/5")),
        ({"every": 30}, schedule(30)),
        ({"minute": 0, "hour": "4"}, crontab(0, 4)),
        (crontab(1), crontab(1)),
    ],
)
def test_what_stands_for_a_schedule(written, same, make_app):
    app = make_app()
    found = maybe_schedule(written, app=app)
    assert type(found) is type(same)
    assert found == same
    assert found.app is app


@pytest.mark.parametrize(
    ("written", "error", "said"),
    [
        ("often", ParseException, "five"),
        (-1, ValueError, "negative"),
        ({"every": "30"}, ValueError, "number of seconds"),
        ({"evry": 30}, ValueError, "Did you mean 'every'"),
        ({"minute": 0, "every": 3}, ValueError, "no schedule"),
        ({}, ValueError, "no schedule"),
        (True, TypeError, "True"),
        (object(), TypeError, "a schedule is"),
    ],
)
def test_what_stands_for_none(written, error, said):
    with pytest.raises(error, match=said):
        maybe_schedule(written)


def test_relative_is_said_beside_or_in_a_table():
    assert maybe_schedule(3600, relative=True).relative
    assert maybe_schedule({"every": 3600, "relative": True}).relative
    assert maybe_schedule(None) is None


class Countdown(BaseSchedule):
    """As a library would write one."""

    def __init__(self, at, nowfun=None, app=None):
        self.at = at
        super().__init__(nowfun=nowfun, app=app)

    def remaining_estimate(self, last_run_at):
        return self.at - self.now()


class InBerlin(crontab):
    """A crontab with a zone of its own, set before the constructor of the base is called."""

    def __init__(self, minute="*", hour="*", day_of_week="*", day_of_month="*", month_of_year="*", tz=UTC, app=None):
        self.tz = tz
        super().__init__(minute, hour, day_of_week, day_of_month, month_of_year, nowfun=self.nowfunc, app=app)

    def nowfunc(self):
        return MORNING

    def __reduce__(self):
        fields = (self._orig_minute, self._orig_hour, self._orig_day_of_week)
        return type(self), (*fields, self._orig_day_of_month, self._orig_month_of_year, self.tz), None


def test_schedules_of_ones_own(make_app, clock):
    mine = Countdown(clock.moment + timedelta(seconds=3), nowfun=clock, app=make_app())
    assert mine.is_due(clock.moment) == (False, 3)
    clock.forward(seconds=3)
    assert mine.is_due(clock.moment) == (True, 0)
    berlin = InBerlin(0, 9, tz=ZoneInfo("Europe/Berlin"), app=make_app())
    assert berlin.is_due(MORNING - timedelta(seconds=1))[0]
    assert pickle.loads(pickle.dumps(berlin)).tz == ZoneInfo("Europe/Berlin")
    with pytest.raises(NotImplementedError, match="Bare"):
        type("Bare", (BaseSchedule,), {})().is_due(MORNING)


def test_the_sun_needs_a_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "ephem", None)
    with pytest.raises(ImproperlyConfigured) as caught:
        solar("sunset", 52.5, 13.4)
    assert caught.value.cure == "pip install 'kernel[solar]'"


@pytest.mark.parametrize(
    ("event", "lat", "lon", "said"),
    [("sunst", 0, 0, "Did you mean 'sunset'"), ("sunset", 91, 0, "latitude"), ("sunset", 0, -181, "longitude")],
)
def test_a_place_that_is_nowhere(event, lat, lon, said, monkeypatch):
    monkeypatch.setitem(sys.modules, "ephem", types.ModuleType("ephem"))
    with pytest.raises(ValueError, match=said):
        solar(event, lat, lon)


BERLIN = (52.52, 13.405)


@pytest.mark.parametrize(
    ("event", "at"),
    [
        ("dawn_nautical", "02:29"),
        ("dawn_civil", "03:53"),
        ("sunrise", "04:43"),
        ("solar_noon", "13:08"),
        ("sunset", "21:33"),
        ("dusk_civil", "22:24"),
        ("dusk_nautical", "23:47"),
    ],
)
def test_the_sun_over_berlin_on_midsummer_day(event, at, make_app):
    """Within two minutes of what the formula of spherical astronomy gives: noon, and the hour angle of each height."""
    berlin = ZoneInfo("Europe/Berlin")
    midnight = datetime(2026, 6, 21, 0, 0, tzinfo=berlin)
    sun = solar(event, *BERLIN, nowfun=lambda: midnight, app=make_app(timezone="Europe/Berlin"))
    wanted = datetime.fromisoformat(f"2026-06-21T{at}").replace(tzinfo=berlin)
    assert abs(midnight + sun.remaining_estimate(midnight) - wanted) < timedelta(minutes=2)


def test_an_event_of_the_sun_is_due_once(make_app, clock):
    clock.moment = datetime(2026, 6, 21, 1, 0, tzinfo=UTC)
    sun = solar("sunrise", *BERLIN, nowfun=clock, app=make_app())
    is_due, seconds = sun.is_due(clock.moment)
    assert not is_due
    last = clock.moment
    clock.forward(seconds=seconds + 1)
    is_due, seconds = sun.is_due(last)
    assert is_due
    assert 23 * 3600 < seconds < 25 * 3600
    assert not sun.is_due(clock.moment).is_due


def test_where_the_sun_does_not_set_the_next_time_is_months_away(make_app, clock):
    clock.moment = datetime(2026, 6, 21, tzinfo=UTC)
    sun = solar("sunset", 80, 0, nowfun=clock, app=make_app())
    assert timedelta(days=60) < sun.remaining_estimate(clock.moment) < timedelta(days=80)
    never = solar("dusk_astronomical", 90, 0, nowfun=clock, app=make_app())
    assert never.remaining_estimate(clock.moment) > timedelta(days=30)


def test_places_are_equal_print_and_pickle():
    one = solar("sunset", *BERLIN)
    assert repr(one) == "<solar: sunset at latitude 52.52, longitude: 13.405>"
    assert pickle.loads(pickle.dumps(one)) == one
    assert hash(one) == hash(solar("sunset", *BERLIN))
    assert one != solar("sunrise", *BERLIN)
    assert one != 3
    assert maybe_schedule({"event": "sunset", "lat": 52.52, "lon": 13.405}) == one
