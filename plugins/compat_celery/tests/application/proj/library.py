"""Tasks of a library: they belong to whatever application there is."""

import celery
from celery import shared_task


@shared_task
def power(x, y):
    return x**y


class Doubles(celery.Task):
    name = "proj.library.Doubles"

    def run(self, x):
        return 2 * x
