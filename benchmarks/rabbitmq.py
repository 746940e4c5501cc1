"""RabbitMQ: kernel beside Celery and Dramatiq on one server, each at its best configuration for two cores.

A new virtual host for every figure: no figure meets what another one left. Results travel by message (``rpc://``);
Dramatiq has none by message and keeps them in Redis, its fastest place for them.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.process import ENVIRON, ROOT, drain_rate, latencies, pss_mb, run_python, standing, workers
from kernel_conformance.provision import program
from kernel_conformance.server import Server
from kernel_conformance.servers.rabbitmq import RabbitMQ

BATCH = 10_000
_numbers = count()


@dataclass(frozen=True)
class Peer:
    """One column.

    Attributes:
        name: of the column.
        side: the module ``benchmarks.<side>_side``.
        commands: its worker programs.
        call: how a task is called; ``{task}`` is its name.
        get: how a call waits for its result.
        batch: how a batch of calls is sent.
        done: what a client does when it has sent everything; pika keeps what the socket did not take at once.
        late: whether it has a task with late acknowledgement.
        environ: variables of its processes.
    """

    name: str
    side: str
    commands: tuple[tuple[str, ...], ...]
    call: str = "side.{task}.delay()"
    get: str = "side.answer.delay().get(timeout=10)"
    batch: str = "group([side.noop.s() for _ in range({count})]).apply_async()"
    done: str = ""
    late: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


CELERY = (
    "-m",
    "celery",
    "-A",
    "benchmarks.celery_side",
    "worker",
    "-l",
    "ERROR",
    "--without-gossip",
    "--without-mingle",
)
PEERS = (
    Peer(
        "kernel", "kernel",
        (("-m", "kernel", "-A", "benchmarks.kernel_side", "worker", "-c", "2", "-l", "WARNING"),),
        late=True,
    ),
    Peer(
        "Dramatiq 2 x 8", "dramatiq",
        (("-m", "dramatiq", "benchmarks.dramatiq_side", "-p", "2", "-t", "8"),),
        call="side.{task}.send()",
        get="side.answer.send().get_result(block=True, timeout=10_000)",
        batch="group([side.noop.message() for _ in range({count})]).run()",
        done="side.broker.close()",
    ),
    Peer("Celery 2 x solo", "celery", ((*CELERY, "-P", "solo", "-n", "one"), (*CELERY, "-P", "solo", "-n", "two"))),
    Peer("Celery prefork 2", "celery", ((*CELERY, "-c", "2"),), environ={"BENCH_PREFETCH": "64"}),
)  # fmt: skip


@contextmanager
def servers() -> Iterator[tuple[RabbitMQ, str]]:
    """RabbitMQ, and the URL of a Redis for the peer that needs one."""
    redis = Server(f"{program('redis-server', 'redis-server')} --bind {{host}} --port {{port}} --dir {{dir}} --save ''")
    rabbit = RabbitMQ()
    try:
        rabbit.start()
        redis.start()
        host, port = redis.address
        yield rabbit, f"redis://{host}:{port}/0"
    finally:
        redis.stop()
        rabbit.stop()


def measure(peer: Peer, rabbit: RabbitMQ, redis: str, tasks: int, calls: int) -> dict[str, float]:
    """Every figure of one peer."""
    site = _Site(peer, rabbit, redis)
    figures: dict[str, float] = {}
    with site.fresh({"BENCH_UNCONFIRMED": "1"}) as environ:
        figures["enqueue/s"] = _enqueue(peer, "noop", tasks, environ)
        environ.pop("BENCH_UNCONFIRMED")
        figures["drain/s"] = _drain(peer, tasks, environ)
    with site.fresh({"BENCH_CONFIRM": "1"}) as environ:
        figures["enqueue, confirmed/s"] = _enqueue(peer, "noop", tasks // 10, environ)
    with site.fresh() as environ:
        figures["enqueue in a group/s"] = _batch(peer, environ)
    with site.fresh() as environ, standing(_calls(peer, "answer", tasks), environ):
        figures["drain with results/s"] = _drain(peer, tasks, environ)
    if peer.late:
        with site.fresh() as environ:
            _enqueue(peer, "late_noop", tasks, environ)
            figures["drain, late ack/s"] = _drain(peer, tasks, environ)
    with site.fresh() as environ:
        figures |= _latency(peer, calls, environ)
    return figures


@dataclass(frozen=True)
class _Site:
    peer: Peer
    rabbit: RabbitMQ
    redis: str

    @contextmanager
    def fresh(self, more: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
        """A virtual host and a counter nobody used."""
        name = f"bench-{next(_numbers)}"
        self.rabbit.control("add_vhost", name)
        self.rabbit.control("set_permissions", "-p", name, self.rabbit.user, ".*", ".*", ".*")
        with tempfile.TemporaryDirectory(prefix="kernel-bench-") as path:
            yield {
                **ENVIRON,
                "PYTHONPATH": str(ROOT),
                "BENCH_BROKER": self.rabbit.url.removesuffix("/") + name,
                "BENCH_BACKEND": "rpc://",
                "BENCH_REDIS": self.redis,
                "BENCH_COUNTER": f"{path}/counter",
                **self.peer.environ,
                **(more or {}),
            }
        self.rabbit.control("delete_vhost", name)


def _enqueue(peer: Peer, task: str, tasks: int, environ: dict[str, str]) -> float:
    """Calls per second, one by one, persistent, after a warm-up of one call."""
    return float(run_python(_calls(peer, task, tasks), environ))


def _calls(peer: Peer, task: str, tasks: int) -> str:
    """A program that makes so many calls and prints how many it made in a second."""
    call = peer.call.format(task=task)
    return (
        f"import time, benchmarks.{peer.side}_side as side\n{call}\nbegan = time.perf_counter()\n"
        f"for _ in range({tasks - 1}):\n    {call}\n{peer.done}\nprint(({tasks} - 1) / (time.perf_counter() - began))"
    )


def _batch(peer: Peer, environ: dict[str, str]) -> float:
    """Calls per second in one group, made and sent."""
    code = (
        f"import time, benchmarks.{peer.side}_side as side\nfrom {peer.side} import group\n"
        f"{peer.batch.format(count=1)}\nbegan = time.perf_counter()\n"
        f"{peer.batch.format(count=BATCH)}\n{peer.done}\nprint({BATCH} / (time.perf_counter() - began))"
    )
    return float(run_python(code, environ))


def _drain(peer: Peer, tasks: int, environ: dict[str, str]) -> float:
    counter = Path(environ["BENCH_COUNTER"])
    with workers(peer.commands, environ, counter.with_suffix(".log")):
        return drain_rate(counter, tasks)


def _latency(peer: Peer, calls: int, environ: dict[str, str]) -> dict[str, float]:
    code = (
        f"import json, time, benchmarks.{peer.side}_side as side\n{peer.get}\ntimes = []\n"
        f"for _ in range({calls}):\n"
        f"    began = time.perf_counter()\n    {peer.get}\n    times.append((time.perf_counter() - began) * 1000)\n"
        "print(json.dumps(times))"
    )
    with workers(peer.commands, environ, Path(environ["BENCH_COUNTER"]).with_suffix(".log")) as pids:
        times = json.loads(run_python(code, environ))
        return {**latencies(times), "worker memory MB (PSS)": pss_mb(pids)}
