"""The SQLite pair with several processes, some of which are killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from storage_helpers import ack, collect, declare, message, numbers, publish, soon, until

from kernel.builtins.sqlite.backend import SqliteBackend
from kernel.builtins.sqlite.broker import SqliteBroker
from kernel.contracts import Broker, PluginContext, Record, StoreMode
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec

HERE = Path(__file__).parent


class Program:
    """A started ``storage_worker.py``."""

    def __init__(self, *words: object) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-W",
                "ignore::DeprecationWarning",
                str(HERE / "storage_worker.py"),
                *map(str, words),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> list[str]:
        """The words of its next line."""
        return self.process.stdout.readline().split()

    def rest(self) -> list[list[str]]:
        """Everything it still says until it ends."""
        return [line.split() for line in self.process.stdout.read().splitlines()]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def finish(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/queue.db"


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def begin(*words: object) -> Program:
        programs.append(Program(*words))
        return programs[-1]

    yield begin
    for program in programs:
        program.finish()


@pytest.fixture
def broker(url: str) -> Iterator[Broker]:
    with SqliteBroker(url, {}, PluginContext()) as broker:
        declare(broker, "q")
        yield broker


def owner_files(url: str) -> list[str]:
    path = Path(url.removeprefix("sqlite:///"))
    return [one.name for one in path.parent.iterdir() if "-owner-" in one.name]


def test_four_processes_share_two_thousand_messages(url, broker, start):
    consumers = [start("consume", url, 16) for _ in range(4)]
    assert [program.line() for program in consumers] == [["ready"]] * 4
    for first in range(0, 2000, 100):
        publish(broker, *[message(number=n) for n in range(first, first + 100)])
    shares = [[int(n) for line in program.rest() for n in line[1:]] for program in consumers]
    assert sorted(n for share in shares for n in share) == list(range(2000))
    assert [program.process.wait(10) for program in consumers] == [0] * 4
    depth = broker.depth(["q"], soon())["q"]
    assert (depth.ready, depth.in_flight) == (0, 0)
    assert owner_files(url) == []


def test_a_killed_consumer_gives_back_promptly_what_it_held(url, broker, start):
    publish(broker, *[message(number=n) for n in range(10)])
    program = start("hold", url, 10)
    held = [int(n) for n in program.line()[1:]]
    assert held == [5, 6, 7, 8, 9]
    consumer = broker.consumer(["q"], 0)
    assert consumer.receive(10, 1) == []
    publish(broker, message("mine"))
    program.kill()
    began = time.monotonic()
    found = collect(consumer, 5)
    assert time.monotonic() - began < 5  # the lease is 30 s
    assert numbers(found) == held
    assert {(one.attempt, one.redelivered) for one in found} == {(2, True)}
    ack(consumer, *found)
    [gone] = broker.publish([message("mine")], soon())
    assert gone.error.code is Code.NOT_FOUND
    assert consumer.receive(10, 0.2) == []
    assert len(owner_files(url)) == 1


def test_a_new_process_finds_what_a_dead_one_held(url, broker, start):
    publish(broker, message(number=0), message(number=1))
    program = start("hold", url, 2)
    assert program.line() == ["holding", "1"]
    program.kill()
    [found] = collect(broker.consumer(["q"], 0), 1, 5)
    assert (numbers([found]), found.attempt) == ([1], 2)


def test_the_private_queue_of_a_killed_process_can_be_made_anew_at_once(url, broker, start):
    publish(broker, message(number=0), message(number=1))
    program = start("hold", url, 2)
    assert program.line() == ["holding", "1"]
    mine = QueueSpec("mine", temporary=True)
    with pytest.raises(DriverError, match="private to another connection"):
        broker.declare([mine], soon())
    program.kill()
    broker.declare([mine], soon())
    [there] = broker.publish([message("mine")], soon())
    assert there.ok


def test_a_stopped_process_is_not_dead(url, broker, start):
    publish(broker, message(number=0))
    program = start("hold", url, 1)
    assert program.line() == ["holding", "0"]
    program.process.send_signal(signal.SIGSTOP)
    assert broker.consumer(["q"], 0).receive(10, 1.2) == []


def test_a_child_of_a_dead_process_does_not_keep_its_deliveries(url, broker, start):
    publish(broker, message(number=0))
    program = start("orphan", url)
    word, child = program.line()
    assert word == "child"
    program.kill()
    try:
        [found] = collect(broker.consumer(["q"], 0), 1, 5)
        os.kill(int(child), 0)  # it is still there
    finally:
        os.kill(int(child), signal.SIGKILL)
    assert found.attempt == 2


def test_a_publisher_killed_in_the_middle_of_a_batch(url, broker, start):
    program = start("publish", url, 0, 40)
    lines: list[list[str]] = []
    reader = threading.Thread(target=lambda: lines.extend(program.rest()))
    reader.start()
    until(lambda: broker.depth(["q"], soon())["q"].ready > 400)
    program.kill()
    reader.join()
    tried = {int(n) for words in lines if words[:1] == ["trying"] for n in words[1:]}
    confirmed = {int(n) for words in lines if words[:1] == ["ok"] for n in words[1:]}
    count = broker.depth(["q"], soon())["q"].ready
    found = collect(broker.consumer(["q"], 0), count)
    assert confirmed <= set(numbers(found)) <= tried
    assert len(set(numbers(found))) == len(found)
    assert all(one.message == message(number=one.message.headers["n"]) for one in found)
    assert broker.consumer(["q"], 0).receive(1, 0) == []


def test_both_sides_of_a_fork_work(url, broker, start):
    publish(broker, message(number=0))
    said = start("fork", url).rest()
    assert said == [["child", "0"], ["held", "True"], ["stored", "True", "True"], ["depth", "1", "0"]]


def test_a_child_goes_on_after_its_parent_has_closed_the_file(url, start):
    with SqliteBroker(url, {}, PluginContext()) as broker:
        declare(broker, "q")
    assert start("outlive", url).rest() == [["done"]]
    with SqliteBroker(url, {}, PluginContext()) as broker:
        assert numbers(broker.consumer(["q"], 0).receive(9, 0)) == [0, 1, 2]


def test_forking_amid_busy_threads_harms_nobody(url, broker, start):
    assert start("fork_often", url, 20).rest() == [["children", "0", "errors"]]
    assert broker._database.query(soon(), "PRAGMA integrity_check") == [("ok",)]


def test_another_process_may_settle(url, broker, start):
    publish(broker, message())
    [held] = broker.consumer(["q"], 0).receive(1, 0)
    code = f"""
