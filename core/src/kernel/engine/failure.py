"""Exceptions as data: how an error travels in a result, and how it is rebuilt without running foreign code.

The form is that of wire.md 10.1: ``{"exc_type", "exc_message", "exc_module"}``. A class is taken only from a module
that is already imported here, and only if it is an exception; anything else becomes a class made on the fly.
"""

import sys
import traceback as tracebacks
from collections.abc import Mapping
from math import isfinite
from types import TracebackType
from typing import TypedDict

from kernel import errors

_OWN_MODULE = "kernel.exceptions"
_CELERY_MODULE = "celery.exceptions"
_FOREIGN_MODULES = frozenset({_CELERY_MODULE, "billiard.exceptions"})
"""Where the well-known exceptions come from that a Celery worker names."""
_MAX_TRACEBACK = 256 * 1024
_MAX_NAME = 255
_GREATEST = 2**63


class FailureDict(TypedDict):
    """An exception on the wire."""

    exc_type: str
    exc_message: list[object]
    exc_module: str


class ExceptionInfo:
    """What handlers get as ``einfo``: the exception, its type, and the traceback as text."""

    def __init__(self, exception: BaseException, traceback: str) -> None:
        self.exception = exception
        self.type = type(exception)
        self.traceback = traceback

    def __str__(self) -> str:
        return self.traceback

    def __repr__(self) -> str:
        return f"<ExceptionInfo: {self.exception!r}>"


def failure_to_wire(error: BaseException, namespace: str) -> FailureDict:
    """The wire form of an exception.

    Args:
        error: any exception.
        namespace: with ``celery`` the kernel's own exceptions are named as Celery clients know them.
    """
    cls = type(error)
    module = cls.__module__
    if module.startswith("kernel.errors"):
        module = _CELERY_MODULE if namespace == "celery" else _OWN_MODULE
    return {"exc_type": cls.__qualname__, "exc_message": list(error.args), "exc_module": module}


def texts_only(failure: FailureDict) -> FailureDict:
    """The same as every serializer can carry it: what is not plain as its repr, and texts of whole characters."""
    plain = [
        arg if _is_plain(arg) else whole(arg if isinstance(arg, str) else _repr(arg)) for arg in failure["exc_message"]
    ]
    return {"exc_type": whole(failure["exc_type"]), "exc_message": plain, "exc_module": whole(failure["exc_module"])}


def whole(text: str) -> str:
    """The text with an escape for half a character, as the name of a file has that is not in UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def failure_from_wire(value: object) -> BaseException:
    """Rebuild an exception, or stand in for it with one of the same name.

    Never imports a module, and never calls anything that is not an ``Exception`` class.
    """
    if isinstance(value, BaseException):
        return value
    if not isinstance(value, Mapping) or not isinstance(value.get("exc_type"), str):
        return errors.BackendGetMetaError(f"The stored failure is not readable: {value!r:.200}")
    name, module = value["exc_type"], value.get("exc_module")
    message = value.get("exc_message")
    args = tuple(message) if isinstance(message, (list, tuple)) else (message,)
    cls = _known_class(module, name) or _stand_in(name, module)
    try:
        return cls(*args)
    except Exception:  # noqa: BLE001 - a constructor may raise anything; its arguments are shown instead
        return _stand_in(name, module)(*args)


def text_of(value: object) -> str:
    """Its ``str``, whatever that does."""
    try:
        return whole(str(value))
    except Exception:  # noqa: BLE001 - as below
        return _repr(value)


def error_text(error: BaseException) -> str:
    """Its repr, whatever that does."""
    return whole(_repr(error, _MAX_TRACEBACK))


def traceback_text(error: BaseException, *, skip: str) -> str:
    """The traceback as text, from the first frame that is not in file ``skip``, bounded in length."""
    text = whole("".join(tracebacks.format_exception(type(error), error, _below(error.__traceback__, skip))))
    if len(text) <= _MAX_TRACEBACK:
        return text
    half = _MAX_TRACEBACK // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _below(trace: TracebackType | None, skip: str) -> TracebackType | None:
    below = trace
    while below is not None and below.tb_frame.f_code.co_filename == skip:
        below = below.tb_next
    return below or trace


def _known_class(module: object, name: str) -> type[Exception] | None:
    if not isinstance(module, str):
        return None
    if module == _OWN_MODULE or module in _FOREIGN_MODULES:
        found: object = getattr(errors, name, None)
    else:
        found = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def _stand_in(name: str, module: object) -> type[Exception]:
    where = module if isinstance(module, str) else _OWN_MODULE
    return type(name.rpartition(".")[2][:_MAX_NAME] or "Failure", (Exception,), {"__module__": where[:_MAX_NAME]})


def _is_plain(value: object) -> bool:
    """Whether every format has such a value: of integers the greatest are no numbers to most, nor are infinities."""
    if isinstance(value, float):
        return isfinite(value)
    return value is None or (isinstance(value, int) and abs(value) < _GREATEST)


def _repr(value: object, most: int = 1024) -> str:
    try:
        return repr(value)[:most]
    except Exception:  # noqa: BLE001 - a broken __repr__ must not hide the failure it belongs to
        return f"<{type(value).__name__}: its repr failed>"
