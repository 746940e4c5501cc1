"""Writes ``docs/conformance/<kind>.md``: the specification of each kind of plugin, from the docstrings of its suite.

Run by ``make docs``; a test compares what is written with what would be.
"""

import re
import sys
from pathlib import Path

from kernel_conformance.cases import Case
from kernel_conformance.registry import KINDS, cases_for

FOLDER = Path(__file__).resolve().parent / "conformance"
COMMAND = "make docs"


def page(kind: str) -> str:
    """The page of a kind."""
    cases = cases_for(kind)
    return "\n".join(
        [
            f"# What a {kind} plugin promises",
            "",
            f"<!-- Generated from the suite by `{COMMAND}`; edit the docstrings there. -->",
            "",
            f"The {len(cases)} cases of `kernel conformance run {kind}.<name>`. Cases of level core apply to every",
            "plugin, extended ones to those that claim a capability, and those of level fault break servers,",
            "connections and processes on purpose. Ids never change their meaning.",
            "",
            "| case | level | needs | promise |",
            "|---|---|---|---|",
            *[_row(one) for one in cases],
            "",
            *[line for one in cases for line in _section(one)],
        ]
    )


def _row(one: Case) -> str:
    needs = ", ".join([*one.gate.needs, *(f"fault {fault}" for fault in one.gate.faults)])
    return f"| [{one.id}](#{one.id.lower()}) | {one.gate.level} | {needs} | {_plain(one.title)} |"


def _section(one: Case) -> list[str]:
    proves = f" Proves, where claimed: {', '.join(one.gate.proves)}." if one.gate.proves else ""
    return [
        f"## {one.id}",
        "",
        _plain(one.promise),
        "",
        f"*Usually broken by:* {_plain(one.broken_by)}{proves}",
        "",
    ]


def _plain(text: str) -> str:
    """Markdown of a docstring: roles and double backticks become code, table bars and angles stay text."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")
    parts = text.split("`")
    for number in range(0, len(parts), 2):
        parts[number] = re.sub(r"([*_|\[\]<>#])", r"\\\1", parts[number])
    return "`".join(parts)


def main() -> int:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for kind in KINDS:
        (FOLDER / f"{kind}.md").write_text(page(kind).rstrip() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
