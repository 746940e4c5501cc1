"""A client that sends numbers one by one and does not give up: what was not taken is sent again.

    python publisher.py FIRST END PAUSE

Prints one line per attempt: the number, "ok" or the type and code of the error, and the seconds the call took. A PAUSE
below 0 sends all of them in one group instead, and prints nothing. What the machine stood still does not count.
"""

import sys
import time

from outage_tasks import early, late

from kernel import group
from kernel.exceptions import KernelError
from kernel_conformance.stalls import Stalls


def attempt(number, stalls):
    """One call; what it ended with and how long it took."""
    task = late if number % 2 else early
    began = time.monotonic()
    try:
        task.delay(number)
    except KernelError as error:
        return f"{type(error).__name__}:{error.code}", stalls.since(began)
    return "ok", stalls.since(began)


def main(first, end, pause, stalls):
    for number in range(first, end):
        while True:
            outcome, seconds = attempt(number, stalls)
            print(number, outcome, f"{seconds:.3f}", flush=True)
            if outcome == "ok":
                break
        time.sleep(pause)


first, end, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
if pause < 0:
    group((late if number % 2 else early).s(number) for number in range(first, end)).apply_async()
else:
    with Stalls() as stalls:
        main(first, end, pause, stalls)
