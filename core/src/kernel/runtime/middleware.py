"""Observers given by ``kernel_middleware``, compiled once into tuples of bound methods (contracts.md, "Hook specs")."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from kernel.model.context import Request

logger = logging.getLogger("kernel.plugins")

MAX_FAILURES = 100
"""Errors after which an observer is not called any more."""


class Observer:
    """One bound method that may fail without harm: counted, logged, and in the end dropped."""

    __slots__ = ("_call", "_failures", "_name")

    def __init__(self, call: Callable[..., None]) -> None:
        self._call = call
        self._name = f"{type(call.__self__).__qualname__}.{call.__name__}"  # type: ignore[attr-defined] # bound
        self._failures = 0

    def __call__(self, *args: Any) -> None:
        if self._failures >= MAX_FAILURES:
            return
        try:
            self._call(*args)
        except Exception:
            self._failures += 1
            last = " It is not called any more." if self._failures >= MAX_FAILURES else ""
            logger.exception("Middleware %s failed (%d times).%s", self._name, self._failures, last)


class Middleware:
    """The compiled observers of one process; falsy when there are none."""

    def __init__(self, objects: Sequence[object]) -> None:
        self._prerun = observers(objects, "task_prerun")
        self._postrun = observers(objects, "task_postrun")
        self._failed = observers(objects, "task_failed")

    def __bool__(self) -> bool:
        return bool(self._prerun or self._postrun or self._failed)

    def prerun(self, request: Request) -> None:
        """A body is about to run."""
        for observe in self._prerun:
            observe(request)

    def postrun(self, request: Request, state: str) -> None:
        """The writes of a run are done."""
        for observe in self._postrun:
            observe(request, state)

    def failed(self, request: Request, error: BaseException) -> None:
        """A body failed."""
        for observe in self._failed:
            observe(request, error)


def observers(objects: Sequence[object], method: str) -> tuple[Observer, ...]:
    """The observers among ``objects`` that have a method of that name."""
    return tuple(Observer(getattr(each, method)) for each in objects if hasattr(each, method))
