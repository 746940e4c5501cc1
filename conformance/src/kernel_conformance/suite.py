"""What every suite's tests have at hand."""

import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy

from kernel.contracts import Deadline
from kernel.errors import Code, DriverError
from kernel_conformance.outcome import NotRun
from kernel_conformance.stalls import Stalls

PATIENCE_S = 15.0
"""How long :meth:`Suite.until` waits by default: generous, because a passing test does not wait for it."""


class Suite:
    """Base of every suite: one instance per test, so tests share nothing.

    Attributes:
        harness: the harness of the plugin under test (:mod:`kernel_conformance.harness`).
        subject: the object under test, or what makes it; one of ``harness.subjects()``.
        seed: what all randomness of the test comes from.
        random: seeded with it.
        works: capabilities seen to work although they are not claimed.
        stalls: what the machine stood still since the test began.
    """

    def __init__(self, harness: Any, subject: Any, seed: int) -> None:
        self.harness = harness
        self.subject = subject
        self.seed = seed
        self.random = random.Random(seed)
        self.works: set[str] = set()
        self.stalls = Stalls()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def setup(self) -> None:
        """Called before the test; a kind's suite may extend it."""

    def teardown(self) -> None:
        """Called after the test, however it ended."""
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def slack_s(self) -> float:
        """How late something may be seen, in seconds: what the plugin declares, plus what the machine may take and has
        taken since the test began.
        """
        return float(self.harness.slack_s) + self.stalls.total

    @property
    def folder(self) -> Path:
        """An empty folder for this test."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="conformance-")
        return Path(self._folder.name)

    def name(self, stem: str = "q") -> str:
        """A name nobody else uses."""
        return f"{stem}-{uuid.uuid4().hex[:12]}"

    def soon(self, seconds: float = PATIENCE_S) -> Deadline:
        """A deadline for one call."""
        return Deadline.after(seconds)

    def until(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
        """Poll until ``condition`` is true; fail with ``what`` did not happen after ``seconds``."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= end:
                raise AssertionError(f"{what} did not happen within {seconds:g} s")
            time.sleep(0.01)

    def not_run(self, reason: str) -> NoReturn:
        """End the test as NOT RUN: something it needs is missing here."""
        raise NotRun(reason)

    @contextmanager
    def raises(self, *codes: Code) -> Iterator[None]:
        """What stands inside must raise a DriverError with one of these codes."""
        wanted = " or ".join(codes)
        try:
            yield
        except DriverError as error:
            if error.code not in codes:
                raise AssertionError(f"expected {wanted}, got {error.code}: {error}") from error
        except Exception as error:
            raise AssertionError(f"expected {wanted}, a native {type(error).__name__} escaped: {error}") from error
        else:
            raise AssertionError(f"expected {wanted}, nothing was raised")

    def forall(self, strategy: SearchStrategy[Any], check: Callable[[Any], None], examples: int = 100) -> None:
        """Hold ``check`` for ``examples`` drawn values; a failure is shrunk, and repeats with the same seed."""

        @seed(self.seed)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @given(strategy)
        def hold(value: Any) -> None:
            check(value)

        hold()
