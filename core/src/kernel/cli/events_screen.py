"""The screen of ``kernel events``: paints the table, and reads keys. What it shows is made elsewhere."""

import contextlib
import curses
import signal
import threading
from typing import Any, Final

from kernel.app.events import EventReceiver
from kernel.app.kernel import Kernel
from kernel.cli.event_table import View, neighbour, table
from kernel.runtime.seen_state import State

_REFRESH_MS: Final = 500
_STYLES: Final = {"": curses.A_NORMAL, "bold": curses.A_BOLD, "reverse": curses.A_REVERSE}
_STEPS: Final = {ord("j"): 1, curses.KEY_DOWN: 1, ord("k"): -1, curses.KEY_UP: -1}
_QUIT: Final = frozenset({ord("q"), ord("Q")})


def show(app: Kernel) -> None:
    """Watch until ``q``, Ctrl-C or SIGTERM; the terminal is given back as it was.

    Raises:
        KernelError: what ended the receiver.
    """
    state = app.events.State()
    hearing = _Hearing(app.events.Receiver(handlers={"*": state.event}))
    hearing.start()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            curses.wrapper(_watch, state, hearing)
    finally:
        signal.signal(signal.SIGTERM, before)
        hearing.stop()
    if hearing.error is not None:
        raise hearing.error


class _Hearing(threading.Thread):
    """Hears events while the main thread has the terminal."""

    def __init__(self, receiver: EventReceiver) -> None:
        super().__init__(name="kernel-events", daemon=True)
        self._receiver = receiver
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._receiver.capture()
        except BaseException as error:  # noqa: BLE001 - shown by the main thread, once the terminal is free
            self.error = error

    def stop(self) -> None:
        self._receiver.should_stop = True
        self.join(5.0)


def _watch(window: Any, state: State, hearing: _Hearing) -> None:
    window.timeout(_REFRESH_MS)
    with contextlib.suppress(curses.error):  # a terminal that cannot hide its cursor
        curses.curs_set(0)
    selected: str | None = None
    while hearing.is_alive():
        height, width = window.getmaxyx()
        view = View(height, width, selected)
        _paint(window, state, view)
        key = window.getch()
        if key in _QUIT:
            return
        if key in _STEPS:
            selected = neighbour(state, view, _STEPS[key])


def _paint(window: Any, state: State, view: View) -> None:
    window.erase()
    for number, row in enumerate(table(state, view)):
        with contextlib.suppress(curses.error):  # the terminal became smaller meanwhile
            window.addstr(number, 0, row.text, _STYLES[row.style])
    window.refresh()
