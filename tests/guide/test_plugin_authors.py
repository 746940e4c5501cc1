"""The plugin author's guide is true: its commands run in its order in an empty environment, its code is the example's.

Needs a package index (pip's own configuration) for click, pluggy, stevedore, pytest, hypothesis and hatchling.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/plugin-authors.md").read_text()
EXAMPLE = ROOT / "examples/plugin_fs"
GUIDE_SECONDS = 240
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


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Without anything of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERNEL_", "PYTHON", "PYTEST_"))}
    return {**kept, "CHECKOUT": str(ROOT), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The folder in which every command of the guide was run."""
    folder = tmp_path_factory.mktemp("guide")
    wheel = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps"]
    packages = [ROOT / "core", ROOT / "conformance"]
    subprocess.run([*wheel, "--no-build-isolation", "--wheel-dir", folder / "dist", *packages], check=True)
    environment["PIP_FIND_LINKS"] = str(folder / "dist")
    here = folder / "empty"
    here.mkdir()
    process = subprocess.Popen(
        ["bash", "-c", script()],
        cwd=here,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        shown, _ = process.communicate(timeout=GUIDE_SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode == 0, shown
    return here


@pytest.mark.slow
def test_its_commands_lead_from_an_empty_folder_to_conformant(walked: Path, environment: dict[str, str]) -> None:
    said = [path.read_text() for path in sorted(walked.rglob("*.out"), key=lambda path: int(path.stem))]
    verdicts = [line.split("   ")[0] for text in said for line in text.splitlines() if line.startswith("verdict: ")]
    assert verdicts[0] == "verdict: NON-CONFORMANT at level core"
    assert verdicts[-1] == "verdict: CONFORMANT at level core"
    [scaffold] = [text for text in said if "NON-CONFORMANT" in text]
    assert fewer_than_half_passed(scaffold)
    assert "connect() is not written yet" in scaffold
    probe = [walked / "venv/bin/python", "-c", "import plugin_broker_fs; print(plugin_broker_fs.__file__)"]
    run = subprocess.run(probe, cwd=walked, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.startswith(str(walked / "venv")), "the wheel is judged, not the folder"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["backend", "serializer", "compression", "router"])
def test_the_other_kinds_begin_as_honestly(walked: Path, environment: dict[str, str], kind: str) -> None:
    programs = walked / "venv/bin"

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in command]
        return subprocess.run(words, cwd=walked, env=environment, capture_output=True, text=True, check=False)

    assert run(programs / "kernel", "plugins", "new", kind, "acme").returncode == 0
    installed = run(programs / "pip", "install", "-q", "--no-deps", "-e", f"plugin_{kind}_acme")
    assert installed.returncode == 0, installed.stderr
    judged = run(programs / "kernel", "conformance", "run", f"{kind}.acme", "--level", "core")
    assert judged.returncode == 1, judged.stdout + judged.stderr
    assert "verdict: NON-CONFORMANT at level core" in judged.stdout
    assert fewer_than_half_passed(judged.stdout)


def fewer_than_half_passed(report: str) -> bool:
    found = re.search(r"CORE (\d+)/(\d+)", report)
    assert found is not None, report
    return int(found[1]) < int(found[2]) / 2
