"""How many jobs may wait at an executor: a pure policy on measured run times (performance.md, "What follows" 2).

Fairness for long tasks and speed for short ones need opposite things: a job must not wait behind a long one, and one
hand-over per job costs a factor of three. So only tasks *known* to be short queue up behind another, and only to a
bounded sum of estimated run time. A task never seen counts as long.
"""

_RISE = 0.5
_FALL = 0.1
_MOST_NAMES = 4096


class Estimates:
    """Run time per task name, as a moving average that rises fast and falls slowly.

    Args:
        handout_s: run time that one hand-out may add up to, in seconds; a cost is never more than this.
    """

    def __init__(self, handout_s: float) -> None:
        self.handout_s = handout_s
        self.mean = handout_s
        self._of: dict[str, float] = {}

    def cost(self, task: str) -> float:
        """Estimated seconds of one run, at most ``handout_s``, which is also the cost of an unknown task."""
        known = self._of.get(task)
        return self.handout_s if known is None or known > self.handout_s else known

    def short(self, task: str) -> bool:
        """Whether another job may wait behind this one."""
        return self.cost(task) <= self.handout_s / 2

    def observe(self, task: str, seconds: float) -> None:
        """One run took this long."""
        known = self._of.get(task)
        if known is None:
            if len(self._of) >= _MOST_NAMES:
                self._of.clear()  # names come from a registry; anything else must not grow this for ever
            self._of[task] = seconds
        else:
            self._of[task] = _moved(known, seconds)
        self.mean = _moved(self.mean, min(seconds, self.handout_s))


def _moved(average: float, seconds: float) -> float:
    return average + (seconds - average) * (_RISE if seconds > average else _FALL)


class Load:
    """What waits and runs at one place with ``lanes`` bodies at a time.

    Args:
        estimates: shared by all places of a pool.
        lanes: bodies that run at once here.
        most: jobs per lane, however short they are.
    """

    def __init__(self, estimates: Estimates, lanes: int = 1, most: int = 256) -> None:
        self.seconds = 0.0
        self._estimates = estimates
        self._each = most
        self.resize(lanes)
        self._held: dict[int, tuple[str, float]] = {}

    def resize(self, lanes: int) -> None:
        """So many bodies at a time from now on."""
        self._lanes = lanes
        self._most = self._each * lanes
        self._budget = lanes * self._estimates.handout_s

    def __len__(self) -> int:
        return len(self._held)

    def tags(self) -> list[int]:
        """Tags held, in the order they came."""
        return list(self._held)

    def holds(self, tag: int) -> bool:
        """Whether this job is here."""
        return tag in self._held

    def accepts(self, task: str) -> bool:
        """Whether one more job of this task would not wait behind a long one."""
        held = len(self._held)
        if held < self._lanes:
            return True
        return held < self._most and self.seconds + self._estimates.cost(task) <= self._budget

    def room(self) -> int:
        """How many jobs of the recent mixture fit."""
        held = len(self._held)
        free = max(0, self._lanes - held)
        mean = self._estimates.mean
        if mean > self._estimates.handout_s / 2:
            return free
        fitting = int((self._budget - self.seconds) / mean) if mean > 0 else self._most
        return max(free, min(fitting, self._most - held))

    def add(self, tag: int, task: str) -> None:
        """A job came."""
        cost = self._estimates.cost(task)
        self._held[tag] = (task, cost)
        self.seconds += cost

    def remove(self, tag: int) -> str | None:
        """A job left; its task, or None when it was not here."""
        held = self._held.pop(tag, None)
        if held is None:
            return None
        self.seconds = self.seconds - held[1] if self._held else 0.0
        return held[0]
