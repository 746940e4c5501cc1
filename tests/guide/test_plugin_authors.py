"""The plugin author's guide is true: its commands run in its order in an empty environment, its code is the example's.

Needs a package index (pip's own configuration) for click, pluggy, stevedore, pytest, hypothesis and hatchling.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/plugin-authors.md").read_text()
EXAMPLE = ROOT / "examples/plugin_fs"
CODE_SECONDS = 240
EXIT = re.compile(r"\s+# exit code (\d+)$")


def blocks(language: str) -> list[str]:
    """The fenced blocks of the guide in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def essence(code: str) -> list[str]:
    """The lines of code without indentation, blank lines and docstrings."""
    lines = [line.strip() for line in code.splitlines()]
    return [line for line in lines if line and not re.fullmatch(r'""".*"""', line)]


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.split("(")[0].strip())
def test_its_code_is_the_code_of_the_example(block: str) -> None:
    wanted = essence(block)
    for path in (EXAMPLE / "src").rglob("*.py"):
        lines = essence(path.read_text())
        if any(lines[start : start + len(wanted)] == wanted for start in range(len(lines))):
            return
    raise AssertionError("it stands in no file of the example")


def script() -> str:
    """Every command of the guide in one shell, each held to its exit code; what a command says is kept apart."""
    lines = ["set -u"]
    for number, line in enumerate(line for block in blocks("sh") for line in block.splitlines()):
        found = EXIT.search(line)
        code = int(found[1]) if found else 0
        command = EXIT.sub("", line)
        lines += [
            f"{{ {command}; }} >{number}.out 2>&1" if not command.startswith((". ", "cd ")) else command,
            f"ended=$?; [ $ended = {code} ] || {{ echo 'exit code' $ended: {command!r}; cat {number}.out; exit 99; }}",
        ]
    return "\n".join(lines)


@pytest.mark.slow
def test_its_commands_lead_from_an_empty_folder_to_conformant(tmp_path: Path) -> None:
    wheel = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps"]
    wheels = [*wheel, "--no-build-isolation", "--wheel-dir", tmp_path / "dist", ROOT / "core", ROOT / "conformance"]
    subprocess.run(wheels, check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERNEL_", "PYTHON", "PYTEST_"))}
    env = {
        **kept,
        "CHECKOUT": str(ROOT),
        "PIP_FIND_LINKS": str(tmp_path / "dist"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    here = tmp_path / "empty"
    here.mkdir()

    process = subprocess.Popen(
        ["bash", "-c", script()], cwd=here, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        shown, _ = process.communicate(timeout=CODE_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, shown

    said = [path.read_text() for path in sorted(here.rglob("*.out"), key=lambda path: int(path.stem))]
    verdicts = [line.split("   ")[0] for text in said for line in text.splitlines() if line.startswith("verdict: ")]
    assert verdicts[0] == "verdict: NON-CONFORMANT at level core"
    assert verdicts[-1] == "verdict: CONFORMANT at level core"
    [scaffold] = [text for text in said if "NON-CONFORMANT" in text]
    passed, ran = map(int, re.search(r"CORE (\d+)/(\d+)", scaffold).groups())  # type: ignore[union-attr] # a failure of this test either way
    assert passed < ran / 2, "a plugin in which nothing works passes half of the suite"
    assert "connect() is not written yet" in scaffold
    file = subprocess.run(
        [here / "venv/bin/python", "-c", "import plugin_broker_fs; print(plugin_broker_fs.__file__)"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert file.startswith(str(here / "venv")), "the wheel is judged, not the folder"
