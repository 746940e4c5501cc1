"""A limit that comes too late leaves nothing behind in the interpreter."""

import subprocess
import sys

PROGRAM = """
import sys, threading, time
from kernel.builtins.pools.limits import ThreadLimiter

limiter = ThreadLimiter()

def bodies():
    for _ in range(200):
        with limiter.arm(0.0005):
            try:
                time.sleep(0.0005)
            except BaseException:
                pass

thread = threading.Thread(target=bodies)
thread.start()
thread.join()
limiter.close()

def called():
    return 1

sys.setprofile(lambda *event: None)  # would never get past a pending exception that nobody takes
for _ in range(1000):
    called()
sys.setprofile(None)
print("done")
"""


def test_a_profile_function_still_runs_after_limits_that_were_not_delivered():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout == "done\n", run.stderr
