"""The calling API as a type checker sees it: `accepted.py` is clean, and every marked line of `refused.py` is not."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ERROR = re.compile(r"^[^:\n]+:(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$", re.MULTILINE)
MARK = re.compile(r"# error: (.+)$")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, list[str]]]:
    """File name → line → codes of the errors reported there."""
    cache = tmp_path_factory.mktemp("mypy")
    errors: dict[str, dict[int, list[str]]] = {}
    for name in ("accepted.py", "refused.py"):
        command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml")]
        run = subprocess.run(
            [*command, "--cache-dir", str(cache), "--no-error-summary", "--hide-error-context", str(HERE / name)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode in {0, 1}, run.stdout + run.stderr
        lines: dict[int, list[str]] = defaultdict(list)
        for match in ERROR.finditer(run.stdout):
            lines[int(match["line"])].append(match["code"])
        assert bool(lines) == bool(run.stdout.strip()), run.stdout
        errors[name] = dict(lines)
    return errors


def test_correct_code_is_accepted(found: dict[str, dict[int, list[str]]]) -> None:
    assert found["accepted.py"] == {}


def test_wrong_code_is_refused_line_by_line(found: dict[str, dict[int, list[str]]]) -> None:
    marked = {}
    for number, line in enumerate((HERE / "refused.py").read_text().splitlines(), 1):
        if match := MARK.search(line):
            marked[number] = sorted(re.findall(r"\[([a-z-]+)\]", match[1]))

    assert {line: sorted(codes) for line, codes in found["refused.py"].items()} == marked
