"""A report for machines: JSON, JUnit XML and an SVG badge."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from kernel_conformance.cases import LEVELS
from kernel_conformance.judgement import Judged, Verdict
from kernel_conformance.outcome import End
from kernel_conformance.report import lines
from kernel_conformance.run import Report

_COLORS = {
    Verdict.CONFORMANT: "#2e7d32",
    Verdict.PARTIAL: "#b26a00",
    Verdict.NON_CONFORMANT: "#c62828",
    Verdict.NOT_RUN: "#616161",
}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_files(report: Report, folder: Path) -> list[Path]:
    """Write the four files of a report into a folder; where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "conformance-report.json": json.dumps(as_json(report), indent=1, ensure_ascii=False) + "\n",
        "junit.xml": as_junit(report),
        "badge.svg": as_badge(report),
        "report.md": as_markdown(report),
    }
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
    return [folder / name for name in contents]


def as_json(report: Report) -> dict[str, Any]:
    """Everything, for programs."""
    plan, claims = report.plan, report.claims
    return {
        "plugin": report.facts.name,
        "kind": report.facts.kind,
        "distribution": report.facts.dist,
        "version": report.facts.version,
        "contract": report.contract,
        "server": report.server,
        "suite": report.suite,
        "kernel": report.kernel,
        "python": report.python,
        "finished": report.finished,
        "seed": plan.seed,
        "repeat": plan.repeat,
        "levels": list(plan.levels),
        "only": list(plan.only),
        "verdict": report.verdict,
        "badge_level": report.badge_level,
        "counts": {level: dict(zip(("passed", "ran"), report.count(level), strict=True)) for level in plan.levels},
        "claims": {
            "proven": list(claims.proven),
            "unproven": [{"capability": name, "why": why} for name, why in claims.unproven],
            "works_unclaimed": list(claims.works),
        },
        "cases": [_case_json(one) for one in report.judged],
    }


def _case_json(one: Judged) -> dict[str, Any]:
    gate, outcome = one.case.gate, one.outcome
    return {
        "id": gate.id,
        "title": one.case.title,
        "level": gate.level,
        "needs": list(gate.needs),
        "faults": list(gate.faults),
        "end": outcome.end,
        "detail": outcome.detail,
        "seconds": outcome.seconds,
        "evidence": outcome.evidence,
    }


def as_junit(report: Report) -> str:
    """JUnit XML, as continuous integration servers read it."""
    suite = ET.Element(
        "testsuite",
        name=report.facts.name,
        tests=str(len(report.judged)),
        failures=str(len(report.ended(End.FAIL))),
        skipped=str(len(report.ended(End.NOT_RUN, End.UNCLAIMED, End.NOT_APPLICABLE, End.KNOWN))),
        time=f"{sum(one.outcome.seconds for one in report.judged):.3f}",
    )
    for one in report.judged:
        outcome = one.outcome
        name = f"{one.case.id} {one.case.title}"
        element = ET.SubElement(
            suite, "testcase", classname=report.facts.name, name=_clean(name), time=f"{outcome.seconds:.3f}"
        )
        if outcome.end is End.FAIL:
            ET.SubElement(element, "failure", message=_clean(outcome.detail)).text = _clean(outcome.evidence)
        elif outcome.end is not End.PASS:
            ET.SubElement(element, "skipped", message=_clean(f"{outcome.end}: {outcome.detail}"))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def as_badge(report: Report) -> str:
    """A badge that never says more than what ran: "core" when nothing was broken on purpose."""
    said = report.verdict.lower()
    if report.verdict is Verdict.CONFORMANT and report.badge_level:
        said = f"{said}: {report.badge_level}"
    left, right = "kernel", said
    width_left, width_right = 7 * len(left) + 12, 7 * len(right) + 12
    total = width_left + width_right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{left}: {right}">'
        f'<rect width="{width_left}" height="20" fill="#444"/>'
        f'<rect x="{width_left}" width="{width_right}" height="20" fill="{_COLORS[report.verdict]}"/>'
        '<g fill="#fff" font-family="DejaVu Sans,Verdana,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{width_left / 2:g}" y="14">{left}</text>'
        f'<text x="{width_left + width_right / 2:g}" y="14">{right}</text></g></svg>\n'
    )


def as_markdown(report: Report) -> str:
    """The terminal's summary with every case below it, and how to get the same again."""
    level = "all" if set(report.plan.levels) == set(LEVELS) else report.plan.levels[-1]
    command = f"kernel conformance run {report.facts.name} --level {level} --seed {report.plan.seed}"
    rows = [
        f"| {one.case.id} | {one.case.gate.level} | {one.outcome.end} | {one.outcome.seconds:.2f} | {_cell(one)} |"
        for one in report.judged
    ]
    return "\n".join(
        [
            f"# {report.facts.name}: {report.verdict}",
            "",
            "```",
            *lines(report),
            "```",
            "",
            f"Python {report.python}, kernel {report.kernel}, {report.finished}; written by the suite, unedited.",
            "",
            "## Reproduce",
            "",
            "```",
            f"pip install {report.facts.dist} kernel-conformance",
            command,
            "```",
            "",
            "## Every case",
            "",
            "| case | level | end | seconds | |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _cell(one: Judged) -> str:
    detail = one.outcome.detail
    return (f"{one.case.title} — {detail}" if detail else one.case.title).replace("|", "\\|")


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
