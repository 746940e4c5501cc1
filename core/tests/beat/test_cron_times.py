"""Due times of crontabs against a reference that looks at every minute, in zones whose clocks do all that clocks do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kernel.model.cron import ParseException, crontab_parser, expand
from kernel.model.cron_times import CronTimes, first_instant
from kernel.model.interval import in_words, interval_end

MINUTE = timedelta(minutes=1)
LEAPS = {
    "Europe/Berlin": [(2026, 3, 29), (2026, 10, 25)],
    "America/New_York": [(2026, 3, 8), (2026, 11, 1)],
    "Australia/Lord_Howe": [(2026, 4, 5), (2026, 10, 4)],  # half an hour
    "America/Sao_Paulo": [(2018, 2, 18), (2018, 11, 4)],  # at midnight
    "Antarctica/Troll": [(2026, 3, 29), (2026, 10, 25)],  # two hours
    "Africa/Casablanca": [(2026, 2, 15), (2026, 3, 22)],
    "Pacific/Apia": [(2011, 12, 30)],  # a day that was left out
    "Asia/Pyongyang": [(2018, 5, 4)],
    "UTC": [(2026, 2, 28)],
}
PLACES = [(name, datetime(*day, tzinfo=UTC)) for name, days in LEAPS.items() for day in days]


def matches(times: CronTimes, wall: datetime) -> bool:
    return (
        wall.minute in times.minutes
        and wall.hour in times.hours
        and wall.isoweekday() % 7 in times.weekdays
        and wall.day in times.days
        and wall.month in times.months
    )


Minutes = list[tuple[datetime, datetime, int, list[datetime]]]


def minutes_of(zone: ZoneInfo, start: datetime, end: datetime) -> Minutes:
    """Every minute after ``start`` until ``end``: in UTC, by the clock, its fold, and what the clock leapt over."""
    found: Minutes = []
    before = start.astimezone(zone).replace(tzinfo=None, fold=0)
    minute = start + MINUTE
    while minute <= end:
        local = minute.astimezone(zone)
        wall = local.replace(tzinfo=None, fold=0)
        left_out = []
        step = before + MINUTE
        while step < wall:
            left_out.append(step)
            step += MINUTE
        found.append((minute, wall, local.fold, left_out))
        before = wall
        minute += MINUTE
    return found


def reference(times: CronTimes, minutes: Minutes) -> Iterator[datetime]:
    """Every due minute, found by looking at each: the written rule, word by word."""
    for minute, wall, fold, left_out in minutes:
        if len(times.hours) == 24:
            due = matches(times, wall)
        else:
            due = (fold == 0 and matches(times, wall)) or any(matches(times, each) for each in left_out)
        if due:
            yield minute


def found(times: CronTimes, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    moment: datetime | None = start
    while (moment := times.next_after(moment, zone)) is not None and moment <= end:
        yield moment


def times(minute="*", hour="*", weekday="*", day="*", month="*") -> CronTimes:
    return CronTimes(expand(minute, 60), expand(hour, 24), expand(weekday, 7), expand(day, 31, 1), expand(month, 12, 1))


def subset(first: int, last: int, most: int = 6) -> st.SearchStrategy[frozenset[int]]:
    every = st.just(frozenset(range(first, last + 1)))
    return every | st.frozensets(st.integers(first, last), min_size=1, max_size=most)


CRONTABS = st.builds(
    CronTimes,
    subset(0, 59),
    subset(0, 23) | subset(0, 4),
    subset(0, 6),
    st.just(expand("*", 31, 1)),
    st.just(expand("*", 12, 1)),
)


@settings(max_examples=60, deadline=None)
@given(crontab=CRONTABS, place=st.sampled_from(PLACES), late=st.integers(0, 59))
@example(crontab=times("30", "2"), place=("Europe/Berlin", datetime(2026, 3, 29, tzinfo=UTC)), late=0)
@example(crontab=times("*/15"), place=("Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)), late=0)
@example(crontab=times("0", "0"), place=("America/Sao_Paulo", datetime(2018, 11, 4, tzinfo=UTC)), late=0)
@example(crontab=times("0", "12"), place=("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)), late=0)
@example(crontab=times("15", "*"), place=("Australia/Lord_Howe", datetime(2026, 4, 5, tzinfo=UTC)), late=0)
def test_no_due_minute_is_left_out_or_doubled_around_a_leap(crontab, place, late):
    name, day = place
    zone = ZoneInfo(name)
    start, end = day - timedelta(days=1), day + timedelta(days=2)
    wanted = list(reference(crontab, minutes_of(zone, start, end)))
    assert list(found(crontab, zone, start, end)) == wanted
    # what ran a little late, or is asked for from anywhere in between, sees the same next time
    for moment in wanted[:: max(1, len(wanted) // 20)]:
        asked = moment - timedelta(seconds=late, microseconds=1)
        assert crontab.next_after(asked, zone) == min(each for each in wanted if each > asked)


def test_a_whole_year():
    zone, start, end = ZoneInfo("America/Sao_Paulo"), datetime(2018, 1, 1, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC)
    minutes = minutes_of(zone, start, end)
    for crontab in (times("*/20", "0-3"), times("17")):
        assert list(found(crontab, zone, start, end)) == list(reference(crontab, minutes))


def leaps(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    """Each change of a zone's clock, to the hour, with the offsets before and after it."""
    step, moment = timedelta(days=7), start
    while moment < end:
        low, high = moment, moment + step
        old, new = (each.astimezone(zone).utcoffset() for each in (low, high))
        while old != new and high - low > timedelta(hours=1):
            middle = (low + (high - low) / 2).replace(minute=0, second=0, microsecond=0)
            low, high = (middle, high) if middle.astimezone(zone).utcoffset() == old else (low, middle)
        if old != new:
            yield high, old, new
        moment += step


