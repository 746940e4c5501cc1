"""A toy server and the simple broker over it: what a client library is like, with switches to break it."""

import itertools
import time
from collections import deque
from dataclasses import dataclass, field

from kernel.contracts import BrokerCaps, Delivery, Depth, Limits, SettleKind
from kernel.contracts.manifest import Option
from kernel.contracts.simple import SimpleBroker, pack, unpack
from kernel.errors import Code


class ToyError(Exception):
    pass


class Gone(ToyError):
    pass


class NoQueue(ToyError):
    pass


@dataclass
class Toy:
    """The server."""

    ready: dict = field(default_factory=dict)
    held: dict = field(default_factory=dict)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))
    connections: list = field(default_factory=list)
    up: bool = True
    fail_next: list = field(default_factory=list)
    calls: list = field(default_factory=list)


class Conn:
    def __init__(self, toy):
        if not toy.up:
            raise ConnectionRefusedError("nobody listens; the password was pa%2Fss, or pa/ss")
        self.toy, self.open, self.told = toy, True, False
        toy.connections.append(self)

    def use(self, verb):
        self.toy.calls.append(verb)
        assert self.open, "a closed connection is used"
        if self.toy.fail_next:
            raise self.toy.fail_next.pop(0)
        if not self.toy.up:
            raise BrokenPipeError("gone away")

    def close(self):
        self.open, self.told = False, True
        raise ToyError("closing fails, too")


class ToyBroker(SimpleBroker):
    SCHEMES = ("toy",)
    ERRORS = {ToyError: Code.INVALID, Gone: Code.NOT_FOUND, NoQueue: Code.NOT_FOUND}
    OPTIONS = {"speed": Option(int, 3, "how fast")}
    CAPS = BrokerCaps(lease=True, attempts=True, depth=True, limits=Limits(max_body=100))
    toy: Toy

    def connect(self, deadline):
        return Conn(self.toy)

    def disconnect(self, conn):
        conn.close()

    def abandon(self, conn):
        conn.open = False

    def do_ping(self, conn, deadline):
        conn.use("ping")

    def do_declare(self, conn, spec, deadline):
        conn.use("declare")
        self.toy.ready.setdefault(spec.name, deque())

    def do_delete(self, conn, queue, deadline):
        conn.use("delete")
        if self.toy.ready.pop(queue, None) is None:
            raise NoQueue(queue)

    def do_publish(self, conn, items, deadline):
        conn.use(f"publish {len(items)}")
        for item in items:
            if item.queue not in self.toy.ready:
                raise NoQueue(item.queue)
            self.toy.ready[item.queue].append((pack(item), 0))

    def do_receive(self, conn, queue, max_n, wait_s):
        conn.use(f"receive {queue} {max_n}")
        if queue not in self.toy.ready:
            raise NoQueue(queue)
        for _ in range(max_n):
            if not self.toy.ready[queue]:
                return
            data, attempt = self.toy.ready[queue].popleft()
            number = next(self.toy.numbers)
            self.toy.held[number] = (queue, data, attempt + 1)
            yield Delivery(unpack(data), number, attempt + 1, lease_until=time.time() + 30)

    def do_settle(self, conn, action, deadline):
        conn.use(f"settle {action.kind}")
        if action.delivery.receipt not in self.toy.held:
            raise Gone("no such delivery")
        if action.kind is SettleKind.EXTEND:
            return time.time() + action.seconds
        queue, data, attempt = self.toy.held.pop(action.delivery.receipt)
        if action.kind is SettleKind.RELEASE:
            self.toy.ready[queue].append((data, attempt))
        return None

    def do_depth(self, conn, queue, deadline):
        conn.use("depth")
        return Depth(len(self.toy.ready[queue]))


class BatchToyBroker(ToyBroker):
    """Takes three at once, and says what became of each."""

    CAPS = BrokerCaps(lease=True, limits=Limits(max_batch=3))

    def do_publish(self, conn, items, deadline):
        conn.use(f"publish {len(items)}")
        return [ToyError("bad") if item.body == b"bad" else None for item in items]


class BoundToyBroker(ToyBroker):
    """Its deliveries belong to their connection."""

    CAPS = BrokerCaps(attempts=True)
