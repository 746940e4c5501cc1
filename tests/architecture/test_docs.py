"""What the code can say is written down: error and exit codes, hooks, words of make; every link leads somewhere."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kernel.errors as tree
from kernel.cli.exits import Exit
from kernel.contracts.hookspecs import HookSpecs
from kernel.errors import Code, KernelError, PluginError

ROOT = Path(__file__).parents[2]
ERRORS = (ROOT / "docs/errors.md").read_text()
WORDS = ["demo", "test", "check", "conformance", "bench", "wheels", "docs"]


def documented(column: str) -> set[str]:
    """The entries of the first column of every table in docs/errors.md that begins with `column`."""
    tables = re.findall(rf"^\| {column} \|.*\n\|[-|]+\n((?:\|.*\n)+)", ERRORS, re.MULTILINE)
    cells = [line.split("|")[1] for table in tables for line in table.splitlines()]
    return {entry.strip() for cell in cells for entry in cell.split("·")}


def test_every_error_code_has_an_entry() -> None:
    classes = [value for value in vars(tree).values() if isinstance(value, type) and issubclass(value, KernelError)]
    codes = {kind.code for kind in classes if isinstance(kind.__dict__.get("code"), str)}
    assert codes <= documented("code")
    assert {str(code) for code in Code} <= documented("code")
    plugin = set(re.findall(r"E10\d", PluginError.__doc__ or ""))
    assert plugin, "the table in PluginError's docstring"
    assert plugin <= documented("code")


def test_no_entry_is_left_over() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "core/src/kernel").rglob("*.py"))
    unused = {code for code in documented("code") if f'"{code}"' not in sources and not re.fullmatch(r"E10\d", code)}
    assert unused == set()


def test_every_exit_code_has_an_entry() -> None:
    assert documented("exit code") == {str(int(code)) for code in Exit}
    for code in Exit:
        assert f"| {int(code)} | {code.name} |" in ERRORS


def test_every_class_named_on_the_page_exists() -> None:
    named = set(re.findall(r"`([A-Z]\w+Error|[A-Z]\w+)`", ERRORS)) - {"CommandError"}
    assert {name for name in named if not hasattr(tree, name)} == set()


@pytest.mark.parametrize("name", [name for name in vars(HookSpecs) if name.startswith("kernel_")])
def test_every_hook_is_documented_where_it_is_specified(name: str) -> None:
    assert (getattr(HookSpecs, name).__doc__ or "").strip()


def test_make_has_these_words_and_explains_each() -> None:
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = shown.splitlines()[1:]
    assert [line.split()[0] for line in lines] == WORDS
    assert all(len(line.split()) > 3 for line in lines)


def test_every_link_leads_somewhere() -> None:
    run = subprocess.run([sys.executable, ROOT / ".ci/docs.py"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_distribution_has_readme_licence_and_a_range_on_the_kernel() -> None:
    for project in [ROOT / "core", ROOT / "conformance", *sorted((ROOT / "plugins").glob("*/"))]:
        text = (project / "pyproject.toml").read_text()
        assert (project / "README.md").stat().st_size > 200, project
        assert (project / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes(), project
        assert 'license-files = ["LICENSE"]' in text, project
        if project.name != "core":
            assert '"kernel>=2026.11' in text, f"{project}: an unrelated 'kernel' 0.x exists on the public index"


def test_python_blocks_of_the_documents_are_python() -> None:
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("*/*/README.md"),
    ]:
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            ast.parse(block)