def test_every_leap_of_every_zone_in_ten_years():
    """pains P14; leaps that several zones have in common are looked at once."""
    crontabs = [times("30", "0,2"), times("*/15")]
    start, end, around = datetime(2017, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), timedelta(hours=4)
    seen = {}
    for name in sorted(available_timezones()):
        for leap in leaps(ZoneInfo(name), start, end):
            seen.setdefault(leap, name)
    assert len(seen) > 300
    for (moment, *_), name in seen.items():
        zone = ZoneInfo(name)
        minutes = minutes_of(zone, moment - around, moment + around)
        for crontab in crontabs:
            wanted = list(reference(crontab, minutes))
            assert list(found(crontab, zone, moment - around, moment + around)) == wanted, (name, moment)


@settings(max_examples=100, deadline=None)
@given(
    crontab=st.builds(
        CronTimes, subset(0, 59, 2), subset(0, 23, 2), subset(0, 6, 2), subset(1, 28, 2), subset(1, 12, 2)
    ),
    moment=st.datetimes(datetime(1980, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
    name=st.sampled_from(sorted(LEAPS)),
)
def test_the_next_time_lies_ahead_and_agrees_with_the_fields(crontab, moment, name):
    zone = ZoneInfo(name)
    due = crontab.next_after(moment, zone)
    assert due is not None
    assert due > moment
    wall = due.astimezone(zone).replace(tzinfo=None)
    leap = (due - MINUTE).astimezone(zone).utcoffset() != due.astimezone(zone).utcoffset()
    assert matches(crontab, wall) or leap
    assert due.second == 0


def test_what_never_comes_and_what_comes_in_forty_years():
    with pytest.raises(ValueError, match="never due"):
        times(day=30, month=2)
    leap_sunday = times("0", "0", "sun", 29, 2)
    assert leap_sunday.next_after(datetime(2088, 3, 1, tzinfo=UTC), ZoneInfo("UTC")) == datetime(
        2128, 2, 29, tzinfo=UTC
    )
    assert times().next_after(datetime(9999, 12, 31, 23, 59, tzinfo=UTC), ZoneInfo("UTC")) is None


@pytest.mark.parametrize(
    ("text", "size", "first", "numbers"),
    [
        ("*", 7, 0, {0, 1, 2, 3, 4, 5, 6}),
        ("*/15", 60, 0, {0, 15, 30, 45}),
        ("1,13,30-45/5", 60, 0, {1, 13, 30, 35, 40, 45}),
        ("8-17/2", 24, 0, {8, 10, 12, 14, 16}),
        ("mon-fri", 7, 0, {1, 2, 3, 4, 5}),
        ("fri-mon", 7, 0, {5, 6, 0, 1}),
        ("Sunday", 7, 0, {0}),
        ("thurs,sat", 7, 0, {4, 6}),
        ("jan,june-aug", 12, 1, {1, 6, 7, 8}),
        ("*/3", 12, 1, {1, 4, 7, 10}),
        ("2-12/2", 12, 1, {2, 4, 6, 8, 10, 12}),
        (" 1 , 2 ", 60, 0, {1, 2}),
    ],
)
def test_fields(text, size, first, numbers):
    assert crontab_parser(size, first).parse(text) == expand(text, size, first) == numbers


@pytest.mark.parametrize("text", ["", "1,,2", "*/", "*/0", "*/x", "1-", "-1", "*-3", "5/2", "1-5/", "a b", "1.5", "?"])
def test_text_that_is_no_field(text):
    with pytest.raises(crontab_parser.ParseException) as caught:
        crontab_parser(60).parse(text)
    assert caught.type is ParseException


@pytest.mark.parametrize("field", ["60", "-1,3", "mo", "nosuchday", 60, -1, {1, 60}, [], set(), [True], ["1"]])
def test_numbers_outside_the_field(field):
    with pytest.raises((ValueError, ParseException)):
        expand(field, 60)


@pytest.mark.parametrize("field", [1.5, object(), True])
def test_what_is_no_field_at_all(field):
    with pytest.raises(TypeError):
        expand(field, 60)


def test_an_interval_is_time_that_passes():
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 10, 24, 12, 0, tzinfo=berlin)  # the clock is put back in the night
    assert interval_end(before, timedelta(days=1), berlin) == datetime(2026, 10, 25, 11, 0, tzinfo=berlin)
    assert interval_end(before, timedelta(minutes=90), berlin) == before + timedelta(minutes=90)


@pytest.mark.parametrize(
    ("every", "end"),
    [
        (timedelta(days=1), (2026, 5, 5, 0, 0, 0)),
        (timedelta(hours=2), (2026, 5, 4, 14, 0, 0)),
        (timedelta(minutes=30), (2026, 5, 4, 13, 4, 0)),
        (timedelta(seconds=40), (2026, 5, 4, 12, 35, 36)),
    ],
)
def test_a_relative_interval_is_rounded_down_to_the_clock(every, end):
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 5, 4, 12, 34, 56, tzinfo=berlin)
    assert interval_end(start, every, berlin, relative=True) == datetime(*end, tzinfo=berlin)


