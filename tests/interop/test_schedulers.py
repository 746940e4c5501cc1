"""celery-redbeat and django-celery-beat as they are, over kernel (features.md 2.3)."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.redis import RedisServer

from .conftest import until
from .sides import PROGRAMS

REQUIREMENTS = Path(__file__).parents[2] / "requirements/schedulers.txt"


class Place:
    """A folder, and programs that find the schedulers beside kernel; Celery itself is installed, and not used."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        (libraries,) = (provision.venv("schedulers", REQUIREMENTS).parent / "lib").glob("python*/site-packages")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("KERNEL_", "CELERY_"))}
        self.environ = {**kept, **environ, "PYTHONPATH": f"{PROGRAMS}{os.pathsep}{libraries}"}
        self.log = folder / "log"

    def beat(self, app: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "plugin_compat_celery", "-A", app, "beat", "-l", "INFO"]
        with self.log.open("wb") as log:
            return subprocess.Popen(words, cwd=self.folder, env=self.environ, stdout=log, stderr=log)

    def until_sent(self, process: subprocess.Popen[bytes], entry: str, times: int) -> None:
        said = f"Sending due task {entry} "
        until(lambda: self.log.read_text().count(said) >= times or process.poll() is not None, 60, said)
        assert process.poll() is None, self.log.read_text()

    def end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, self.log.read_text()
        assert "Traceback" not in self.log.read_text(), self.log.read_text()


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.stop()


def test_redbeat(redis: RedisServer, tmp_path: Path) -> None:
    place = Place(tmp_path, PROJ_REDIS=redis.url)
    beat = place.beat("celery_redbeat")
    try:
        place.until_sent(beat, "often", 3)
        assert int(redis.ask("LLEN", "celery")) >= 2
        assert "redbeat:often" in redis.ask("KEYS", "redbeat:*")
        place.end(beat)
    finally:
        beat.kill()
        beat.wait(10)
    assert redis.ask("EXISTS", "redbeat::lock") == "0"


def test_django_celery_beat(tmp_path: Path) -> None:
    place = Place(tmp_path)

    def rows() -> dict[str, list[str]]:
        words = [sys.executable, str(PROGRAMS / "django_beat.py")]
        done = subprocess.run(
            words, cwd=tmp_path, env=place.environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, list[str]] = json.loads(done.stdout)
        return found

    assert rows()["row"] == [0, "None"]
    beat = place.beat("django_beat")
    try:
        place.until_sent(beat, "row", 2)
        place.until_sent(beat, "configured", 2)
        place.end(beat)
    finally:
        beat.kill()
        beat.wait(10)
    after = rows()
    assert int(after["row"][0]) >= 2
    assert int(after["configured"][0]) >= 2
    assert after["row"][1] != "None"
