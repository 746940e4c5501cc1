"""Beat answers a ping while its loop is alive, and nothing else."""

import os
import threading
import time

import pytest

from kernel.beat import Service
from kernel.errors import ImproperlyConfigured

HOST = os.uname().nodename
TABLE = {"a": {"task": "proj.a", "schedule": 3600}}


@pytest.fixture
def beat(make_app):
    """A running beat; its service."""
    started = []

    def start(service):
        thread = threading.Thread(target=service.start)
        thread.start()
        started.append((service, thread))
        return service

    yield start
    for service, thread in started:
        service.stop()
        thread.join(30)
        assert not thread.is_alive()


def pinged(app, seconds=30, **options):
    """The first answers that come."""
    deadline = time.monotonic() + seconds
    while not (found := app.control.inspect(timeout=0.3, **options).ping()):
        if time.monotonic() > deadline:
            return found
    return found


def test_it_answers_a_ping_and_nothing_else(make_app, beat):
    app = make_app(beat_schedule=TABLE, beat_enable_remote_control=True)
    beat(Service(app))
    name = f"kernelbeat@{HOST}"
    assert pinged(app) == {name: {"ok": "pong"}}
    assert pinged(app, destination=[name]) == {name: {"ok": "pong"}}
    for command in ("active", "stats", "registered"):
        assert not getattr(app.control.inspect(timeout=0.2), command)(), (
            "an error among answers of workers would confuse"
        )


def test_it_is_silent_while_its_loop_stands_still(make_app, beat, caplog):
    app = make_app(beat_schedule=TABLE, namespace="celery")
    service = beat(Service(app, remote_control=True, hostname="clock@%h", max_interval=600))
    assert pinged(app) == {f"clock@{HOST}": {"ok": "pong"}}
    service.last_tick = time.monotonic() - 1190
    assert pinged(app), "within twice its longest sleep"
    service.last_tick = time.monotonic() - 1210
    assert not pinged(app, seconds=0.5)
    assert "1200 are allowed" in caplog.text


def test_how_long_it_may_stand_still(make_app, beat):
    app = make_app(beat_schedule=TABLE, beat_enable_remote_control=True, beat_remote_control_max_tick_age=0)
    service = beat(Service(app, max_interval=1))
    assert pinged(app)
    service.last_tick = time.monotonic() - 1_000_000
    assert pinged(app), "0 is never too long"


def test_it_is_off_unless_it_is_asked_for(make_app, beat):
    app = make_app(beat_schedule=TABLE)
    service = beat(Service(app))
    deadline = time.monotonic() + 30
    while service.last_tick is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not pinged(app, seconds=0.5)


def test_a_name_that_is_none(make_app):
    with pytest.raises(ImproperlyConfigured, match="name@host"):
        Service(make_app(), hostname="a b")
