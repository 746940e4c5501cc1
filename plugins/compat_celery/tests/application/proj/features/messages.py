"""1.10 serializers, 1.11 compression, 1.12 connections, 1.13 routing."""

from datetime import date, datetime, timezone
from decimal import Decimal
from uuid import UUID

from celery import Celery, group
from kombu import Exchange, Queue
from proj import more_tasks
from proj.celery import app
from proj.features.calling import T, raised
from proj.tasks import add


def serializers():
    values = {
        "datetime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        "date": date(2026, 1, 2),
        "decimal": Decimal("1.50"),
        "uuid": UUID(int=5),
        "bytes": b"\x00\xff",
    }
    return {
        "json": add.apply_async((10, 10), serializer="json").get(timeout=T),
        "pickle": more_tasks.types_of.apply_async(({"tuple": (1,), "none": None},), serializer="pickle").get(timeout=T),
        "yaml": add.apply_async((10, 10), serializer="yaml").get(timeout=T),
        "msgpack": add.apply_async((10, 10), serializer="msgpack").get(timeout=T),
        "by task": [more_tasks.in_yaml.serializer, more_tasks.in_yaml.delay({"a": [1]}).get(timeout=T)],
        "types in json": more_tasks.types_of.delay(values).get(timeout=T),
        "values in json": more_tasks.echo.delay(values).get(timeout=T) == values,
        "keys in json": more_tasks.echo.delay({"1": "a"}).get(timeout=T),
        "what json cannot carry": raised(more_tasks.echo.delay, object())[0],
        "unknown": raised(add.apply_async, (1, 1), serializer="no-such-one") is not None,
    }


def compression():
    text = "x" * 5000
    names = ("gzip", "zlib", "bzip2", "lzma", "zstd", "brotli")
    return {
        "round trips": {
            name: more_tasks.echo.apply_async((text,), compression=name).get(timeout=T) == text for name in names
        },
        "by task": more_tasks.in_yaml.compression,
        "unknown": raised(add.apply_async, (1, 1), compression="no-such-one") is not None,
    }


def connections():
    numbers = [(2, 2), (4, 4), (8, 8), (16, 16)]
    results = []
    with app.pool.acquire(block=True) as connection, app.amqp.Producer(connection) as producer:
        for args in numbers:
            results.append(add.apply_async(args, producer=producer))
        results.append(add.apply_async((1, 1), publisher=producer))
    pool_of_task = add.app.pool
    return {
        "one connection": [result.get(timeout=T) for result in results],
        "better as a group": group(add.s(i, j) for i, j in numbers).apply_async().get(timeout=T),
        "limit": pool_of_task.limit,
    }


class Router:
    """An object that routes one task."""

    def route_for_task(self, task, args=None, kwargs=None):
        return {"queue": "hipri"} if task == "proj.more_tasks.news" else None


def route_by_function(name, args, kwargs, options, task=None, **kw):
    return {"queue": "by.name"} if name == "proj.more_tasks.anywhere" else None


def routing():
    found = {
        "default": more_tasks.anywhere.delay().get(timeout=T),
        "task_routes": more_tasks.routed.delay().get(timeout=T),
        "short form": more_tasks.short_form.delay().get(timeout=T),
        "the call wins": more_tasks.routed.apply_async(queue="hipri").get(timeout=T),
        "queue object": more_tasks.anywhere.apply_async(queue=Queue("hipri")).get(timeout=T),
        "topic": more_tasks.news.apply_async(("hi",), queue="news.all", routing_key="news.sport").get(timeout=T),
        "exchange": Exchange("news", "topic").type,
        "attributes": more_tasks.with_options.delay().get(timeout=T),
        "annotation": [more_tasks.limited.delay().get(timeout=T), more_tasks.limited.rate_limit],
        "priority": add.apply_async((1, 1), priority=5).get(timeout=T),
    }
    other = Celery("routes", broker=app.conf.broker_url, backend=app.conf.result_backend, set_as_current=False)
    other.conf.task_routes = (route_by_function, Router(), {"proj.more_tasks.rout*": {"queue": "by.name"}})
    return {
        **found,
        "function": other.send_task("proj.more_tasks.anywhere").get(timeout=T),
        "object": other.send_task("proj.more_tasks.news", ("hi",)).get(timeout=T),
        "pattern": other.send_task("proj.more_tasks.routed").get(timeout=T),
        "queues": sorted(app.amqp.queues),
    }
