"""A pool that runs nothing by itself: the test says what becomes of each job."""

import threading

from kernel.contracts.broker import SettleKind
from kernel.contracts.capabilities import PoolCaps
from kernel.contracts.pool import Loss, LossCause, Pool, Report
from kernel.model import states


class PuppetPool(Pool):
    """The last one made is ``PuppetPool.made``."""

    name = "puppet"
    made: "PuppetPool"

    def __init__(self, options, factory, listener, tell_starts=False):
        PuppetPool.made = self
        self.options, self.listener, self.tell_starts = options, listener, tell_starts
        self.jobs = {}
        self.unbegun = set()
        self.stopped = False
        self.lock = threading.Lock()

    @classmethod
    def capabilities(cls):
        return PoolCaps(hard_limit=True, soft_limit=True, terminate=True, recycle=True, isolates=True)

    def prepare(self):
        pass

    def start(self):
        pass

    def room(self):
        return max(0, self.options.size - len(self.jobs))

    def submit(self, jobs):
        with self.lock:
            self.jobs.update({job.tag: job for job in jobs})

    def outstanding(self):
        return frozenset(self.jobs)

    def withdraw(self):
        with self.lock:
            taken = [tag for tag in self.jobs if tag in self.unbegun]
            for tag in taken:
                del self.jobs[tag]
        return taken

    def terminate(self, tag, signal):
        return False

    def join(self, timeout_s):
        return not self.jobs

    def stop(self):
        self.stopped = True

    def stats(self):
        return {}

    # the test's hand

    def job(self, task_id):
        with self.lock:
            return next((job for job in self.jobs.values() if job.id == task_id), None)

    def take(self, task_id):
        job = self.job(task_id)
        with self.lock:
            del self.jobs[job.tag]
        return job

    def report(self, task_id, settlement=SettleKind.ACK, state=states.SUCCESS, **fields):
        self.listener.reported([Report(self.take(task_id).tag, settlement, state, **fields)])

    def lose(self, task_id, cause=LossCause.EXITED, exitcode=-9):
        self.listener.lost([Loss(self.take(task_id).tag, cause, exitcode, runtime_s=0.5)])
