"""One run of the suite over one plugin."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.metadata import version

from kernel.errors import PluginError
from kernel_conformance.bench import Bench
from kernel_conformance.cases import LEVELS, Case, Level
from kernel_conformance.installed import CONTRACT_OF, contract_version
from kernel_conformance.issues import Issue
from kernel_conformance.judgement import Claims, Judged, Verdict, give_verdict, highest_level, sort_claims
from kernel_conformance.outcome import End, Outcome
from kernel_conformance.registry import cases_for
from kernel_conformance.targets import Facts, facts_of


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        target: the plugin's name.
        levels: the levels of the cases.
        only: parts of case ids; empty means all.
        seed: what all randomness comes from.
        repeat: how often each case is run; one failure is a failure.
        contract: ``broker/1``, which must be of the major version this suite tests; "" for the plugin's own.
        issues: the known issues by case id.
    """

    target: str
    levels: tuple[Level, ...] = LEVELS
    only: tuple[str, ...] = ()
    seed: int = 0
    repeat: int = 1
    contract: str = ""
    issues: Mapping[str, Issue] | None = None

    def chooses(self, one: Case) -> bool:
        """Whether the case belongs to the run."""
        wanted = not self.only or any(part.upper() in one.id for part in self.only)
        return wanted and one.gate.level in self.levels


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a run found out."""

    facts: Facts
    contract: str
    server: str
    suite: str
    kernel: str
    python: str
    finished: str
    plan: Plan
    judged: tuple[Judged, ...]
    claims: Claims
    verdict: Verdict
    badge_level: str

    def count(self, level: Level) -> tuple[int, int]:
        """How many cases of that level passed, of those that ran."""
        ran = [
            one
            for one in self.judged
            if one.case.gate.level == level and one.counts and one.outcome.end is not End.NOT_RUN
        ]
        return sum(one.passed for one in ran), len(ran)

    def ended(self, *ends: End) -> list[Judged]:
        """The cases that ended so."""
        return [one for one in self.judged if one.outcome.end in ends]


def run_suite(plan: Plan, tell: Callable[[Judged], None] = lambda _one: None) -> Report:
    """Run the cases of a plan one after the other.

    Args:
        plan: what to run.
        tell: called after each case.

    Raises:
        PluginError: the plugin is not installed, or the contract version asked for is not this suite's.
    """
    facts = facts_of(plan.target)
    _check_contract(plan.contract, facts.kind)
    catalogue = cases_for(facts.kind)
    chosen = [one for one in catalogue if plan.chooses(one)]
    judged: list[Judged] = []
    with Bench() as bench:
        described = bench.describe(plan.target)
        for one in chosen:
            judged.append(Judged(one, _judge(bench, plan, one)))
            tell(judged[-1])
    return _report(plan, facts, described, catalogue, judged)


def _report(
    plan: Plan, facts: Facts, described: Mapping[str, object], catalogue: Sequence[Case], judged: Sequence[Judged]
) -> Report:
    names = described.get("claims")
    claims = sort_claims([str(name) for name in names] if isinstance(names, list) else [], catalogue, judged)
    return Report(
        facts=facts,
        contract=str(described.get("contract") or contract_version(facts.kind)),
        server=str(described.get("server") or ""),
        suite=version("kernel-conformance"),
        kernel=version("kernel"),
        python=platform.python_version(),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        plan=plan,
        judged=tuple(judged),
        claims=claims,
        verdict=give_verdict(judged, claims, plan.levels, whole=not plan.only),
        badge_level=highest_level(judged, plan.levels),
    )


def _judge(bench: Bench, plan: Plan, one: Case) -> Outcome:
    """Run a case as often as planned; the first bad end is its end."""
    outcome = bench.run(plan.target, one, plan.seed)
    rounds = 1
    while outcome.end is End.PASS and rounds < plan.repeat:
        outcome = bench.run(plan.target, one, plan.seed + rounds)
        rounds += 1
    if outcome.end is End.FAIL and plan.repeat > 1:
        detail = f"in round {rounds} of {plan.repeat} (seed {plan.seed + rounds - 1}): {outcome.detail}"
        outcome = replace(outcome, detail=detail)
    issue = (plan.issues or {}).get(one.id)
    return outcome if issue is None else issue.judge(outcome, date.today())  # noqa: DTZ011 - a date as written in the file


def _check_contract(wanted: str, kind: str) -> None:
    """Refuse a contract version that this suite has no cases for."""
    ours = contract_version(kind)
    name, _, number = wanted.partition("/")
    if not wanted or (
        name in {CONTRACT_OF[kind], kind} and number.partition(".")[0] == ours.split("/")[1].split(".")[0]
    ):
        return
    raise PluginError("E104", f"this suite tests {ours}, not {wanted!r}.", cure=f"Write --contract {ours}.")
