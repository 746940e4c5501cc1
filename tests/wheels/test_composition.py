"""Compose by installing: wheels of this tree, an empty virtual environment, and tasks over external plugins.

Needs a package index (pip's own configuration) for click, pluggy, stevedore and what the plugins need.
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ("serializer_yaml", "compression_brotli", "serializer_msgpack", "compression_zstd", "serializer_signed")
PACKAGES = [ROOT / "core", *(ROOT / "plugins" / name for name in PLUGINS)]
WANTED = ["kernel", *("plugin-" + name.replace("_", "-") for name in PLUGINS)]
CONFIG = """
[kernel]
plugins = ["serializer.yaml", "compression.brotli", "serializer.msgpack", "compression.zstd", "serializer.signed"]
accept_content = ["json", "yaml", "msgpack", "signed"]

[kernel.plugin_options."serializer.signed"]
keys = {test = "no secret: it is in the test of everybody"}
"""
TASKS = """
from kernel import Kernel

app = Kernel("tasks")


@app.task
def describe(value):
    return {"type": type(value).__name__, "length": len(value)}
"""
CALL = """
import sys
from tasks import app, describe

result = describe.apply_async((b"\\x00" * 5000,), serializer=sys.argv[1], compression=sys.argv[2])
print(result.get(timeout=60))
"""
STOP_SECONDS = 20

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment into which the wheels were installed as users do it."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist"]
    run(*wheel, *PACKAGES, cwd=folder)
    assert len(list((folder / "dist").glob("*.whl"))) == len(PACKAGES)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    run(python, "-m", "pip", "install", "-q", "--find-links", "dist", *WANTED, cwd=folder)
    return python.parent


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, str]:
    """An environment without anything of ours: what runs is what was installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERNEL_", "PYTHON", "PYTEST_"))}
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "kernel.toml").write_text(CONFIG)
    return kept


def test_our_kernel_wins_over_the_stranger_of_the_same_name(installed: Path, tmp_path: Path) -> None:
    probe = (
        "import importlib.metadata as m, kernel; print(m.version('kernel'), kernel.__file__, kernel.Kernel.__name__)"
    )
    version, file, name = run(installed / "python", "-c", probe, cwd=tmp_path).split()
    assert version.startswith("2026.")
    assert file.startswith(str(installed.parent))
    assert name == "Kernel"


def test_plugins_are_listed_with_version_and_contract(installed: Path, tmp_path: Path, clean: dict[str, str]) -> None:
    rows = json.loads(run(installed / "kernel", "plugins", "list", "--output", "json", cwd=tmp_path, env=clean))
    found = {row["name"]: row for row in rows}
    for name, dist, contract in (
        ("serializer.yaml", "plugin-serializer-yaml", "serializer"),
        ("compression.brotli", "plugin-compression-brotli", "compressor"),
        ("serializer.msgpack", "plugin-serializer-msgpack", "serializer"),
        ("compression.zstd", "plugin-compression-zstd", "compressor"),
        ("serializer.auth", "plugin-serializer-signed", "serializer"),
        ("serializer.signed", "plugin-serializer-signed", "serializer"),
    ):
        assert found[name]["distribution"] == dist
        assert found[name]["version"].startswith("2026.")
        assert found[name]["contracts"][contract].startswith("1")
        assert found[name]["error"] is None


@pytest.fixture
def worker(installed: Path, tmp_path: Path, clean: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(installed / "kernel"), "-A", "tasks", "worker", "--concurrency", "1"]
    named = ",".join(name.replace("_", ".") for name in PLUGINS)
    plugins = ["--plugins", named, "--config", "kernel.toml"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen([*command, *plugins], cwd=tmp_path, env=clean, stdout=log, stderr=log)
    yield process
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


@pytest.mark.parametrize(("serializer", "compression"), [("yaml", "brotli"), ("msgpack", "zstd"), ("signed", "zstd")])
def test_a_task_travels_in_formats_of_plugins(
    installed: Path,
    tmp_path: Path,
    clean: dict[str, str],
    worker: subprocess.Popen[bytes],
    serializer: str,
    compression: str,
) -> None:
    try:
        shown = run(installed / "python", "-c", CALL, serializer, compression, cwd=tmp_path, env=clean)
    except AssertionError as error:
        error.add_note((tmp_path / "worker.log").read_text())
        raise
    assert shown == "{'type': 'bytes', 'length': 5000}\n"
    assert worker.poll() is None
