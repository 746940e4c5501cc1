"""The application of the outage tests: every execution writes one line to a journal."""

import os
import time

from kernel import Kernel

app = Kernel("outage", broker=os.environ["OUTAGE_BROKER"])
journal = os.open(os.environ["OUTAGE_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(number):
    os.write(journal, b"%d\n" % number)


@app.task(acks_late=True, ignore_result=True)
def late(number):
    """Acknowledged after it ran: what was in the hands of a worker runs again."""
    time.sleep(0.001)
    note(number)


@app.task(ignore_result=True)
def early(number):
    """Acknowledged before it runs."""
    time.sleep(0.001)
    note(number)
