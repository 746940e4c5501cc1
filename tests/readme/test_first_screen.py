"""The first screen of README.md is true: its task, its worker, its calls and its configuration, as they stand there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.app.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SHELL = re.findall(r"^venv/bin/(kernel .*?)(?:\s+# (.*))?$", README, re.MULTILINE)
STOP_SECONDS = 30


def kernel(line: str) -> list[str]:
    """A command line of the README, run by this interpreter."""
    words = re.findall(r"'[^']*'|\S+", line)
    return [sys.executable, "-m", "kernel", *(word.strip("'") for word in words[1:])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the README's tasks.py."""
    task, _call = PYTHON
    (tmp_path / "tasks.py").write_text(task)
    (tmp_path / "log").touch()
    return tmp_path


@pytest.fixture
def at_work(folder: Path) -> Iterator[Path]:
    """The same folder, with the README's worker at work in it."""
    (worker, _), _ = SHELL
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KERNEL_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(kernel(worker), cwd=folder, env=environment, stdout=log, stderr=log)
    yield folder
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, (folder / "log").read_text()


def shown(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr + (folder / "log").read_text()
    return done.stdout.strip()


def test_the_call_from_the_terminal_and_from_python(at_work: Path) -> None:
    _, (line, promised) = SHELL
    assert shown(kernel(line), at_work) == promised == "5"

    _, call = PYTHON
    assert shown([sys.executable, "-c", call], at_work) == "5"


def test_the_promised_error_of_a_wrong_call(folder: Path) -> None:
    wrong = "from tasks import add\ntry:\n    add.delay('2')\nexcept TypeError as error:\n    print(error)"
    assert "missing 1 required positional argument" in shown([sys.executable, "-c", wrong], folder)


def test_the_configuration_file(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (tmp_path / "kernel.toml").write_text(block)
    settings = Settings(environ={"KERNEL_BROKER_URL": "memory://stronger"}, cwd=tmp_path)
    assert settings.broker_url == "memory://stronger"
    assert settings.plugins == ("serializer.yaml", "compression.brotli")
    assert settings.origin("task_acks_late").endswith("kernel.toml")
