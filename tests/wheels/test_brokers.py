"""The example on production brokers: wheels of this tree in an empty environment, a kernel.toml, and `--plugins`.

Needs a package index (pip's own configuration) for what the plugins need.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernel_conformance.servers.moto import MotoServer
from kernel_conformance.servers.rabbitmq import RabbitMQ

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/textstats"
RUN_S = 150

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path, seconds: float = 120) -> str:
    """Run a program without anything of ours around it; what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERNEL_", "PYTHON", "PYTEST_"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """A server, and the kernel.toml that names it."""
    server = RabbitMQ()
    server.start()
    try:
        yield f'[kernel]\nbroker_url = "{server.url}"\nresult_backend = "rpc://"\n'
    finally:
        server.stop()


@contextmanager
def sqs(folder: Path) -> Iterator[str]:
    """A server, and the kernel.toml that names it; SQS keeps no results, so they go into a file."""
    server = MotoServer()
    server.start()
    try:
        host, port = server.address
        url = f"sqs://key:secret@{host}:{port}?region=us-east-1"
        yield f'[kernel]\nbroker_url = "{url}"\nresult_backend = "sqlite:///{folder}/results.sqlite3"\n'
    finally:
        server.stop()


BROKERS = {"amqp": rabbitmq, "sqs": sqs}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels, as `make wheels` builds them."""
    folder = tmp_path_factory.mktemp("dist")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps"]
    packages = [ROOT / "core", *(ROOT / f"plugins/broker_{name}" for name in BROKERS)]
    run(*pip, "--no-build-isolation", "--wheel-dir", folder, *packages, cwd=folder)
    return folder


@pytest.mark.parametrize("broker", BROKERS)
def test_the_example_runs_on_a_broker_plugin(dist: Path, tmp_path: Path, broker: str) -> None:
    """An executor is killed on the way, and the program proves that every file was counted exactly once."""
    environment, texts = tmp_path / "venv", tmp_path / "texts"
    venv.create(environment, with_pip=True)
    python = environment / "bin/python"
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--find-links", dist]
    run(*install, "kernel", f"plugin-broker-{broker}", cwd=tmp_path)
    texts.mkdir()
    for number in range(12):
        (texts / f"{number}.txt").write_text(f"file {number}\n" * (number + 1))

    with BROKERS[broker](tmp_path) as config:
        (tmp_path / "kernel.toml").write_text(config)
        words = ["--config", "kernel.toml", "--plugins", f"broker.{broker}", texts]
        printed = run(python, EXAMPLE / "run.py", *words, cwd=tmp_path, seconds=RUN_S)

    assert "killed executor" in printed
    assert "Proven: every file was counted exactly once" in printed
