"""An application as a user of celery-redbeat has it."""

import os

from celery import Celery

app = Celery("proj", broker=os.environ["PROJ_REDIS"])
app.conf.update(
    redbeat_redis_url=os.environ["PROJ_REDIS"],
    beat_scheduler="redbeat.RedBeatScheduler",
    beat_max_loop_interval=1,
    beat_schedule={"often": {"task": "proj.add", "schedule": 0.5, "args": (1, 2)}},
)


@app.task(name="proj.add")
def add(x, y):
    return x + y
