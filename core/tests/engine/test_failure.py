"""Exceptions as data, and back without running foreign code (wire.md 10.1)."""

import sys
import types

import pytest

from kernel import errors
from kernel.engine.failure import (
    ExceptionInfo,
    error_text,
    failure_from_wire,
    failure_to_wire,
    text_of,
    texts_only,
    traceback_text,
)


class Custom(Exception):
    """Takes two arguments."""

    def __init__(self, code, text):
        super().__init__(code, text)
        self.code = code


def test_round_trip_of_a_known_class():
    back = failure_from_wire(failure_to_wire(ZeroDivisionError("division by zero"), "kernel"))
    assert type(back) is ZeroDivisionError
    assert back.args == ("division by zero",)


def test_own_exceptions_are_named_for_the_reader():
    error = errors.TaskRevokedError("expired")
    assert failure_to_wire(error, "celery")["exc_module"] == "celery.exceptions"
    assert failure_to_wire(error, "kernel")["exc_module"] == "kernel.exceptions"
    for module in ("celery.exceptions", "kernel.exceptions"):
        back = failure_from_wire({"exc_type": "TaskRevokedError", "exc_message": ["expired"], "exc_module": module})
        assert type(back) is errors.TaskRevokedError


def test_a_class_with_its_own_constructor(monkeypatch):
    module = types.ModuleType("proj_errors")
    module.Custom = Custom
    monkeypatch.setitem(sys.modules, "proj_errors", module)
    back = failure_from_wire({"exc_type": "Custom", "exc_message": [7, "x"], "exc_module": "proj_errors"})
    assert type(back) is Custom
    assert back.code == 7
    wrong = failure_from_wire({"exc_type": "Custom", "exc_message": ["only one"], "exc_module": "proj_errors"})
    assert type(wrong).__name__ == "Custom"
    assert type(wrong) is not Custom
    assert wrong.args == ("only one",)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("system", "os"),
        ("eval", "builtins"),
        ("SystemExit", "builtins"),
        ("KeyboardInterrupt", "builtins"),
        ("Popen", "subprocess"),
        ("Missing", "not_imported_anywhere"),
        ("path.join", "os"),
        ("", "os"),
        ("X", None),
        ("X", 5),
    ],
)
def test_what_is_no_exception_class_is_never_called(name, module):
    back = failure_from_wire({"exc_type": name, "exc_message": ["echo"], "exc_module": module})
    assert isinstance(back, Exception)
    assert back.args == ("echo",)
    assert "not_imported_anywhere" not in sys.modules


@pytest.mark.parametrize("value", [None, 5, "text", [], {}, {"exc_type": 5}])
def test_unreadable_failures_are_readable_errors(value):
    assert isinstance(failure_from_wire(value), errors.BackendGetMetaError)


def test_an_exception_object_stays():
    error = ValueError(1)
    assert failure_from_wire(error) is error


def test_arguments_nobody_can_carry_become_texts():
    class Broken:
        def __repr__(self):
            raise RuntimeError

    wire = texts_only(failure_to_wire(ValueError(1, object, Broken()), "kernel"))
    assert wire["exc_message"] == [1, "<class 'object'>", "<Broken: its repr failed>"]


def test_what_stands_for_an_argument_can_be_carried_by_any_format():
    error = ValueError("caf\udce9.txt", 10**5000, float("nan"), 2**80, True, None, 1.5)
    wire = texts_only(failure_to_wire(error, "kernel"))
    first, huge, *rest = wire["exc_message"]
    assert first == "caf\\udce9.txt"
    assert isinstance(huge, str)
    assert rest == ["nan", str(2**80), True, None, 1.5]


def test_texts_of_errors_are_texts_whatever_they_do():
    class Broken(Exception):
        def __str__(self):
            raise RuntimeError

        __repr__ = __str__

    assert error_text(Broken()) == text_of(Broken()) == "<Broken: its repr failed>"
    assert error_text(OSError("\udcff")) == r"OSError('\udcff')"
    assert text_of("\udcff") == r"\udcff"
    assert r"OSError: \udcff" in traceback_text(OSError("\udcff"), skip="")


def test_traceback_text_is_bounded_and_info_shows_it():
    try:
        raise ValueError("x" * 1_000_000)
    except ValueError as error:
        text = traceback_text(error, skip="")
    assert len(text) < 300_000
    assert "left out" in text
    info = ExceptionInfo(ValueError(1), "text")
    assert str(info) == "text"
    assert info.type is ValueError
    assert repr(info) == "<ExceptionInfo: ValueError(1)>"
