"""A program that tests start as a process of its own: ``storage_worker.py <verb> <url> ...``; it prints lines."""

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from storage_helpers import message, numbers, soon

from kernel.builtins.sqlite.backend import SqliteBackend
from kernel.builtins.sqlite.broker import SqliteBroker
from kernel.contracts import PluginContext, Record, Settle, SettleKind, StoreMode
from kernel.model.topology import QueueSpec


def say(*words):
    print(*words, flush=True)


def opened(url):
    broker = SqliteBroker(url, {}, PluginContext())
    broker.open(soon())
    return broker


def consume(url, most):
    """Take and acknowledge until the queue is empty for a while; print what was acknowledged."""
    broker = opened(url)
    consumer = broker.consumer(["q"], int(most))
    say("ready")
    while found := consumer.receive(int(most), 1.5):
        results = consumer.settle([Settle(one, SettleKind.ACK) for one in found], soon(60))
        say("acked", *[n for n, result in zip(numbers(found), results, strict=True) if result.ok])
    broker.close(soon())


def hold(url, count):
    """Acknowledge half of ``count`` messages, keep the others, and stay."""
    broker = opened(url)
    broker.declare([QueueSpec("mine", temporary=True)], soon())
    found = broker.consumer(["q"], 0).receive(int(count), 10)
    half = len(found) // 2
    broker._consumers[0].settle([Settle(one, SettleKind.ACK) for one in found[:half]], soon())
    say("holding", *numbers(found[half:]))
    sys.stdin.read()


def publish(url, start, batch):
    """Publish in batches for ever; print the numbers of each batch once it is confirmed."""
    broker = opened(url)
    number = int(start)
    while True:
        items = [message(number=n) for n in range(number, number + int(batch))]
        say("trying", *[item.headers["n"] for item in items])
        results = broker.publish(items, soon(60))
        say("ok", *[item.headers["n"] for item, result in zip(items, results, strict=True) if result.ok])
        number += int(batch)


def fork(url):
    """Open, consume and publish, then fork: both go on; the child's exit status tells."""
    broker = opened(url)
    backend = SqliteBackend(url, {}, PluginContext())
    backend.open(soon())
    consumer = broker.consumer(["q"], 0)
    [held] = consumer.receive(1, 1)
    pid = os.fork()
    who = "parent" if pid else "child"
    if not pid:
        broker.after_fork()
        backend.after_fork()
    backend.store([Record(who, "SUCCESS", who.encode())], StoreMode.UPSERT, soon())
    broker.publish([message(number=2 if pid else 1)], soon())
    if not pid:
        [found] = broker.consumer(["q"], 0).receive(1, 5)
        [settled] = broker._consumers[0].settle([Settle(found, SettleKind.ACK)], soon())
        broker.close(soon())
        backend.close(soon())
        os._exit(0 if settled.ok else 1)
    say("child", os.waitpid(pid, 0)[1])
    say("held", consumer.settle([Settle(held, SettleKind.ACK)], soon())[0].ok)
    say("stored", *[one is not None for one in backend.fetch(["parent", "child"], soon())])
    depth = broker.depth(["q"], soon())["q"]
    say("depth", depth.ready, depth.in_flight)
    broker.close(soon())
    backend.close(soon())


def fork_often(url, count):
    """Fork again and again, from two threads, while other threads publish, receive and open connections."""
    broker = opened(url)
    stop = threading.Event()
    with ThreadPoolExecutor(5) as threads:
        busy = [
            threads.submit(repeat, work, stop) for work in (lambda: exchange(broker), lambda: opened(url).close(soon()))
        ]
        forks = [threads.submit(fork_and_publish, broker, int(count)) for _ in range(2)]
        statuses = {status for fork in forks for status in fork.result()}
        stop.set()
        say("children", *statuses, "errors", *[one.exception() for one in busy if one.exception()])
    broker.close(soon())


def repeat(work, stop):
    while not stop.is_set():
        work()


def exchange(broker):
    consumer = broker.consumer(["q"], 0)
    broker.publish([message()] * 3, soon(60))
    consumer.settle([Settle(one, SettleKind.ACK) for one in consumer.receive(5, 0)], soon(60))
    consumer.close(release=True, deadline=soon(60))


def fork_and_publish(broker, count):
    """The exit statuses of children that each publish once."""
    return [os.waitpid(publishing_child(broker), 0)[1] for _ in range(count)]


def publishing_child(broker):
    pid = os.fork()
    if not pid:
        signal.alarm(20)  # a deadlock ends with a status of its own
        broker.after_fork()
        os._exit(0 if broker.publish([message()], soon(60))[0].ok else 1)
    return pid


def outlive(url):
    """Publish, fork, and end; the child publishes before and after that."""
    broker = opened(url)
    broker.publish([message(number=0)], soon())
    ready, told = os.pipe()
    ended, held = os.pipe()
    if os.fork():
        os.read(ready, 1)
        broker.close(soon())
        return
    os.close(held)
    broker.after_fork()
    broker.publish([message(number=1)], soon())
    os.write(told, b"x")
    os.read(ended, 1)  # nothing but the end of the parent, once it has closed the file
    broker.publish([message(number=2)], soon())
    say("done")
    os._exit(0)  # closing could hide that it wrote to a file that is not there any more


def orphan(url):
    """Hold a message, leave a forked child behind that never touches the broker, and die at the parent's wish."""
    broker = opened(url)
    broker.consumer(["q"], 0).receive(1, 1)
    pid = os.fork()
    if not pid:
        sys.stdin.read()
        os._exit(0)
    say("child", pid)
    sys.stdin.read()


def add(url, count):
    """Add to a counter and report to a join."""
    backend = SqliteBackend(url, {}, PluginContext())
    backend.open(soon())
    for number in range(int(count)):
        backend.add("c", 1, None, soon(60))
        member = f"{os.getpid()}-{number}"
        if backend.join("j", member, b"", 4 * int(count), None, soon(60)).won:
            say("won")
    backend.close(soon())


if __name__ == "__main__":
    verbs = {f.__name__: f for f in (consume, hold, publish, fork, fork_often, outlive, orphan, add)}
    verbs[sys.argv[1]](*sys.argv[2:])
