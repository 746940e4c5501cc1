"""The page about migration is true: its files and commands, in its order, in an empty environment without Celery.

Needs a package index (pip's own configuration) for click, pluggy and stevedore.
"""

import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/migrating-from-celery.md").read_text()
FILES = re.findall(r"^```python file=(\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
READY_S = 60.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """A new virtual environment on the PATH, that finds our wheels; nothing of ours around it."""
    folder = tmp_path_factory.mktemp("migrating")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
    ]
    packages = [ROOT / "core", ROOT / "plugins/compat_celery"]
    subprocess.run([*pip, "--wheel-dir", folder / "dist", *packages], check=True)
    venv.create(folder / "venv", with_pip=True)
    hidden = ("KERNEL_", "PYTHON", "PYTEST_", "CELERY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    path = f"{folder / 'venv/bin'}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "PIP_FIND_LINKS": str(folder / "dist"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@contextmanager
def worker(command: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """A program that runs until it is stopped; its log."""
    log = folder / "worker.log"
    with log.open("wb") as file:
        words = ["bash", "-c", f"exec {command}"]
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + READY_S
        while b"ready." not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield log
    finally:
        process.terminate()
        process.wait(30)


def test_the_page_can_be_followed(tmp_path: Path, environment: Mapping[str, str]) -> None:
    for name, text in FILES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    commands = iter(COMMANDS)
    done: list[str] = []
    for line in commands:
        command, _, said = line.partition("  # ")
        if said != "until stopped":
            run(command, said, tmp_path, environment)
            continue
        with worker(command, tmp_path, environment) as log:
            for client in commands:
                command, _, said = client.partition("  # ")
                run(command, said, tmp_path, environment)
                if said == "prints 4":
                    break
            assert "that made 4" in log.read_text()
        done.append(command)
    assert done == ["python -m plugin_compat_celery client.py", "python client.py"]


def run(command: str, said: str, folder: Path, environment: Mapping[str, str]) -> None:
    ended = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=180
    )
    wanted = int(said.removeprefix("exit code ")) if said.startswith("exit code ") else 0
    assert ended.returncode == wanted, f"{command}\n{ended.stdout}\n{ended.stderr}"
    if said.startswith("prints "):
        assert ended.stdout.strip() == said.removeprefix("prints ")
