"""A node in a process of its own, to be killed: says its processes on stdout, then waits."""

import sys
import threading

from pools_fakes import Ear, Factory, job

from kernel.builtins.pools.prefork import PreforkPool
from kernel.contracts.pool import PoolOptions


def main(method: str, lost_wait_s: str, folder: str) -> None:
    ear = Ear()
    options = PoolOptions(size=3, start_method=method, lost_wait_s=float(lost_wait_s))
    pool = PreforkPool(options, Factory(f"{folder}/trace"), ear, tell_starts=True)
    pool.prepare()
    pool.start()
    pool.submit([job(1, "sleep", 1.5), job(2, "sleep", 60)])
    ear.wait(lambda: len(ear.starts) == 2)
    print(pool._nursery, *pool.stats()["processes"], flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
