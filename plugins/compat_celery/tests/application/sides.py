"""The application run by one of the two: a worker, an observer beside it, and its own tests."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NODE = "w1@here"
START_S = 120.0
OBSERVE_S = 480.0
STOP_S = 30.0
PASSWORD = "only-a-test"


@dataclass(frozen=True)
class Side:
    """Who runs the application.

    Attributes:
        name: for messages.
        python: the interpreter.
        program: the module that has Celery's commands.
        url: of broker and results.
        folder: of logs and notes.
        path: what is importable beside the application.
    """

    name: str
    python: Path
    program: str
    url: str
    folder: Path
    path: Sequence[Path] = ()

    @property
    def log(self) -> Path:
        """What the worker prints."""
        return self.folder / "worker.log"

    def observe(self) -> dict[str, Any]:
        """Everything the application saw, by section."""
        worker = self._start("worker.log", self._celery("worker", "-l", "INFO", "-c", "2", "-n", NODE, "-E"))
        try:
            self._wait_until_ready(worker)
            seen = self.folder / "seen.json"
            observer = self._start("observer.log", [*self._module("proj.observe"), str(seen)])
            try:
                code = observer.wait(OBSERVE_S)
            finally:
                _end(observer)
            assert code == 0, self._logs()
            found: dict[str, Any] = json.loads(seen.read_text())
            return found
        finally:
            _end(worker)

    def test(self) -> str:
        """What pytest says of the application's own tests."""
        words = [*self._module("pytest"), "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", "."]
        words += ["--confcutdir", str(HERE / "proj")]
        tests = self._start("tests.log", [*words, str(HERE / "proj/tests")])
        try:
            tests.wait(OBSERVE_S)
        finally:
            _end(tests)
        return (self.folder / "tests.log").read_text(errors="replace")

    def _celery(self, *words: str) -> list[str]:
        return [str(self.python), "-m", self.program, "-A", "proj", *words]

    def _module(self, name: str) -> list[str]:
        """A program of Python; with ours ``celery`` means our package in it."""
        under = [] if self.program == "celery" else ["-m", self.program]
        return [str(self.python), *under, "-m", name]

    def _environ(self) -> Mapping[str, str]:
        prefixes = ("PYTHON", "KERNEL_", "CELERY", "PYTEST_", "DJANGO_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
        return {
            **kept,
            "PROJ_BROKER": self.url,
            "PROJ_BACKEND": self.url,
            "PROJ_NOTES": str(self.folder / "notes"),
            "PROJ_LOG": str(self.log),
            "PROJ_NODE": NODE,
            "PROJ_PROGRAM": self.program,
            "C_FORCE_ROOT": "1",
            "PYTHONPATH": os.pathsep.join(str(path) for path in (HERE, *self.path)),
            "PYTHONUNBUFFERED": "1",
        }

    def _start(self, log: str, words: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("wb") as file:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=self.folder, env=self._environ()
            )

    def _wait_until_ready(self, worker: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_S
        while f"{NODE} ready." not in self.log.read_text(errors="replace"):
            assert worker.poll() is None, self._logs()
            assert time.monotonic() < deadline, self._logs()
            time.sleep(0.05)

    def _logs(self) -> str:
        return "\n".join(f"--- {log}\n{log.read_text(errors='replace')[-3000:]}" for log in self.folder.glob("*.log"))


def lend_pytest(folder: Path) -> Path:
    """A folder from which another environment can import this one's pytest, which is all Python."""
    folder.mkdir()
    for name in ("pytest", "_pytest", "py", "pluggy", "iniconfig", "pygments"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        file = Path(spec.origin)
        found = file.parent if file.name == "__init__.py" else file
        (folder / found.name).symlink_to(found)
    return folder


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process by its id, politely first."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
