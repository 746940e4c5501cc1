"""A report for people: the lines of the terminal."""

from collections.abc import Iterator, Sequence

from kernel_conformance.cases import LEVELS
from kernel_conformance.judgement import Judged, Verdict
from kernel_conformance.outcome import End
from kernel_conformance.run import Report


def lines(report: Report, files: Sequence[str] = ()) -> Iterator[str]:
    """The summary: what ran, what is proven, what failed and why, the verdict."""
    yield head(report)
    if report.server:
        yield f"server: {report.server}"
    yield claims_line(report)
    for one in report.ended(End.FAIL):
        help_line = f"help: kernel conformance explain {one.case.id}"
        yield f"FAIL {one.case.id} {one.case.title}  {one.outcome.detail}   {help_line}"
    for one in report.ended(End.KNOWN):
        yield f"KNOWN ISSUE {one.case.id} {one.case.title}  {one.outcome.detail}"
    yield from _not_run(report)
    yield f"verdict: {verdict(report)}" + (f"   report: {', '.join(files)}" if files else "") + _again(report)


def head(report: Report) -> str:
    """The first line: the plugin and how many cases of each level passed."""
    facts = report.facts
    counts = []
    for level in report.plan.levels:
        passed, ran = report.count(level)
        counts.append(f"{level.upper()} {passed}/{ran}")
    not_run = report.ended(End.NOT_RUN)
    if not_run:
        counts.append(f"NOT RUN {len(not_run)}")
    about = f"contract {report.contract}, suite {report.suite}, seed {report.plan.seed}"
    return f"{facts.name} {facts.version} ({about})      {'   '.join(counts)}"


def claims_line(report: Report) -> str:
    """Capabilities: proven, unproven with the reason, and working though unclaimed."""
    claims = report.claims
    parts = [f"claimed+proven: {' '.join(claims.proven) or '-'}"]
    if claims.unproven:
        parts.append("claimed, UNPROVEN: " + " ".join(f"{name} ({why})" for name, why in claims.unproven))
    if claims.works:
        parts.append(f"works but unclaimed: {' '.join(claims.works)}")
    return "   ".join(parts)


def verdict(report: Report) -> str:
    """The verdict, with how far it reaches."""
    if report.plan.only:
        return f"{report.verdict} (only {len(report.judged)} cases)"
    if report.verdict is Verdict.NOT_RUN or set(report.plan.levels) == set(LEVELS):
        return str(report.verdict)
    return f"{report.verdict} at level {'+'.join(report.plan.levels)}"


def one_line(report: Report) -> str:
    """The whole run on one line, for ``make conformance``."""
    return f"{verdict(report):15} {head(report)}"


def case_line(one: Judged) -> str:
    """One case, as it ends."""
    detail = f"  {one.outcome.detail}" if one.outcome.detail else ""
    return f"{one.outcome.end:11} {one.case.id} {one.case.title} [{one.outcome.seconds:.2f} s]{detail}"


def _not_run(report: Report) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for one in report.ended(End.NOT_RUN):
        by_reason.setdefault(one.outcome.detail, []).append(one.case.id)
    for reason, ids in by_reason.items():
        yield f"NOT RUN {' '.join(ids)}: {reason}"


def _again(report: Report) -> str:
    failed = report.ended(End.FAIL)
    if not failed:
        return ""
    return f"   re-run: kernel conformance run {report.facts.name} -k {failed[0].case.id} --seed {report.plan.seed}"
