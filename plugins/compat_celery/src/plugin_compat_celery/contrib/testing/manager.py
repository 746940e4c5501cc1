"""``celery.contrib.testing.manager``: waiting for what workers do, in tests against real ones."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any, NoReturn, TextIO

from kernel.app.group_result import GroupResult
from kernel.app.result import AsyncResult
from kernel.errors import OperationalError
from kernel.errors import TimeoutError as ResultTimeout
from kernel.model import states


class Sentinel(Exception):
    """What is waited for has not happened yet."""


class Patience:
    """Helpers for tests of one application.

    Args:
        app: the application.
        block_timeout: seconds that the longest wait may take.
        no_join: make :meth:`join` do nothing.
        stdout: where remarks go.
        stderr: where warnings go.
    """

    def __init__(
        self,
        app: Any,
        *,
        block_timeout: float = 30 * 60.0,
        no_join: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.app = app
        self.stdout = sys.stdout if stdout is None else stdout
        self.stderr = sys.stderr if stderr is None else stderr
        self.connerrors: tuple[type[Exception], ...] = (OperationalError, ConnectionError)
        self.block_timeout = block_timeout
        self.no_join = no_join

    def remark(self, s: str, sep: str = "-") -> None:
        """Say something."""
        print(f"{sep}{s}", file=self.stdout)

    def warn(self, s: str) -> None:
        """Say what is not as it ought to be."""
        self.stderr.write(f"{s}\n")

    def missing_results(self, r: Sequence[AsyncResult[Any]]) -> list[str]:
        """Ids of those that are not ready."""
        return [result.id for result in r if not result.ready()]

    def wait_for(  # noqa: PLR0913 - the documented parameters
        self,
        fun: Callable[..., Any],
        catch: type[BaseException] | Sequence[type[BaseException]],
        desc: str = "thing",
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        errback: Callable[..., Any] | None = None,
        max_retries: int = 10,
        interval_start: float = 0.1,
        interval_step: float = 0.5,
        interval_max: float = 5.0,
        emit_warning: bool = False,
    ) -> Any:
        """Call ``fun`` until it does not raise one of ``catch``; what it returned.

        Args:
            fun: what is called.
            catch: exceptions that mean "not yet"; any other one is raised.
            desc: what is waited for, in warnings.
            args: arguments of ``fun``.
            kwargs: keyword arguments of it.
            errback: called with the exception, the seconds of the next pause and the number of tries.
            max_retries: after this many the exception is raised.
            interval_start: first pause, in seconds.
            interval_step: by how much each one is longer.
            interval_max: the longest.
            emit_warning: warn at each try.
        """
        caught = catch if isinstance(catch, type) else tuple(catch)
        for tries in count():
            try:
                return fun(*args, **(kwargs or {}))
            except caught as error:
                if tries >= max_retries:
                    raise
                pause = min(interval_start + tries * interval_step, interval_max)
                if emit_warning:
                    self.warn(f"Waiting for {desc}, again in {pause:g} s: {error!r}")
                if errback is not None:
                    errback(error, pause, tries)
                time.sleep(pause)
        return None

    def retry_over_time(self, fun: Callable[..., Any], catch: Any, *args: Any, **policy: Any) -> Any:
        """:meth:`wait_for` under the name of the function it is built on elsewhere."""
        return self.wait_for(fun, catch, *args, **policy)

    def ensure_not_for_a_while(
        self, fun: Callable[..., Any], catch: Any, desc: str = "thing", max_retries: int = 20, **policy: Any
    ) -> None:
        """Make sure that ``fun`` goes on raising one of ``catch``.

        Raises:
            AssertionError: it stopped.
        """
        steps = {"interval_start": 0.1, "interval_step": 0.02, "interval_max": 1.0, **policy}
        caught: Any = catch if isinstance(catch, type) else tuple(catch)
        try:
            self.wait_for(fun, caught, desc=desc, max_retries=max_retries, **steps)
        except caught:
            return
        raise AssertionError(f"Should not have happened: {desc}")

    def join(self, r: Any, propagate: bool = False, max_retries: int = 10, **kwargs: Any) -> Any:
        """The value of a result, or those of a group, asked for again after each timeout or lost connection.

        Raises:
            AssertionError: it does not come.
        """
        if self.no_join:
            return None
        for _ in range(max_retries) if max_retries else count():
            try:
                return r.get(propagate=propagate, **kwargs)
            except ResultTimeout as error:
                results: list[Any] = list(r.results) if isinstance(r, GroupResult) else [r]
                waiting = ", ".join(self.missing_results(results))
                self.remark(f"Still waiting for [{waiting[:200]}]: {error!r}", "!")
            except self.connerrors as error:
                self.remark(f"join: connection lost: {error!r}", "!")
        raise AssertionError("Test failed: Missing task results")

    # What workers say

    def inspect(self, timeout: float = 3.0) -> Any:
        """``app.control.inspect`` with that patience."""
        return self.app.control.inspect(timeout=timeout)

    def query_tasks(self, ids: Sequence[str], timeout: float = 0.5) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """What each worker says of these tasks."""
        yield from (self.inspect(timeout).query_task(*ids) or {}).items()

    def query_task_states(self, ids: Sequence[str], timeout: float = 0.5) -> dict[str, set[str]]:
        """Ids by state: ``reserved``, ``active``, ``ready``."""
        found: dict[str, set[str]] = defaultdict(set)
        for _, reply in self.query_tasks(ids, timeout=timeout):
            for task_id, (state, _info) in reply.items():
                found[state].add(task_id)
        return found

    def assert_accepted(self, ids: Sequence[str], interval: float = 0.5, **policy: Any) -> Any:
        """Wait until workers run these tasks."""
        return self.assert_task_worker_state(self.is_accepted, ids, interval=interval, **policy)

    def assert_received(self, ids: Sequence[str], interval: float = 0.5, **policy: Any) -> Any:
        """Wait until workers have these tasks."""
        return self.assert_task_worker_state(self.is_received, ids, interval=interval, **policy)

    def assert_result_tasks_in_progress_or_completed(
        self, async_results: Sequence[AsyncResult[Any]], interval: float = 0.5, **policy: Any
    ) -> Any:
        """Wait until each is STARTED or SUCCESS."""
        return self.assert_task_state_from_result(self.is_result_task_in_progress, async_results, interval, **policy)

    def assert_task_state_from_result(
        self, fun: Callable[..., Any], results: Sequence[Any], interval: float = 0.5, **policy: Any
    ) -> Any:
        """Wait until ``fun(results)`` is true."""
        return self.wait_for(partial(self.true_or_raise, fun, results, timeout=interval), (Sentinel,), **policy)

    def assert_task_worker_state(
        self, fun: Callable[..., Any], ids: Sequence[str], interval: float = 0.5, **policy: Any
    ) -> Any:
        """Wait until ``fun(ids)`` is true."""
        return self.wait_for(partial(self.true_or_raise, fun, ids, timeout=interval), (Sentinel,), **policy)

    @staticmethod
    def is_result_task_in_progress(results: Sequence[AsyncResult[Any]], **_options: Any) -> bool:
        """Whether each is STARTED or SUCCESS."""
        return all(result.state in {states.STARTED, states.SUCCESS} for result in results)

    def is_received(self, ids: Sequence[str], **options: Any) -> bool:
        """Whether some worker has each."""
        return self._ids_in(("reserved", "active", "ready"), ids, **options)

    def is_accepted(self, ids: Sequence[str], **options: Any) -> bool:
        """Whether some worker runs each, or has run it."""
        return self._ids_in(("active", "ready"), ids, **options)

    def true_or_raise(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What ``fun`` returned.

        Raises:
            Sentinel: it was nothing.
        """
        found = fun(*args, **kwargs)
        if not found:
            self._not_yet()
        return found

    def wait_until_idle(self) -> None:
        """Empty the queues, then wait until no worker runs anything.

        Raises:
            Sentinel: within ``block_timeout`` they do not become idle.
        """
        self.app.control.purge()
        deadline = time.monotonic() + self.block_timeout
        while any((self.inspect().active() or {}).values()):
            if time.monotonic() > deadline:
                self._not_yet()
            time.sleep(0.1)

    def _ids_in(self, wanted: Sequence[str], ids: Sequence[str], timeout: float = 0.5) -> bool:
        found = self.query_task_states(ids, timeout=timeout)
        known = set().union(*(found.get(state, set()) for state in wanted))
        return known.issuperset(ids)

    @staticmethod
    def _not_yet() -> NoReturn:
        raise Sentinel


Manager = ManagerMixin = Patience
"""The documented names; Celery shares a part of it with other classes, here one class is both."""
