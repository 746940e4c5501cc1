"""The SQLite broker beside Huey's SqliteStorage, storage against storage, in one run.

``python benchmarks/bench_sqlite_broker.py`` (needs huey). Both get the same body and run in one process. Huey is
measured as it comes (every commit flushed to disk) and with ``fsync=False`` (SQLite's synchronous=OFF); the kernel with
its default (NORMAL: no flush per commit, the file stays whole through a loss of power) and with FULL. A kernel message
carries its headers beside the body; Huey's is one blob of the size of both. Rounds alternate, and the best of each
counts, because other programs share the machine.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from huey.storage import SqliteStorage

from kernel.builtins.sqlite.backend import SqliteBackend
from kernel.builtins.sqlite.broker import SqliteBroker
from kernel.contracts import Deadline, Outgoing, PluginContext, Record, Settle, SettleKind, StoreMode
from kernel.model.topology import QueueSpec

HEADERS: dict[str, object] = {
    "lang": "py", "task": "benchmarks.side.noop", "id": "0f8a9ab0-6d5f-4b0e-9c5e-1d5a54a1a3c5", "shadow": None,
    "eta": None, "expires": None, "group": None, "group_index": None, "retries": 0, "timelimit": [None, None],
    "root_id": "0f8a9ab0-6d5f-4b0e-9c5e-1d5a54a1a3c5", "parent_id": None, "argsrepr": "()", "kwargsrepr": "{}",
    "origin": "gen4711@host", "ignore_result": False, "replaced_task_nesting": 0, "stamped_headers": None, "stamps": {},
}  # fmt: skip
BODY = b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'
BLOB = bytes(600)


def outgoing(number: int) -> Outgoing:
    return Outgoing("bench", BODY, HEADERS, f"0f8a9ab0-6d5f-4b0e-9c5e-{number:012}", correlation_id="c", reply_to="r")


class KernelSide:
    """Our broker on a new file."""

    def __init__(self, folder: str, synchronous: str) -> None:
        url = f"sqlite:///{folder}/kernel-{synchronous}-{time.monotonic_ns()}.db"
        self.broker = SqliteBroker(url, {"synchronous": synchronous}, PluginContext())
        self.backend = SqliteBackend(url, {"synchronous": synchronous}, PluginContext())
        self.deadline = Deadline.after(600)
        self.broker.open(self.deadline)
        self.backend.open(self.deadline)
        self.broker.declare([QueueSpec("bench")], self.deadline)

    def one_by_one(self, count: int) -> None:
        for number in range(count):
            assert self.broker.publish([outgoing(number)], self.deadline)[0].ok

    def in_batches(self, count: int) -> None:
        for start in range(0, count, 100):
            assert all(
                r.ok for r in self.broker.publish([outgoing(n) for n in range(start, start + 100)], self.deadline)
            )

    def drain(self, count: int, batch: int = 128) -> None:
        consumer = self.broker.consumer(["bench"], 0)
        while count:
            found = consumer.receive(batch, 0)
            assert all(r.ok for r in consumer.settle([Settle(d, SettleKind.ACK) for d in found], self.deadline))
            count -= len(found)
        consumer.close(release=True, deadline=self.deadline)

    def drain_singly(self, count: int) -> None:
        self.drain(count, 1)

    def results(self, count: int) -> None:
        for start in range(0, count, 128):
            records = [
                Record(f"{start + n:032x}", "SUCCESS", b"1", date_done="2026-11-21T10:00:00+00:00", ttl_s=86_400.0)
                for n in range(128)
            ]
            assert self.backend.store(records, StoreMode.IF_NOT_SUCCESS, self.deadline)[0].stored

    def close(self) -> None:
        self.broker.close(self.deadline)
        self.backend.close(self.deadline)


class HueySide:
    """Huey's storage on a new file; it has no batches, so each verb goes one by one."""

    def __init__(self, folder: str, fsync: bool | None) -> None:
        self.storage = SqliteStorage("bench", f"{folder}/huey-{fsync}-{time.monotonic_ns()}.db", fsync=fsync)

    def one_by_one(self, count: int) -> None:
        for _ in range(count):
            self.storage.enqueue(BLOB)

    in_batches = one_by_one

    def drain(self, count: int) -> None:
        for _ in range(count):
            assert self.storage.dequeue() is not None

    drain_singly = drain

    def results(self, count: int) -> None:
        for number in range(count):
            self.storage.put_data(f"{number:032x}", b"1" * 60)

    def close(self) -> None:
        self.storage.close()


SIDES: dict[str, Callable[[str], KernelSide | HueySide]] = {
    "kernel, synchronous=normal": lambda folder: KernelSide(folder, "normal"),
    "kernel, synchronous=full": lambda folder: KernelSide(folder, "full"),
    "Huey": lambda folder: HueySide(folder, None),
    "Huey, fsync=False": lambda folder: HueySide(folder, fsync=False),
}
STEPS = (("publish 1", "one_by_one"), ("receive+ack 1", "drain_singly"), ("publish 100", "in_batches"),
         ("receive+ack 128", "drain"), ("results 128", "results"))  # fmt: skip


def measure(side: KernelSide | HueySide, count: int) -> dict[str, float]:
    figures = {}
    for name, method in STEPS:
        began = time.perf_counter()
        getattr(side, method)(count)
        figures[name] = (time.perf_counter() - began) / count * 1e6
    side.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    best: dict[str, dict[str, float]] = {}
    for _ in range(options.rounds):
        for name, make in SIDES.items():
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                figures = measure(make(str(Path(folder))), options.messages // 100 * 100)
            known = best.setdefault(name, figures)
            best[name] = {step: min(known[step], figures[step]) for step in figures}
    print("microseconds per message".ljust(30), *[step.rjust(16) for step, _ in STEPS])
    for name, figures in best.items():
        print(name.ljust(30), *[f"{figures[step]:16.1f}" for step, _ in STEPS])
    ours = best["kernel, synchronous=normal"]
    for name in ("Huey", "Huey, fsync=False"):
        print(f"times faster than {name}".ljust(30), *[f"{best[name][step] / ours[step]:16.1f}" for step, _ in STEPS])


if __name__ == "__main__":
    main()
