"""Flower, as it is released, beside our workers: what it shows and what it can do with them (wire.md 15, 17.12)."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kernel_conformance import provision
from kernel_conformance.server import free_port
from kernel_conformance.servers.redis import RedisServer

from .conftest import until
from .sides import QUEUES, Client, Site, Worker, bins, end

REQUIREMENTS = Path(__file__).parents[2] / "requirements/flower.txt"
NODE = "kernel-worker@interop"


class Flower:
    """The program, and its HTTP interface."""

    def __init__(self, site: Site, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"
        words = ["celery", "-A", "interop_tasks", "flower", "--address=127.0.0.1", f"--port={port}"]
        environment = {**site.environ("celery"), "FLOWER_UNAUTHENTICATED_API": "true"}
        with (site.folder / "flower.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(site.bins["celery"] / words[0]), *words[1:]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=site.folder, env=environment,
            )  # fmt: skip

    def get(self, path: str, **query: str) -> Any:
        """What it answers, None while it does not."""
        return self._ask(f"{self._base}{path}?{urllib.parse.urlencode(query)}", None)

    def post(self, path: str, **fields: str) -> Any:
        """Have it do something; its answer."""
        answer = self._ask(self._base + path, urllib.parse.urlencode(fields).encode())
        assert answer is not None, path
        return answer

    def _ask(self, url: str, data: bytes | None) -> Any:
        try:
            with urllib.request.urlopen(url, data=data, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            error.close()
            return None
        except OSError:
            return None


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    server = RedisServer(fsync="no")
    server.start()
    config = {
        "broker_url": server.url,
        "result_backend": server.url.removesuffix("/0") + "/1",
        "accept_content": ["json"],
    }
    yield Site(tmp_path, bins(provision.venv("flower", REQUIREMENTS)), config)
    server.stop()


def test_flower_shows_our_worker_and_its_tasks_and_rules_it(site: Site) -> None:
    with ExitStack() as stack:
        flower = Flower(site, free_port())
        stack.callback(end, flower.process)
        worker = Worker("kernel", site, options=("-c", "1", "-E"))
        stack.callback(worker.stop)
        client = Client("kernel", site)
        stack.callback(client.stop)

        until(lambda: NODE in (flower.get("/api/workers", status="true") or {}), 90, "the worker in the list")
        task_id = client.send("shared.add", 2, 3, queue=QUEUES["kernel"])
        shown = until(lambda: _ended(flower, task_id), 60, "the task in the list")
        assert isinstance(shown, dict)
        assert (shown["name"], shown["worker"], shown["result"]) == ("shared.add", NODE, "5")
        assert shown["received"] <= shown["started"] <= shown["succeeded"]
        assert shown["runtime"] >= 0

        facts = until(
            lambda: (flower.get("/api/workers", refresh="1", workername=NODE) or {}).get(NODE), 60, "inspection"
        )
        assert isinstance(facts, dict)
        assert "shared.add" in facts["registered"]
        assert [queue["name"] for queue in facts["active_queues"]] == ["of-kernel"]
        assert facts["stats"]["pool"]["max-concurrency"] == 1
        assert flower.get("/api/queues/length")["active_queues"] == [{"name": "of-kernel", "messages": 0}]
        assert flower.get(f"/api/task/result/{task_id}")["result"] == 5

        assert "1" in flower.post(f"/api/worker/pool/grow/{NODE}", n="1")["message"]
        until(
            lambda: "max-concurrency" in _pool(flower) and _pool(flower)["max-concurrency"] == 2,
            60,
            "a second executor",
        )
        flower.post("/api/task/rate-limit/shared.add", workername=NODE, ratelimit="100/s")
        flower.post("/api/task/revoke/" + task_id)
        flower.post(f"/api/worker/shutdown/{NODE}")
        assert worker.process.wait(60) == 0


def _ended(flower: Flower, task_id: str) -> dict[str, Any] | None:
    found = (flower.get("/api/tasks") or {}).get(task_id)
    return found if found is not None and found["state"] == "SUCCESS" else None


def _pool(flower: Flower) -> dict[str, Any]:
    facts = flower.get("/api/workers", refresh="1", workername=NODE) or {}
    pool: dict[str, Any] = facts.get(NODE, {}).get("stats", {}).get("pool", {})
    return pool
