"""The worker's log: where records go, in which form, and what becomes of print()."""

import io
import logging
import sys
from dataclasses import replace

import pytest

from kernel.errors import ImproperlyConfigured
from kernel.model.config import Config
from kernel.model.context import Request, Running, current
from kernel.runtime.logs import LoggingStream, LogSettings, Redirection, level_number, set_up
from kernel.utils.log import get_task_logger

NAMES = ("", "kernel", "kernel.task", "kernel.redirected")


@pytest.fixture
def terminal(monkeypatch):
    """The error stream, and loggers as they were afterwards; the root logger has no handlers meanwhile."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", stream)
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    logging.getLogger().handlers[:] = []
    yield stream
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        for handler in logger.handlers:
            if handler not in handlers:
                handler.close()
        logger.handlers[:] = handlers
        logger.level, logger.propagate = level, propagate


def configure(settings):
    """As in a worker, where no application has configured the root logger; pytest has."""
    logging.getLogger().handlers[:] = []
    set_up(settings)


class Named:
    name = "proj.add"


def test_records_of_the_kernel_get_the_configured_form(terminal):
    configure(LogSettings(Config(worker_log_format="<%(levelname)s> %(message)s"), logging.INFO))
    logging.getLogger("kernel.worker").info("hello")
    logging.getLogger("kernel.worker").debug("too fine")
    assert terminal.getvalue() == "<INFO> hello\n"


def test_task_loggers_tell_the_task(terminal):
    configure(LogSettings(Config(worker_task_log_format="%(task_name)s[%(task_id)s] %(message)s"), logging.INFO))
    logger = get_task_logger("proj.tasks")
    token = current.set(Running(Named(), Request(id="t1")))
    try:
        logger.info("inside")
    finally:
        current.reset(token)
    logger.info("outside")
    assert terminal.getvalue() == "proj.add[t1] inside\n???[???] outside\n"


def test_the_root_logger_is_left_alone(terminal):
    configure(LogSettings(Config(), logging.INFO))
    assert logging.getLogger().handlers == []


def test_the_root_logger_may_be_taken_over(terminal):
    mine = logging.StreamHandler(io.StringIO())
    logging.getLogger().handlers[:] = [mine]
    set_up(LogSettings(Config(worker_hijack_root_logger=True, worker_log_format="%(message)s"), logging.INFO))
    logging.getLogger("proj").info("mine too")
    logging.getLogger("kernel.worker").info("once")
    assert mine not in logging.getLogger().handlers
    assert terminal.getvalue() == "mine too\nonce\n"


def test_handlers_of_the_application_get_the_records_and_nobody_else(terminal):
    own = io.StringIO()
    logging.getLogger().handlers[:] = [logging.StreamHandler(own)]
    logging.getLogger("kernel").handlers[:] = []
    set_up(LogSettings(Config(), logging.INFO))
    logging.getLogger("kernel.worker").info("hello")
    assert own.getvalue() == "hello\n"
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(
    ("color", "setting", "painted"), [(True, None, True), (None, True, True), (False, True, False)]
)
def test_colours_are_asked_for(terminal, color, setting, painted):
    configure(LogSettings(Config(worker_log_color=setting), logging.INFO, color=color))
    logging.getLogger("kernel.worker").error("red")
    assert ("\x1b[31m" in terminal.getvalue()) is painted


def test_a_stream_that_is_no_terminal_has_none(terminal):
    configure(LogSettings(Config(), logging.INFO))
    logging.getLogger("kernel.worker").error("plain")
    assert "\x1b" not in terminal.getvalue()


def test_a_file_takes_the_place_of_the_stream(terminal, tmp_path):
    path = tmp_path / "worker.log"
    path.write_text("before\n")
    configure(LogSettings(Config(worker_log_format="%(message)s"), logging.INFO, str(path), color=True))
    logging.getLogger("kernel.worker").error("hello")
    assert path.read_text() == "before\nhello\n"
    assert terminal.getvalue() == ""


def test_a_file_that_was_moved_away_is_opened_anew_and_executors_may_have_their_own(terminal, tmp_path):
    settings = LogSettings(Config(worker_log_format="%(message)s"), logging.INFO, str(tmp_path / "w%I-%i.log"))
    assert settings.by_executor
    assert not LogSettings(Config(), path="w.log").by_executor
    configure(settings)
    logger = logging.getLogger("kernel.worker")
    logger.error("one")
    (tmp_path / "w-0.log").rename(tmp_path / "old.log")
    logger.error("two")
    configure(replace(settings, index=3))
    logger.error("three")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"old.log": "one\n", "w-0.log": "two\n", "w-3-3.log": "three\n"}


def test_a_file_that_cannot_be_is_named(terminal, tmp_path):
    with pytest.raises(ImproperlyConfigured, match="nowhere"):
        set_up(LogSettings(Config(), path=str(tmp_path / "nowhere" / "x.log")))


@pytest.mark.parametrize(
    "settings",
    [{"worker_log_format": "%(nosuch)s"}, {"worker_log_format": "%(message)"}, {"worker_task_log_format": "%(x)d"}],
)
def test_a_form_that_cannot_be_used_is_an_error_at_start(terminal, settings):
    with pytest.raises(ImproperlyConfigured, match=next(iter(settings))):
        set_up(LogSettings(Config(**settings)))


@pytest.mark.parametrize(("name", "number"), [("INFO", 20), ("warning", 30), ("10", 10), ("FATAL", 50)])
def test_levels(name, number):
    assert level_number(name) == number


@pytest.mark.parametrize("name", ["LOUD", "", "-1", "NOTSET"])
def test_names_that_are_no_level(name):
    with pytest.raises(ImproperlyConfigured, match="log level"):
        level_number(name)


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append((record.levelname, record.getMessage()))


@pytest.fixture
def kept(terminal):
    handler = Kept()
    logging.getLogger("kernel").handlers[:] = [handler]
    logging.getLogger("kernel").setLevel(logging.DEBUG)
    return handler


def test_what_is_printed_is_logged_line_by_line(kept, monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with Redirection(Config()):
        print("one", 2)
        print("half", end="")
        print(" a line")
        print("wrong", file=sys.stderr)
        print("unfinished", end="")
        assert not sys.stdout.isatty()
    assert sys.stdout is out
    assert sys.stderr is err
    assert kept.lines == [("WARNING", text) for text in ("one 2", "half a line", "wrong", "unfinished")]


def test_the_level_can_be_chosen_and_all_of_it_turned_off(kept, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with Redirection(Config(worker_redirect_stdouts_level="INFO")):
        print("told")
    with Redirection(Config(worker_redirect_stdouts=False)):
        print("shown")
    assert kept.lines == [("INFO", "told")]
    assert out.getvalue() == "shown\n"
    with pytest.raises(ImproperlyConfigured, match="worker_redirect_stdouts_level"):
        Redirection(Config(worker_redirect_stdouts_level="LOUD"))


def test_a_handler_that_writes_where_it_came_from_does_not_go_on_for_ever(kept):
    stream = LoggingStream(logging.getLogger("kernel.redirected"), logging.INFO)

    class Echo(logging.Handler):
        def emit(self, record):
            stream.write("echo\n")

    logging.getLogger("kernel").addHandler(Echo())
    stream.writelines(["one\n", "two\n"])
    assert [text for _, text in kept.lines] == ["one", "two"]
