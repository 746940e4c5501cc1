"""What a type checker must accept, with the types it must see (pains P29)."""

from datetime import datetime, timedelta, tzinfo
from typing import Any, assert_type

from kernel import AsyncResult, Kernel, Queue, Signature, Task, chain, group, shared_task
from kernel.beat import BeatLazyFunc, PersistentScheduler, ScheduleEntry
from kernel.schedules import crontab, schedstate, schedule
from plugin_compat_celery import Celery

app = Kernel("proj", broker="memory://", task_routes={"proj.add": {"queue": "hipri"}}, task_queues=[Queue("hipri")])


@app.task
def add(x: int, y: int = 1) -> int:
    return x + y


@app.task()
def called_with_nothing(x: int) -> str:
    return str(x)


@app.task(bind=True, max_retries=3, autoretry_for=(OSError,))
def fetch(self: Task[..., Any], url: str) -> bytes:
    self.update_state(state="PROGRESS", meta={"progress": self.request.retries})
    if not url:
        raise self.retry(exc=ValueError(url), countdown=3)
    return url.encode()


@app.task
async def slow(x: float) -> float:
    return x


@app.task(time_limit=5)
async def limited(x: float) -> float:
    return x


@app.task(bind=True)
async def bound(self: Task[..., Any], x: float) -> str:
    return f"{self.name} {x}"


@shared_task(name="lib.options")
def with_options(x: int) -> str:
    return str(x)


@shared_task
def shared(x: int) -> str:
    return str(x)


async def main() -> None:
    assert_type(await add.adelay(1, 2), AsyncResult[int])
    assert_type(await (await add.adelay(1)).aget(timeout=1), int)
    assert_type(await slow(1.5), float)
    assert_type(await slow.aapply_async((1.5,), countdown=1), AsyncResult[float])


assert_type(add(1, 2), int)
assert_type(add.delay(1, y=2), AsyncResult[int])
assert_type(add.delay(1).get(timeout=1), int)
assert_type(add.apply_async((1, 2), countdown=1.5, queue="hipri", link=add.s(1)), AsyncResult[int])
assert_type(add.apply_async(expires=60, task_id="mine", headers={"a": 1}).id, str)
assert_type(add.apply((1, 2)).get(), int)
assert_type(add.s(1), Signature[int])
assert_type(add.si(1, 2), Signature[int])
assert_type(called_with_nothing.delay(1), AsyncResult[str])
assert_type(fetch.delay("u"), AsyncResult[bytes])
assert_type(slow.delay(1.5), AsyncResult[float])
assert_type(slow.delay(1.5).get(), float)
assert_type(limited.delay(1.5), AsyncResult[float])
assert_type(bound.delay(1.5), AsyncResult[str])
assert_type(shared.delay(1), AsyncResult[str])
assert_type(with_options.delay(1), AsyncResult[str])
assert_type(app.send_task("elsewhere.t", (1,), queue="q"), AsyncResult[Any])

group(add.s(i, i) for i in range(3)).apply_async()
chain(add.s(1, 2) | add.s(3))()
add.s(1).set(queue="q").link(add.s(2))
app.conf.result_expires = timedelta(hours=1)


class MyScheduler(PersistentScheduler):
    Entry = ScheduleEntry

    def is_due(self, entry: ScheduleEntry) -> schedstate:
        return entry.is_due()


@app.on_after_configure.connect
def set_up(sender: Kernel, **_: object) -> None:
    sender.add_periodic_task(crontab(minute="*/5"), add.s(1, 2), name="often", expires=60)


app.conf.beat_schedule = {"a": {"task": add.name, "schedule": schedule(30), "args": (BeatLazyFunc(datetime.now), 1)}}
assert_type(app.now(), datetime)
assert_type(app.timezone, tzinfo)
assert_type(app.add_periodic_task(timedelta(minutes=1), add.s(1, 2)), str)

migrated = Celery("proj", broker="memory://", include=["proj.tasks"])


@migrated.task(bind=True)
def multiply(self: Task[..., Any], x: int, y: int) -> int:
    return x * y


assert_type(multiply.delay(2, 3), AsyncResult[int])
