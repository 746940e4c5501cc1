"""A node without an application: plain task objects, the memory broker, and a plugin set made by hand."""

import json
import logging
import threading
import time
from dataclasses import replace
from itertools import count

from kernel.builtins.memory import backend as memory_backend
from kernel.builtins.memory import broker as memory_broker
from kernel.builtins.pools.threads import ThreadsPool
from kernel.builtins.serializers.json import JsonSerializer
from kernel.contracts.broker import Consumer, Outgoing, SettleKind, SettleResult
from kernel.contracts.deadline import Deadline
from kernel.contracts.pool import PoolOptions
from kernel.engine.topology import quarantine_spec, queue_spec
from kernel.errors import Applied, Code, DriverError
from kernel.model.config import Config
from kernel.model.options import TaskOptions
from kernel.runtime.boot import Services
from kernel.runtime.executor import TaskExecutor
from kernel.runtime.node import Node, NodeOptions
from kernel.runtime.plugin_set import PluginSet, Provided
from kernel.runtime.shutdown import Level

QUEUE = "work"
QUARANTINE = "kernel.quarantine"
_numbers = count()


def until(condition, seconds=30.0, what="the condition"):
    """Poll until it holds; what it returned."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(0.005)


class Hooks:
    """Start-up hooks that remember their calls."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        if not name.startswith("kernel_"):
            raise AttributeError(name)

        def called(**arguments):
            self.calls.append(name)

        return called


class PlainTask:
    """What the engine needs of a task."""

    has_handlers = False
    rate_limit = None

    def __init__(self, name, body, *, rate_limit=None, request=None, **options):
        self.name, self.body = name, body
        self.task_options = TaskOptions(name=name, **options)
        self.rate_limit = rate_limit
        if request is not None:
            self.Request = request

    def before_start(self, task_id, args, kwargs):
        pass


class Site:
    """One node, its broker and backend, and a client of both."""

    def __init__(self):
        self.url = f"memory://worker-{next(_numbers)}"
        self.hooks = Hooks()
        self.tasks = {}
        self.brokers = {"memory": provided("broker.memory", memory_broker.MemoryBroker, memory_broker.OPTIONS)}
        self.backends = {"memory": provided("backend.memory", memory_backend.MemoryBackend, memory_backend.OPTIONS)}
        self.config = Config(broker_url=self.url, result_backend=self.url, accept_content=("json",))
        self.weather = Weather()
        self.pool = ThreadsPool
        self.pool_options = PoolOptions(size=2)
        self.task_events = False
        self.heartbeat = False
        self.node = None
        self.thread = None
        self.code = None
        self.error = None
        self._services = []

    # set-up

    def storm(self):
        """Put the node's broker, not the client's, behind bad weather."""
        self.client.broker.ping(Deadline.after(5.0))
        broker = type("Broker", (StormyBroker,), {"weather": self.weather})
        self.brokers = {"memory": provided("broker.memory", broker, memory_broker.OPTIONS)}
        return self.weather

    def configure(self, **settings):
        self.config = replace(self.config, **settings)

    def task(self, name, body, **options):
        self.tasks[name] = PlainTask(name, body, **options)

    def services(self):
        plugins = PluginSet(
            brokers=self.brokers,
            backends=self.backends,
            serializers=(JsonSerializer(),),
            compressors=(),
            routers={},
            pools={},
            middleware=(),
            loaded=(),
            failed=(),
            hooks=self.hooks,
        )
        made = Services(self.config, plugins, "w1@test")
        self._services.append(made)
        return made

    def executor(self):
        return TaskExecutor(
            self.tasks, self.services(), node="w1@test", log_level=logging.INFO, events=self.task_events
        )

    def make_node(self):
        options = NodeOptions(
            "w1@test", (QUEUE,), self.pool_options, task_events=self.task_events, heartbeat=self.heartbeat
        )
        return Node(self.services(), self.tasks, self.pool, self.executor, options)

    def start(self, ready=True):
        self.node = self.make_node()
        self.thread = threading.Thread(target=self._run, name="node", daemon=True)
        self.thread.start()
        if ready:
            until(lambda: "kernel_worker_ready" in self.hooks.calls or not self.thread.is_alive(), what="ready")
        return self.node

    def _run(self):
        try:
            self.code = self.node.run(signals=False)
        except BaseException as error:  # the test looks at it
            self.error = error

    def stop(self, level=Level.WARM, seconds=30.0):
        self.node.stop(level)
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the node did not stop"
        return self.code

    def close(self):
        if self.thread is not None and self.thread.is_alive():
            self.stop(Level.NOW)
        for services in self._services:
            services.close()

    # the client

    @property
    def broker(self):
        return self.client.broker

    @property
    def client(self):
        if not hasattr(self, "_client"):
            self._client = self.services()
            self._client.broker.declare(
                [queue_spec(self._client.topology, QUEUE), quarantine_spec(self.config)], Deadline.after(5.0)
            )
        return self._client

    def send(self, task="add", args=(2, 3), kwargs=None, *, body=None, content_type="application/json", **headers):
        """Publish one message; a header given as ``...`` is left out."""
        task_id = f"t{next(_numbers)}"
        known = {"lang": "py", "task": task, "id": task_id, **headers}
        payload = json.dumps([list(args), kwargs or {}, {}]).encode() if body is None else body
        return self.send_raw(
            Outgoing(
                queue=QUEUE,
                body=payload,
                headers={key: value for key, value in known.items() if value is not ...},
                id=task_id,
                content_type=content_type,
            )
        )

    def send_raw(self, message):
        (result,) = self.broker.publish([message], Deadline.after(5.0))
        assert result.ok, result.error
        return message.id

    def record(self, task_id):
        return self.client.backend.fetch([task_id], Deadline.after(5.0))[0]

    def result(self, task_id, seconds=30.0):
        def ready():
            record = self.record(task_id)
            return record if record is not None and record.ready else None

        return self.client.records.meta(until(ready, seconds, f"the result of {task_id}"))

    def depth(self, queue=QUEUE):
        return self.broker.depth([queue], Deadline.after(5.0))[queue]

    def quarantined(self):
        return self.broker.peek(QUARANTINE, 1000, Deadline.after(5.0))

    def settled(self):
        """Whether nothing is left in the queue, waiting or leased."""
        depth = self.depth()
        return depth.ready == 0 and not depth.in_flight and not depth.delayed


