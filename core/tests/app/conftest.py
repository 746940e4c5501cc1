"""An application on the memory broker, and the smallest worker that can run its tasks."""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from kernel import Kernel
from kernel.contracts import Deadline, Job, Outgoing, Settle
from kernel.runtime.boot import build_services
from kernel.runtime.executor import Payload, TaskExecutor

NUMBERS = itertools.count()


class MiniWorker:
    """Receives from the app's queues in a thread and runs one task after the other, as a solo pool would."""

    def __init__(self, app: Kernel, queues: tuple[str, ...] = ("kernel",)) -> None:
        self.services = build_services(app.config, "mini@test")
        self.services.defaults = app._declared
        self.executor = TaskExecutor(app.tasks, self.services, node="mini@test")
        self.queues = queues
        self.ran: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self.executor.close()

    def _run(self) -> None:
        broker = self.services.broker
        broker.declare([self._spec(name) for name in self.queues], Deadline.after(5))
        consumer = broker.consumer(self.queues, 0)
        while not self._stop.is_set():
            for delivery in consumer.receive(16, 0.02):
                self._one(consumer, delivery)
        consumer.close(True, Deadline.after(5))

    def _spec(self, name: str) -> Any:
        from kernel.engine.topology import queue_spec

        return queue_spec(self.services.topology, name)

    def _one(self, consumer: Any, delivery: Any) -> None:
        message = delivery.message
        info = {"exchange": message.exchange, "routing_key": message.queue, "priority": message.priority}
        payload = Payload(
            message.headers,
            message.body,
            message.content_type,
            message.content_encoding,
            {**info, "redelivered": bool(delivery.redelivered)},
            message.correlation_id,
            message.reply_to,
            message.properties,
            delivery.attempt,
        )
        hard, soft = message.headers["timelimit"]
        job = Job(1, message.headers["task"], message.id, payload, soft, hard)
        self.ran.append(message.id)
        (report,) = self.executor.commit([self.executor.run(job, None)])
        consumer.settle([Settle(delivery, report.settlement, report.seconds, report.reason)], Deadline.after(5))


@pytest.fixture
def make_app() -> Iterator[Callable[..., Kernel]]:
    """Applications whose stores are their own."""
    made: list[Kernel] = []

    def make(main: str | None = "proj", **settings: Any) -> Kernel:
        url = f"memory://app-{next(NUMBERS)}"
        app = Kernel(main, **{"broker": url, "backend": url, "set_as_current": False, **settings})
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app: Callable[..., Kernel]) -> Kernel:
    return make_app()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Callable[[Kernel], list[Outgoing]]:
    """What an application publishes from now on, as the broker gets it."""

    def watch(app: Kernel) -> list[Outgoing]:
        broker = app.client.services.broker
        taken: list[Outgoing] = []
        publish = broker.publish

        def note(items: Any, deadline: Any) -> Any:
            taken.extend(items)
            note.batches.append(len(items))
            return publish(items, deadline)

        note.batches = []
        monkeypatch.setattr(broker, "publish", note)
        return taken

    return watch


@pytest.fixture
def worker(app: Kernel) -> Iterator[Callable[..., MiniWorker]]:
    """Start a worker for ``app`` once its tasks are defined; stopped at the end."""
    started: list[MiniWorker] = []

    def start(*queues: str) -> MiniWorker:
        mini = MiniWorker(app, queues or ("kernel",)).__enter__()
        started.append(mini)
        return mini

    yield start
    for mini in started:
        mini.__exit__()
