"""An application on a broker of its own, in memory, and a way to run a receiver beside a test."""

import threading
import uuid

import pytest

from kernel import Kernel


@pytest.fixture
def app():
    made = Kernel("shop", broker=f"memory://{uuid.uuid4()}", set_as_current=False)
    with made:
        yield made


@pytest.fixture
def listening():
    """Starts receivers, each in a thread; they are stopped at the end."""
    started = []

    def start(receiver):
        ready = threading.Event()
        thread = threading.Thread(target=_run, args=(receiver, ready), daemon=True)
        thread.start()
        started.append((receiver, thread))
        assert ready.wait(30), "the receiver did not begin"
        return receiver

    yield start
    for receiver, thread in started:
        receiver.should_stop = True
        thread.join(30)
        assert not thread.is_alive()


def _run(receiver, ready):
    """Begin with an event of the test's own: once it is heard, the queue is there."""
    receiver.handlers["test-ready"] = lambda event: ready.set()
    nudge = threading.Thread(target=_nudge, args=(receiver.app, ready), daemon=True)
    nudge.start()
    receiver.capture()
    nudge.join(30)


def _nudge(app, ready):
    with app.events.default_dispatcher() as dispatcher:
        while not ready.wait(0.02):
            dispatcher.send("test-ready")


@pytest.fixture
def feed(app):
    """Sends events with rising numbers for as long as the test runs, whether anybody hears them or not."""
    over = threading.Event()
    thread = threading.Thread(target=_feed, args=(app, over), daemon=True)
    thread.start()
    yield
    over.set()
    thread.join(30)


def _feed(app, over):
    number = 0
    with app.events.default_dispatcher() as dispatcher:
        while not over.wait(0.01):
            dispatcher.send("test-number", number=number)
            number += 1
