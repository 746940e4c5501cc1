"""What a saboteur is."""

from collections.abc import Callable
from dataclasses import dataclass

from kernel_conformance.harness import Harness


@dataclass(frozen=True, slots=True)
class Saboteur:
    """One wrong plugin.

    Attributes:
        name: short, with dashes: what it does wrong.
        kind: the kind whose suite judges it.
        wrong: one sentence for people.
        harness: makes its harness, complete (bound to nothing: it makes its own subjects).
        killed_by: ids of the cases that must fail. All others may do as they like.
        control: nothing is wrong with it: the cases must pass instead, which shows that they do not fail for everybody.
    """

    name: str
    kind: str
    wrong: str
    harness: Callable[[], Harness]
    killed_by: tuple[str, ...]
    control: bool = False