import sys; sys.path.insert(0, {str(HERE)!r})
from storage_worker import *
from dataclasses import replace
from kernel.contracts import Delivery
broker = opened({url!r})
delivery = Delivery(message(), {held.receipt!r})
print(broker.consumer(["q"], 0).settle([Settle(delivery, SettleKind.ACK)], soon())[0].ok)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    assert broker.depth(["q"], soon())["q"].in_flight == 0


def test_counters_and_joins_are_exact_over_processes(url, start):
    with SqliteBackend(url, {}, PluginContext()) as backend:
        programs = [start("add", url, 50) for _ in range(4)]
        said = [line for program in programs for line in program.rest()]
        assert said == [["won"]]
        assert backend.add("c", 0, None, soon()) == 200


def test_a_message_of_another_process_is_seen_within_milliseconds(url, broker):
    """In two threads with a connection each, which is the same to SQLite as two processes."""
    consumer = broker.consumer(["q"], 0)
    delays: list[float] = []
    with SqliteBroker(url, {}, PluginContext()) as other:

        def send():
            for number in range(30):
                time.sleep(0.02)
                publish(other, message(number=number, correlation_id=repr(time.monotonic())))

        thread = threading.Thread(target=send)
        thread.start()
        for _ in range(30):
            [found] = consumer.receive(1, 10)
            delays.append(time.monotonic() - float(found.message.correlation_id))
            ack(consumer, found)
        thread.join()
    assert sorted(delays)[15] < 0.05


def test_a_result_of_another_connection_is_seen_within_milliseconds(url):
    delays: list[float] = []
    with SqliteBackend(url, {}, PluginContext()) as one, SqliteBackend(url, {}, PluginContext()) as other:

        def send():
            for number in range(30):
                time.sleep(0.02)
                now = repr(time.monotonic()).encode()
                other.store([Record(str(number), "SUCCESS", now)], StoreMode.UPSERT, soon())

        thread = threading.Thread(target=send)
        thread.start()
        for number in range(30):
            [found] = one.wait([str(number)], 1, soon())
            delays.append(time.monotonic() - float(found.result))
        thread.join()
    assert sorted(delays)[15] < 0.05
