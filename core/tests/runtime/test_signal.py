"""Signals: who is called, for whom, how often, and what happens when a receiver fails (features.md 2.7)."""

import gc
import logging
from typing import Any

import pytest

import kernel.signals
from kernel import Kernel
from kernel.runtime import signal as module
from kernel.signals import Signal


@pytest.fixture
def signal() -> Signal:
    return Signal("tested", ("value",))


def test_a_receiver_is_told_by_whom_and_what(signal: Signal) -> None:
    got: list[Any] = []

    @signal.connect
    def receive(sender: object, signal: Signal, value: int, **_: object) -> str:
        got.append((sender, signal, value))
        return "answer"

    assert signal.send("sender", value=1) == [(receive, "answer")]
    assert got == [("sender", signal, 1)]
    assert signal.has_listeners()


def test_a_sender_limits_who_is_heard_and_texts_are_compared_by_value(signal: Signal) -> None:
    got: list[Any] = []

    @signal.connect(sender="proj." + "add")
    def receive(sender: object, **_: object) -> None:
        got.append(sender)

    signal.send("proj.add")
    signal.send("proj.mul")
    signal.send(None)
    assert got == ["proj.add"]
    assert not signal.has_listeners("proj.mul")


def test_a_sender_may_stand_first_as_a_decorators_argument(signal: Signal) -> None:
    def receive(**_: object) -> None: ...

    assert signal.connect(receive, "one") is receive
    assert signal.has_listeners("one")
    assert not signal.has_listeners("two")


def test_the_same_receiver_connects_once_for_each_sender(signal: Signal) -> None:
    got: list[Any] = []

    def receive(sender: object, **_: object) -> None:
        got.append(sender)

    for sender in ("one", "one", "two"):
        signal.connect(receive, sender=sender)
    signal.send("one")
    signal.send("two")
    assert got == ["one", "two"]


def test_a_name_connects_once(signal: Signal) -> None:
    def one(**_: object) -> None: ...
    def two(**_: object) -> None: ...

    signal.connect(one, dispatch_uid="name")
    signal.connect(two, dispatch_uid="name")
    assert [receiver for receiver, _ in signal.send(None)] == [one]
    assert signal.disconnect(dispatch_uid="name")
    assert signal.send(None) == []


def test_a_receiver_nobody_holds_is_forgotten_unless_it_is_held_here(signal: Signal) -> None:
    got: list[str] = []

    def connect_both() -> None:
        signal.connect(lambda **_: got.append("weak"))
        signal.connect(lambda **_: got.append("strong"), weak=False)

    connect_both()
    gc.collect()
    signal.send(None)
    assert got == ["strong"]
    assert len(signal.receivers) == 1


def test_methods_of_two_objects_are_two_receivers(signal: Signal) -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard = 0

        def receive(self, **_: object) -> None:
            self.heard += 1

    one, two = Listener(), Listener()
    signal.connect(one.receive)
    signal.connect(two.receive)
    signal.send(None)
    signal.disconnect(one.receive)
    signal.send(None)
    assert (one.heard, two.heard) == (1, 2)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_an_error_is_logged_and_returned_and_the_next_is_called(
    signal: Signal, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    @signal.connect
    def broken(**_: object) -> None:
        raise error

    @signal.connect
    def works(**_: object) -> str:
        return "fine"

    with caplog.at_level(logging.ERROR, "kernel.signals"):
        answers = signal.send(None)
    assert answers == [(broken, error), (works, "fine")]
    assert "Signal tested: receiver" in caplog.text
    assert "Traceback" in caplog.text


def test_with_retry_a_receiver_is_called_until_it_does_not_raise(
    signal: Signal, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    left = [OSError("one"), OSError("two")]

    @signal.connect(retry=True)
    def receive(**_: object) -> str:
        if left:
            raise left.pop()
        return "at last"

    assert [answer for _, answer in signal.send(None)] == ["at last"]
    assert pauses == [2.0, 4.0]
    assert signal.disconnect(receive)


def test_a_receiver_must_take_any_argument(signal: Signal) -> None:
    with pytest.raises(ValueError, match=r"\*\*kwargs"):
        signal.connect(lambda sender: None)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        signal.connect(lambda **_: None, wek=True)


def test_a_task_is_a_sender(signal: Signal) -> None:
    app = Kernel("signals", set_as_current=False, broker="memory://")

    @app.task(name="signals.add")
    def add() -> None: ...

    def receive(**_: object) -> None: ...

    signal.connect(receive, sender=add)
    assert signal.has_listeners(app.tasks["signals.add"])


def test_every_signal_has_the_name_it_is_imported_by() -> None:
    for name in set(kernel.signals.__all__) - {"Signal"}:
        signal = getattr(kernel.signals, name)
        assert signal.name == name
        assert signal.receivers == ()
