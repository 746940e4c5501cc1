"""Admission and rate limits: pure decisions, as tables."""

import math
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.engine.admit import Expired, Later, Malformed, Rules, Run, TaskRule, Unknown, admit
from kernel.engine.ratelimit import TokenBucket, parse_rate
from kernel.errors import ImproperlyConfigured

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp()
RULES = Rules({"add": TaskRule(soft_limit=10.0, hard_limit=20.0)}, timezone(timedelta(hours=2)))


def message(**headers):
    return {"task": "add", "id": "a1", **headers}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (message(), Run("add", "a1", 10.0, 20.0)),
        (message(retries=None, timelimit=None, eta=None, expires=None), Run("add", "a1", 10.0, 20.0)),
        (message(timelimit=[None, None]), Run("add", "a1", 10.0, 20.0)),
        (message(timelimit=[4, 3]), Run("add", "a1", 3.0, 4.0)),
        (message(timelimit=(4, None)), Run("add", "a1", 10.0, 4.0)),
        (message(task="sub"), Unknown("sub", "a1")),
        (message(task="sub", eta="nonsense"), Unknown("sub", "a1")),
        (message(expires="2026-11-21T11:59:59+00:00"), Expired("add", "a1")),
        (message(expires="2026-11-21T11:59:59Z"), Expired("add", "a1")),
        (message(expires="2026-11-21T12:00:01+00:00"), Run("add", "a1", 10.0, 20.0)),
        (message(eta="2026-11-21T12:00:30+00:00"), Later(30.0)),
        (message(eta="2026-11-21T12:00:00+00:00"), Run("add", "a1", 10.0, 20.0)),
        (message(eta="2026-11-21T14:00:30"), Later(30.0)),  # naive: the app's zone, two hours ahead
        (message(eta="2026-11-21T13:59:00", expires="2026-11-21T13:59:30"), Expired("add", "a1")),
    ],
)
def test_verdicts(headers, expected):
    assert admit(headers, RULES, NOW) == expected


@pytest.mark.parametrize(
    ("eta", "utc"), [("2026-07-01T12:00:00", "2026-07-01T10:00:00"), ("2026-12-01T12:00:00", "2026-12-01T11:00:00")]
)
def test_local_time_is_that_of_the_day_that_is_meant(monkeypatch, eta, utc):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        found = admit(message(eta=eta), Rules({"add": TaskRule()}, None), 0.0)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found == Later(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({}, "'task'"),
        ({"task": "add"}, "'id'"),
        ({"id": "a1"}, "'task'"),
        (message(task=7), "'task'"),
        (message(task=""), "'task'"),
        (message(id=None), "'id'"),
        (message(id=["a"]), "'id'"),
        (message(eta="tomorrow"), "'eta'"),
        (message(eta=1234567890), "'eta'"),
        (message(eta="9999-99-99"), "'eta'"),
        (message(expires="soon"), "'expires'"),
        (message(expires={}), "'expires'"),
        (message(timelimit="10"), "'timelimit'"),
        (message(timelimit=[1]), "'timelimit'"),
        (message(timelimit=[1, 2, 3]), "'timelimit'"),
        (message(timelimit=["1", None]), "time limit"),
        (message(timelimit=[-1, None]), "time limit"),
        (message(timelimit=[math.nan, None]), "time limit"),
        (message(timelimit=[None, math.inf]), "time limit"),
        (message(timelimit=[True, None]), "time limit"),
        (message(retries="3"), "'retries'"),
        (message(retries=-1), "'retries'"),
        (message(retries=True), "'retries'"),
    ],
)
def test_malformed_headers_are_a_verdict_that_names_the_header(headers, named):
    verdict = admit(headers, RULES, NOW)
    assert isinstance(verdict, Malformed)
    assert named in verdict.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["task", "id", "eta", "expires", "timelimit", "retries", "shadow", "ignore_result"])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared
@given(st.dictionaries(KEYS, JSON | st.sampled_from(["add", "a1", "2026-11-21T12:00:00"])))
def test_no_header_raises(headers):
    assert isinstance(admit(headers, RULES, NOW), Run | Later | Expired | Unknown | Malformed)


def test_a_rate_limit_applies_after_the_eta_and_is_charged_once():
    rules = Rules({"add": TaskRule(bucket=TokenBucket(1.0))})
    assert admit(message(eta="2026-11-21T12:00:30+00:00"), rules, NOW) == Later(30.0)
    assert isinstance(admit(message(), rules, NOW), Run)
    assert admit(message(), rules, NOW) == Later(1.0)
    assert isinstance(admit(message(), rules, NOW + 1.0), Run)


@pytest.mark.parametrize(
    ("rate", "per_second"),
    [
        (None, None),
        (0, None),
        ("0/s", None),
        (5, 5.0),
        (0.5, 0.5),
        ("100/s", 100.0),
        ("10/m", 10 / 60),
        ("2/h", 2 / 3600),
        ("3", 3.0),
        (" 3 / m ", 0.05),
    ],
)
def test_rates(rate, per_second):
    assert parse_rate(rate) == (None if per_second is None else pytest.approx(per_second))


@pytest.mark.parametrize("rate", ["fast", "10/d", "/s", "-1/s", -1, float("nan"), float("inf"), [1], "1/s/s"])
def test_wrong_rates_name_the_value(rate):
    with pytest.raises(ImproperlyConfigured, match="Invalid rate limit") as caught:
        parse_rate(rate)
    assert repr(rate) in str(caught.value)


def test_a_backlog_gets_one_turn_after_another():
    bucket = TokenBucket(10.0)
    assert [bucket.take(100.0) for _ in range(4)] == pytest.approx([0.0, 0.1, 0.2, 0.3])


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=60))
def test_no_window_holds_more_starts_than_the_rate_allows(pauses):
    rate, now, starts = 5.0, 1000.0, []
    bucket = TokenBucket(rate)
    for pause in pauses:
        now += pause
        if bucket.take(now) == 0.0:
            starts.append(now)
    for i, first in enumerate(starts):
        inside = [start for start in starts[i:] if start - first <= 1.0]
        assert len(inside) <= rate + 1


@pytest.mark.parametrize("rate", [0.01, 2.0, 10.0, 1000.0])
def test_those_who_come_back_when_told_are_all_served(rate):
    bucket, now, waiting, served = TokenBucket(rate), 1_795_000_000.123456, [], []
    for _ in range(20):
        delay = bucket.take(now)
        (served if delay == 0.0 else waiting).append(now + delay)
    for due in sorted(waiting):
        assert bucket.take(due) == 0.0
        served.append(due)
    assert len(served) == 20
