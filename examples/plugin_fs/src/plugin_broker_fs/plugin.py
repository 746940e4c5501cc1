"""A broker in a folder of a local file system: ``fs:///var/spool/jobs``.

A folder for each queue, a file for each message, and two facts that the file system changes atomically: the name
``<order>.<attempt>.<h or r>`` (held or ready; who renames a file has it), and the modification time: when the message
is to be seen. A lease, a delay and a release are times to come.
"""

import contextlib
import itertools
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kernel.contracts import Broker, BrokerCaps, Deadline, Delivery, Depth, Limits, Manifest, Outgoing, PluginContext
from kernel.contracts.broker import Settle, SettleKind
from kernel.contracts.hookspecs import hookimpl
from kernel.contracts.simple import SimpleBroker, pack, unpack
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec


class FsBroker(SimpleBroker):
    SCHEMES = ("fs",)
    ERRORS = {FileNotFoundError: Code.NOT_FOUND, PermissionError: Code.AUTH}
    CAPS = BrokerCaps(
        confirm=True, persist=True, attempts=True, lease=True, nack_delay=True, order=True, delay=True,
        depth=True, purge=True, prefetch=True, binary_headers=True, cross_settle=True,
        limits=Limits(max_body=64 * 1024 * 1024, name_pattern="[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}"),
    )  # fmt: skip

    def __init__(self, url: str, options: Mapping[str, object], ctx: PluginContext) -> None:
        super().__init__(url, options, ctx)
        if self.url.netloc or self.url.path in {"", "/"}:
            raise DriverError(Code.INVALID, f"{self.name!r} names no folder", cure="Write fs:///absolute/folder.")

    def connect(self, deadline: Deadline) -> Path:
        Path(self.url.path).mkdir(parents=True, exist_ok=True)
        return Path(self.url.path)

    def do_declare(self, conn: Path, spec: QueueSpec, deadline: Deadline) -> None:
        if spec.expires_s is not None:
            raise DriverError(Code.UNSUPPORTED, f"Queue {spec.name!r} with expires_s: folders do not expire")
        wanted = f"lease_s={spec.lease_s}"  # kept in a symbolic link, which the first one makes, whole
        (conn / spec.name).mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.symlink(wanted, conn / spec.name / ".facts")
        if (found := os.readlink(conn / spec.name / ".facts")) != wanted:
            raise DriverError(Code.CONFLICT, f"Queue {spec.name!r} exists with {found}, not {wanted}")

    def do_delete(self, conn: Path, queue: str, deadline: Deadline) -> None:
        shutil.rmtree((conn / queue).rename(conn / f".{uuid.uuid4().hex}"))

    def do_publish(self, conn: Path, items: Sequence[Outgoing], deadline: Deadline) -> None:
        for item in items:
            draft, due = conn / item.queue / f".{uuid.uuid4().hex}", self.clock() + (item.delay_s or 0.0)
            with draft.open("xb") as file:
                file.write(pack(item))
                file.flush()
                os.fsync(file.fileno())
            os.utime(draft, (due, due))
            draft.rename(draft.with_name(f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}.0.r"))

    def do_receive(self, conn: Path, queue: str, max_n: int, wait_s: float) -> Iterator[Delivery]:
        lease = os.readlink(conn / queue / ".facts").partition("=")[2]
        until = self.clock() + (30.0 if lease == "None" else float(lease))
        for file in itertools.islice(self._ready(conn / queue), max_n):
            order, attempt, _ = file.name.split(".")
            with contextlib.suppress(FileNotFoundError):  # somebody else was quicker
                os.utime(file, (until, until))
                held = file.rename(file.with_name(f"{order}.{int(attempt) + 1}.h"))
                receipt, message = f"{queue}/{held.name}", unpack(held.read_bytes())
                yield Delivery(message, receipt, attempt=int(attempt) + 1, lease_until=until)

    def do_settle(self, conn: Path, action: Settle, deadline: Deadline) -> float | None:
        file, until = conn / str(action.delivery.receipt), self.clock() + action.seconds
        match action.kind:
            case SettleKind.ACK | SettleKind.REJECT:
                file.unlink()
            case SettleKind.RELEASE:
                os.utime(file.rename(file.with_suffix(".r")), (until, until))
            case SettleKind.EXTEND:
                os.utime(file, (until, until))
        return until

    def do_depth(self, conn: Path, queue: str, deadline: Deadline) -> Depth:
        hidden = [due > self.clock() and file.suffix for file, due in self._files(conn / queue)]
        return Depth(hidden.count(False), hidden.count(".h"), hidden.count(".r"), exact=False)

    def do_purge(self, conn: Path, queue: str, deadline: Deadline) -> int:
        ready = list(self._ready(conn / queue))
        for file in ready:
            file.unlink(missing_ok=True)
        return len(ready)

    def _files(self, folder: Path) -> Iterator[tuple[Path, float]]:
        for name in sorted(name for name in os.listdir(folder) if name[0] != "."):
            with contextlib.suppress(FileNotFoundError):
                yield folder / name, (folder / name).stat().st_mtime

    def _ready(self, folder: Path) -> Iterator[Path]:
        return (file for file, due in self._files(folder) if due <= self.clock())


class FsPlugin:
    @hookimpl
    def kernel_manifest(self) -> Manifest:
        return Manifest("broker.fs", contracts={"broker": "1.0"}, schemes=FsBroker.SCHEMES)

    @hookimpl
    def kernel_brokers(self) -> Mapping[str, type[Broker]]:
        return {"fs": FsBroker}


plugin = FsPlugin()
