"""For pytest: one line in a test file, and every case of the suite is a test.

::

    from kernel_conformance import BrokerSuite

    TestAcme = BrokerSuite.for_plugin("broker.acme")
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from kernel_conformance.bench import Bench
from kernel_conformance.cases import Case, Level
from kernel_conformance.issues import FILE, read_issues
from kernel_conformance.outcome import End, Outcome
from kernel_conformance.registry import cases_for


class KindSuite:
    """What a kind's suite offers to pytest."""

    kind: ClassVar[str]

    @classmethod
    def for_plugin(
        cls, name: str, *, seed: int = 0, issues: str | Path = FILE, level: Level | Literal["all"] = "all"
    ) -> type:
        """A class with a test per case, each run in a process of its own with a deadline.

        Args:
            name: the plugin's name.
            seed: what all randomness comes from.
            issues: the file of known issues; a relative path is relative to pytest's working directory.
            level: which cases, as for ``kernel conformance run``.
        """
        known = read_issues(Path(issues))

        def judge(one: Case, outcome: Outcome) -> None:
            issue = known.get(one.id)
            _conclude(one, outcome if issue is None else issue.judge(outcome, date.today()))  # noqa: DTZ011 - as in the file

        chosen = [one for one in cases_for(cls.kind) if level in {"all", one.gate.level}]
        tests = {f"test_{one.id.replace('-', '_')}": _test(name, one, seed, judge) for one in chosen}
        return type(f"Test{cls.__name__}", (_OnBench,), tests)


class BrokerSuite(KindSuite):
    """Brokers."""

    kind = "broker"


class BackendSuite(KindSuite):
    """Result backends."""

    kind = "backend"


class SerializerSuite(KindSuite):
    """Serializers."""

    kind = "serializer"


class CompressionSuite(KindSuite):
    """Compressors."""

    kind = "compression"


class RouterSuite(KindSuite):
    """Routers."""

    kind = "router"


class _OnBench:
    """Shares one bench, and so one started server, between the tests of a class."""

    bench: ClassVar[Bench]

    @classmethod
    def setup_class(cls) -> None:
        cls.bench = Bench()

    @classmethod
    def teardown_class(cls) -> None:
        cls.bench.close()


def _test(name: str, one: Case, seed: int, judge: Callable[[Case, Outcome], None]) -> Callable[[Any], None]:
    def test(self: _OnBench) -> None:
        judge(one, self.bench.run(name, one, seed))

    test.__doc__ = one.title
    return test


def _conclude(one: Case, outcome: Outcome) -> None:
    """Tell pytest how it ended. As in a verdict nothing of level core may be missing: without its server a plugin's
    tests fail, rather than being skipped one and all.
    """
    if outcome.end is End.NOT_RUN and one.gate.level == "core":
        pytest.fail(f"{outcome.id}: {outcome.end}: {outcome.detail}", pytrace=False)
    if outcome.end is End.FAIL:
        pytest.fail(f"{outcome.id}: {outcome.detail}\n{outcome.evidence}", pytrace=False)
    if outcome.end is End.KNOWN:
        pytest.xfail(outcome.detail)  # a dated known issue: its reason, URL and expiry stand in conformance.toml
    if outcome.end is not End.PASS:
        pytest.skip(f"{outcome.end}: {outcome.detail}")  # NOT RUN and N/A are never green, and say why
