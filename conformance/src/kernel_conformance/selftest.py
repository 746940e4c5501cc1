"""The suite tested: every saboteur must be killed by each case it is registered with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kernel_conformance.bench import Bench
from kernel_conformance.outcome import End, Outcome
from kernel_conformance.registry import find_case
from kernel_conformance.saboteurs import MARK, Saboteur


@dataclass(frozen=True, slots=True)
class Kill:
    """A saboteur with what its cases said of it."""

    saboteur: Saboteur
    outcomes: tuple[Outcome, ...]

    @property
    def killed(self) -> bool:
        """Whether each of them failed; for a control, whether each of them passed."""
        wanted = End.PASS if self.saboteur.control else End.FAIL
        return bool(self.outcomes) and all(one.end is wanted for one in self.outcomes)


def run_selftest(
    saboteurs: Sequence[Saboteur], seed: int = 0, tell: Callable[[Kill], None] = lambda _kill: None
) -> list[Kill]:
    """Set the cases on the saboteurs, one after the other."""
    kills = []
    with Bench() as bench:
        for saboteur in saboteurs:
            outcomes = tuple(_try(bench, saboteur, case_id, seed) for case_id in saboteur.killed_by)
            kills.append(Kill(saboteur, outcomes))
            tell(kills[-1])
    return kills


def _try(bench: Bench, saboteur: Saboteur, case_id: str, seed: int) -> Outcome:
    one = find_case(case_id)
    if one is None:
        return Outcome(case_id, End.NOT_RUN, "there is no such case")
    return bench.run(f"{MARK}{saboteur.name}", one, seed)
