"""Workflows as trees, for clients of either library, and clients that send them."""

import itertools
import subprocess
from typing import Any

from .sides import PROGRAMS, QUEUES, Client, Side, Site

SIDES: tuple[Side, Side] = ("celery", "kernel")


class WorkflowClient(Client):
    """A client that knows workflows."""

    def __init__(self, side: Side, site: Site) -> None:
        self.side = side
        self._site = site
        words = ["python", str(PROGRAMS / "client_with_workflows.py")]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = site.start(side, f"{side}-client", words, **streams)
        self._pending = b""


class Trees:
    """Expressions whose tasks go to one worker and the other in turn, beginning with either."""

    def __init__(self, first: Side) -> None:
        self._queues = itertools.cycle([QUEUES[first], QUEUES["kernel" if first == "celery" else "celery"]])

    def task(self, name: str, *args: Any) -> list[Any]:
        return ["task", f"shared.{name}", next(self._queues), args]

    def add(self, *args: Any) -> list[Any]:
        return self.task("add", *args)

    def total(self) -> list[Any]:
        return self.task("total")

    def same(self) -> list[Any]:
        return self.task("same")

    def retries(self, times: int) -> list[Any]:
        return self.task("flaky", times)

    def each(self) -> dict[str, tuple[list[Any], Any]]:
        """Expressions and their values."""
        add, total, same = self.add, self.total, self.same
        fan = ["group", add(1), ["chain", add(2), add(3)]]
        return {
            "chain": (["chain", add(1, 1), add(2), add(3), add(4)], 11),
            "group": (["group", add(1, 1), add(2, 2), ["chain", add(3, 3), add(1)]], [2, 4, 7]),
            "chord": (["chord", [add(n, n) for n in range(6)], total()], 30),
            "chord-of-one": (["chord", [add(1, 1)], same()], [2]),
            "chord-of-none": (["chord", [], same()], []),
            "chain-group-task": (["chain", add(1, 1), fan, total(), add(5)], 15),
            "group-group": (["chain", ["group", add(1, 1), add(2, 2)], ["group", total(), total()]], [6, 6]),
            "group-group-task": (
                ["chain", ["group", add(1, 1), add(2, 2)], ["group", total(), total()], total()],
                12,
            ),
            "group-at-the-end-of-a-member": (
                ["chord", [["chain", add(1, 1), ["group", add(1), add(2)]], add(2, 2)], same()],
                [[3, 4], 4],
            ),
            "chord-in-a-header": (["chord", [["chord", [add(1, 1), add(2, 2)], total()], add(2, 2)], total()], 10),
            "chord-as-a-body": (["chord", [add(1, 1), add(2, 2)], ["chord", [total(), total()], total()]], 12),
        }

    def more(self) -> dict[str, tuple[list[Any], Any]]:
        """Expressions with other things in them, and their values."""
        add, total, same = self.add, self.total, self.same
        return {
            "retries": (["chain", ["group", self.retries(1), add(1, 1), self.retries(2)], self.task("count")], 3),
            "map": (["map", self.same(), [1, 2, 3]], [1, 2, 3]),
            "starmap-member": (["chord", [["starmap", add(), [[1, 2], [3, 4]]], add(1, 1)], same()], [[3, 7], 2]),
            "wide": (["chord", [add(n, 1) for n in range(60)], total()], 1830),
            "long": (["chain", add(1, 1), *[add(1) for _ in range(30)]], 32),
        }

    def failures(self) -> dict[str, list[Any]]:
        """Expressions that fail."""
        add, total, fail = self.add, self.total, lambda: self.task("fail", "builtin")
        return {
            "member": ["chord", [add(1, 1), fail()], total()],
            "first": ["chain", fail(), add(1), add(2)],
            "chain-member": ["chord", [["chain", fail(), add(1)], add(1, 1)], total()],
            "body": ["chord", [add(1, 1), add(2, 2)], ["chain", self.task("fail_after", "builtin"), add(1)]],
            "two-members": ["chord", [fail(), add(1, 1), fail()], total()],
        }
