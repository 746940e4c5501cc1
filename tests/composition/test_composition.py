"""Every broker with every result backend, and formats, pools and ways to acknowledge spread over them.

Every two values meet in at least one combination. Each runs calls, a retry, a failure, a group, and a
chord where its result backend joins, from wheels in an empty environment, on real servers that all share.
"""

import json
import os
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from kernel.runtime.plugins import discover

from .conftest import EMBEDDED, EXAMPLES, Place
from .pairwise import Row, covering, met, pairs_of

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parent / "programs"
AT_ONCE = 4
"""Combinations that run at the same time: most of their time they wait."""
SECONDS = 150
"""A combination that takes longer hangs; they take a few seconds."""

NAMES = [entry.name for entry in discover()]


def named(kind: str) -> list[str]:
    return [name.partition(".")[2] for name in NAMES if name.startswith(f"{kind}.")]


FACTORS = {
    "broker": [name for name in named("broker") if name not in EXAMPLES],
    "backend": [*(name for name in named("backend") if name not in EXAMPLES), "rpc"],
    "serializer": named("serializer"),
    "compression": ["none", *named("compression")],
    "pool": named("pool"),
    "acks": ["early", "late"],
}
WITHOUT_REPLIES = {"sqs"}
"""Brokers without queues of clients: results by message are refused with E107."""


def allowed(row: Row) -> bool:
    if row.get("backend") == "rpc" and row.get("broker") in WITHOUT_REPLIES:
        return False
    return row.get("pool") != "prefork" or "memory" not in {row.get("broker"), row.get("backend")}


COMBINATIONS = covering(FACTORS, allowed)


def title(row: Row) -> str:
    return "-".join(row.values())


@dataclass(frozen=True)
class Ground:
    """Where combinations run."""

    python: Path
    places: dict[str, Place]
    certificate: dict[str, str]
    folder: Path

    def run(self, number: int) -> str:
        """What the program of a combination printed."""
        row = COMBINATIONS[number]
        folder = self.folder / f"{number:02d}-{title(row)}"
        folder.mkdir()
        joins = row["backend"] in EMBEDDED or "join" in self.place("backend", row).can
        command = [str(self.python), str(PROGRAMS / "compose.py"), row["pool"], "chord" if joins else "no chord"]
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("KERNEL_", "PYTHON", "PYTEST"))
        }
        settings = json.dumps(self.settings(row, number, folder))
        with (folder / "log").open("wb") as log:
            done = subprocess.run(
                command,
                cwd=folder,
                env={
                    **kept,
                    "COMPOSE_SETTINGS": settings,
                    "C_FORCE_ROOT": "1",
                    "PYTHONWARNINGS": "error::ResourceWarning",
                },
                stdout=log,
                stderr=log,
                check=False,
                timeout=SECONDS,
            )
        printed = (folder / "log").read_text(errors="replace")
        assert done.returncode == 0, f"{title(row)} ended with {done.returncode}\n{printed[-6000:]}"
        return printed

    def place(self, kind: str, row: Row) -> Place:
        """Of a row's broker or result backend with a server."""
        return self.places.get(f"{kind}.{row[kind]}", Place("rpc://"))

    def settings(self, row: Row, number: int, folder: Path) -> dict[str, object]:
        """What the application of a row is told; its plugins are implied by what is named."""
        namespace = f"compose{number}"
        urls = {kind: self.url(kind, row, namespace, folder) for kind in ("broker", "backend")}
        compression = None if row["compression"] == "none" else row["compression"]
        signed = row["serializer"] == "signed"
        return {
            "namespace": namespace,
            "broker_url": urls["broker"],
            "result_backend": urls["backend"],
            "broker_transport_options": dict(self.place("broker", row).options),
            "result_backend_transport_options": dict(self.place("backend", row).options),
            "task_serializer": row["serializer"],
            "result_serializer": row["serializer"],
            "accept_content": [row["serializer"]],
            "task_compression": compression,
            "result_compression": compression,
            "task_acks_late": row["acks"] == "late",
            "plugin_options": {"serializer.signed": {"keys": {"k": "a secret of all combinations: 0123456789"}}}
            if signed
            else {},
            **(self.certificate if row["serializer"] == "auth" else {}),
        }

    def url(self, kind: str, row: Row, namespace: str, folder: Path) -> str:
        """The URL of a row's broker or result backend."""
        if row[kind] == "memory":
            return f"memory://{namespace}"
        if row[kind] == "sqlite":
            return f"sqlite:///{folder}/{kind}.db"
        return self.place(kind, row).url


@pytest.fixture(scope="session")
def running(
    request: pytest.FixtureRequest,
    python: Path,
    places: dict[str, Place],
    certificate: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[int, Future[str]]:
    """The combinations that were asked for, a few at a time."""
    ground = Ground(python, places, certificate, tmp_path_factory.mktemp("combinations"))
    items = (item for item in request.session.items if item.path == Path(__file__))
    params = (getattr(item, "callspec", None) for item in items)
    asked = sorted(each.params["number"] for each in params if each is not None)
    threads = ThreadPoolExecutor(AT_ONCE)
    return {number: threads.submit(ground.run, number) for number in asked}


@pytest.mark.parametrize("number", range(len(COMBINATIONS)), ids=[title(row) for row in COMBINATIONS])
def test_combination(running: dict[int, Future[str]], number: int) -> None:
    assert running[number].result().endswith("composed\n")


def test_every_two_values_meet() -> None:
    """Beside what cannot work: memory is not shared by processes, and SQS has no queues of clients."""
    left_out = set(pairs_of(FACTORS)) - met(COMBINATIONS)
    expected = {
        *(frozenset({(kind, "memory"), ("pool", "prefork")}) for kind in ("broker", "backend")),
        *(frozenset({("broker", name), ("backend", "rpc")}) for name in WITHOUT_REPLIES & set(FACTORS["broker"])),
    }
    assert left_out == expected
