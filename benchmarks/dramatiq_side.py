"""A peer: Dramatiq on RabbitMQ; it has no results by message, so they go to Redis, its fastest place for them."""

import os

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

broker = RabbitmqBroker(url=os.environ["BENCH_BROKER"], confirm_delivery="BENCH_CONFIRM" in os.environ)
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["BENCH_REDIS"])))
dramatiq.set_broker(broker)
_counter = os.open(os.environ["BENCH_COUNTER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@dramatiq.actor
def noop() -> None:
    """Count, and nothing else."""
    os.write(_counter, b".")


@dramatiq.actor(store_results=True)
def answer() -> int:
    """Count, and leave a result."""
    os.write(_counter, b".")
    return 1
