"""The application of one combination: its settings are in the environment, its tasks are the same for all."""

import json
import os

from kernel import Kernel

app = Kernel("compose", **json.loads(os.environ["COMPOSE_SETTINGS"]))


@app.task
def add(x, y):
    return x + y


@app.task
def echo(value):
    return value


@app.task(bind=True, max_retries=5)
def insist(self, times):
    if self.request.retries < times:
        raise self.retry(countdown=0.01)
    return self.request.retries


@app.task
def look_up(name):
    raise LookupError("there is no", name)


@app.task
def total(numbers):
    return sum(numbers)
