"""Signals as levels."""

import signal
import time

import pytest

from kernel.runtime.inbox import Inbox
from kernel.runtime.shutdown import Level, Shutdown

TERM, INT, QUIT = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT


def levels(*signals, soft_s=0.0, remap_term=False):
    shutdown = Shutdown(Inbox(), soft_s, remap_term=remap_term)
    found = []
    for number in signals:
        shutdown.on_signal(number)
        found.append(shutdown.level)
    return found


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ([TERM], [Level.WARM]),
        ([TERM, TERM], [Level.WARM, Level.COLD]),
        ([INT], [Level.WARM]),
        ([INT, INT], [Level.WARM, Level.COLD]),
        ([QUIT], [Level.COLD]),
        ([QUIT, QUIT], [Level.COLD, Level.NOW]),
        ([TERM, QUIT], [Level.WARM, Level.COLD]),
        ([QUIT, TERM], [Level.COLD, Level.COLD]),
        ([QUIT, INT], [Level.COLD, Level.COLD]),
    ],
)
def test_each_signal_is_a_level(signals, expected):
    assert levels(*signals) == expected


def test_term_can_mean_quit():
    assert levels(TERM, remap_term=True) == [Level.COLD]


class Left(Exception):
    """Stands for a process that is gone."""


def leave(code):
    raise Left(code)


def test_the_third_interrupt_leaves_at_once(monkeypatch):
    monkeypatch.setattr("kernel.runtime.shutdown.os._exit", leave)
    shutdown = Shutdown(Inbox(), soft_s=60.0)
    shutdown.on_signal(INT)
    shutdown.on_signal(INT)
    assert shutdown.level is Level.COLD
    with pytest.raises(Left, match="1"):
        shutdown.on_signal(INT)


def test_what_runs_may_finish_until_the_soft_time_is_over():
    inbox = Inbox()
    shutdown = Shutdown(inbox, soft_s=30.0)
    assert shutdown.kill_in() == float("inf")
    shutdown.request(Level.WARM)
    assert shutdown.kill_in() == float("inf")
    shutdown.request(Level.COLD)
    assert 25.0 < shutdown.kill_in() <= 30.0
    shutdown.request(Level.NOW)
    assert shutdown.kill_in() == 0.0


def test_a_level_never_sinks_and_rings_only_when_it_rises():
    inbox = Inbox()
    shutdown = Shutdown(inbox)
    shutdown.request(Level.COLD)
    assert not inbox.empty()
    inbox.drain()
    shutdown.request(Level.WARM)
    assert shutdown.level is Level.COLD
    assert inbox.empty()


def test_a_request_ends_a_wait_at_once():
    inbox = Inbox()
    Shutdown(inbox).request(Level.WARM)
    began = time.monotonic()
    assert inbox.wait(20.0) == []
    assert time.monotonic() - began < 10.0


def test_hangup_may_mean_a_new_beginning_until_somebody_stops_it():
    shutdown = Shutdown(Inbox(), restartable=True)
    shutdown.on_hangup()
    assert (shutdown.level, shutdown.restart) == (Level.WARM, True)
    shutdown.on_signal(TERM)
    assert (shutdown.level, shutdown.restart) == (Level.WARM, False)  # the first of its kind
    shutdown.on_hangup()
    assert not shutdown.restart
    shutdown.on_signal(TERM)
    assert shutdown.level is Level.COLD


def test_hangup_is_told_once():
    shutdown = Shutdown(Inbox())
    assert not shutdown.take_hangup()
    shutdown.on_hangup()
    assert shutdown.take_hangup()
    assert not shutdown.take_hangup()
    assert shutdown.level is Level.RUN
