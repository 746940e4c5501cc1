"""`import kernel` is quiet: no thread, no socket, no driver; its time is reported, the 60 ms wanted not asserted."""

import json
import subprocess
import sys
from typing import Any

import pytest

PROBE = """
import json, sys, threading
opened = []
def note(event, args):
    if event.startswith(("socket.", "sqlite3.", "subprocess.")):
        opened.append(event)
sys.addaudithook(note)
before = set(sys.modules)
import kernel
print(json.dumps({
    "threads": [thread.name for thread in threading.enumerate()],
    "opened": opened,
    "modules": sorted(set(sys.modules) - before),
}))
"""
HEAVY = {
    "asyncio", "sqlite3", "_sqlite3", "socket", "multiprocessing", "concurrent.futures", "subprocess", "ssl",
    "stevedore", "pluggy", "importlib.metadata", "click", "tomllib",
    "yaml", "brotli", "msgpack", "zstandard", "cryptography", "kombu", "boto3", "pymongo", "pymemcache", "redis",
}  # fmt: skip


@pytest.fixture(scope="module")
def probe() -> dict[str, Any]:
    run = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    seen: dict[str, Any] = json.loads(run.stdout)
    return seen


def test_import_starts_no_thread(probe: dict[str, Any]) -> None:
    assert probe["threads"] == ["MainThread"]


def test_import_opens_nothing(probe: dict[str, Any]) -> None:
    assert probe["opened"] == []


def test_import_brings_no_driver_and_nothing_heavy(probe: dict[str, Any]) -> None:
    assert HEAVY.isdisjoint(probe["modules"]), sorted(HEAVY.intersection(probe["modules"]))
    assert not [name for name in probe["modules"] if name.startswith(("kernel.builtins.", "kernel.cli", "plugin_"))]


def test_import_time_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    timing = "import time; t = time.perf_counter(); import kernel; print((time.perf_counter() - t) * 1000)"
    runs = [
        float(subprocess.run([sys.executable, "-c", timing], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    with capsys.disabled():
        print(f"\nimport kernel: {min(runs):.0f} ms (best of 3; wanted: at most 60)")
    assert min(runs) < 2000, "far beyond any excuse of a slow machine: something heavy is imported"