class Weather:
    """What a stormy broker does: the names of the calls that fail, and how."""

    def __init__(self):
        self.failing = set()
        self.code = Code.UNAVAILABLE
        self.outcome = Applied.NOT_APPLIED
        self.raises = None
        self.lose_leases = set()
        self.tamper = None
        self.calls = []

    def blow(self, call):
        self.calls.append(call)
        if call in self.failing or "all" in self.failing:
            if self.raises is not None:
                raise self.raises
            raise DriverError(self.code, f"{call}: the server is away", outcome=self.outcome)


class StormyBroker(memory_broker.MemoryBroker):
    """The memory broker behind a network that fails on demand."""

    weather: Weather

    def open(self, deadline):
        self.weather.blow("open")
        super().open(deadline)

    def declare(self, specs, deadline):
        self.weather.blow("declare")
        super().declare(specs, deadline)

    def publish(self, items, deadline):
        self.weather.blow("publish")
        return super().publish(items, deadline)

    def consumer(self, queues, prefetch):
        self.weather.blow("consumer")
        return StormyConsumer(super().consumer(queues, prefetch), self.weather)


class StormyConsumer(Consumer):
    def __init__(self, real, weather):
        self.real, self.weather = real, weather

    def receive(self, max_n, wait_s):
        self.weather.blow("receive")
        received = self.real.receive(max_n, min(wait_s, 0.05))
        return received if self.weather.tamper is None else [self.weather.tamper(each) for each in received]

    def settle(self, actions, deadline):
        kinds = {action.kind for action in actions}
        self.weather.blow("extend" if kinds == {SettleKind.EXTEND} else "settle")
        lost = DriverError(Code.LEASE_LOST, "somebody else has it")
        results = []
        for action in actions:
            if action.delivery.message.id in self.weather.lose_leases:
                results.append(SettleResult(lost))
            else:
                results += self.real.settle([action], deadline)
        return results

    def wake(self):
        self.real.wake()

    def close(self, release, deadline):
        self.real.close(release, deadline)


def provided(name, factory, options):
    return Provided(name, factory, options)
