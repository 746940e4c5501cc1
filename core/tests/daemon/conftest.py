"""A folder with an application, and programs run in it; whatever they left running is ended by its pid files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernel.cli.pidfile import living

APP = """
import logging
import os
import time
from kernel import Kernel
from kernel.utils.log import get_task_logger

app = Kernel("shop", broker="sqlite:///shop.db", backend="sqlite:///shop.db")
logger = get_task_logger(__name__)


@app.task
def tell(text, seconds=0.0):
    time.sleep(seconds)
    logger.warning("told %s", text)
    return os.getpid()
"""


class Yard:
    """The folder.

    Attributes:
        path: where it is.
        environment: of the programs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("KERNEL_")},
            "XDG_STATE_HOME": str(path / "state"),
            "HOME": str(path),
        }
        (path / "shop.py").write_text(APP)

    def run(self, *words: str, code: int = 0, **options) -> subprocess.CompletedProcess[str]:
        """Run ``kernel`` to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "kernel", *words],
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def pid(self, name: str) -> int | None:
        """The process that holds a pid file."""
        return living(self.path / name)

    def log(self, name: str) -> str:
        file = self.path / name
        return file.read_text() if file.exists() else ""

    def until(self, condition, what: str, seconds: float = 60.0):
        due = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > due:
                logs = "\n".join(f"--- {each}\n{each.read_text()[-2000:]}" for each in self.path.rglob("*.log"))
                pytest.fail(f"{what} did not come true\n{logs}")
            time.sleep(0.05)
        return found

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """Signal who holds a pid file, and wait until nobody does."""
        pid = self.pid(name)
        if pid is not None:
            os.kill(pid, number)
        self.until(lambda: self.pid(name) is None, f"the end of {name}")

    def sweep(self) -> None:
        for file in self.path.rglob("*.pid"):
            try:
                self.stop(str(file.relative_to(self.path)))
            except BaseException:
                pid = living(file)
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
                raise


@pytest.fixture
def yard(tmp_path):
    made = Yard(tmp_path)
    yield made
    made.sweep()