@settings(max_examples=200, deadline=None)
@given(
    moment=st.datetimes(datetime(2009, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    every=st.integers(1, 4 * 86_400).map(lambda seconds: timedelta(seconds=seconds)),
    name=st.sampled_from(sorted(LEAPS)),
)
@example(datetime(2026, 10, 24, 22, 0, tzinfo=UTC), timedelta(days=1), "Europe/Berlin")
@example(datetime(2018, 11, 3, 12, 0, tzinfo=UTC), timedelta(days=1), "America/Sao_Paulo")
def test_the_end_of_a_relative_interval_lies_ahead(moment, every, name):
    zone = ZoneInfo(name)
    end = interval_end(moment, every, zone, relative=True)
    assert moment < end
    assert end <= moment + every + timedelta(hours=25)


def test_the_first_moment_a_clock_shows_or_leaps_over_a_time():
    berlin = ZoneInfo("Europe/Berlin")
    assert first_instant(datetime(2026, 3, 29, 2, 30), berlin) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert first_instant(datetime(2026, 10, 25, 2, 30), berlin) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert first_instant(datetime(2026, 7, 1, 12, 0), berlin) == datetime(2026, 7, 1, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (30, "30.00 seconds"),
        (1, "1.00 second"),
        (60, "1.00 minute"),
        (5400, "1.50 hours"),
        (86400, "1.00 day"),
        (0, "now"),
        (0.5, "0.50 seconds"),
    ],
)
def test_lengths_of_time_in_words(seconds, words):
    assert in_words(seconds) == words
