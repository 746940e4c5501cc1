"""An application with a worker in this process, over each embedded store."""

import threading
import time

from kernel import Kernel
from kernel.testing import start_worker

NODE = "w1@here"


class Fleet:
    """One application and its workers."""

    def __init__(self, url, backend):
        self.app = Kernel("p", broker=url, backend=backend, set_as_current=False)
        self.release = threading.Event()
        self.ran = []
        self.begun = threading.Event()
        self.app.task(self.add, name="add")
        self.app.task(self.hold, name="hold")

    def add(self, x=1, y=2):
        self.ran.append((x, y))
        return x + y

    def hold(self):
        self.begun.set()
        assert self.release.wait(30)
        return "held"

    def worker(self, **options):
        return start_worker(self.app, **{"hostname": NODE, "mingle": False, **options})

    def send(self, name="add", *args, **options):
        return self.app.tasks[name].apply_async(args, **options)

    @property
    def inspect(self):
        return self.app.control.inspect(NODE, timeout=10)

    def tell(self, command, timeout=10, **arguments):
        """The answer of the one worker."""
        replies = self.app.control.broadcast(command, arguments, reply=True, limit=1, timeout=timeout)
        return replies[0][NODE] if replies else None

    def close(self):
        self.release.set()
        self.app.close()


def until(condition, seconds=20.0, what="the condition"):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s"
        time.sleep(0.01)
    return found
