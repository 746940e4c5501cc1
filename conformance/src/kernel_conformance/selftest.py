"""The suite tested: every saboteur must be killed by each case it is registered with."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

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
    saboteurs: Sequence[Saboteur], seed: int = 0, tell: Callable[[Kill], None] = lambda _kill: None, jobs: int = 1
) -> list[Kill]:
    """Set the cases on the saboteurs.

    Most of the time goes into waiting for deadlines, so several may be tried at once. A case that measures time can
    then be wrong for want of a processor: whoever is not judged as expected is tried again, alone, at most twice.

    Args:
        saboteurs: who is tried.
        seed: of everything random.
        tell: called with each final judgement, from one thread.
        jobs: how many are tried at once.

    Returns:
        The judgements in the order of ``saboteurs``.
    """
    kills: list[Kill] = []
    with ThreadPoolExecutor(jobs) as lines:
        for kill in lines.map(partial(_judge, seed=seed), saboteurs):
            kills.append(kill)
            if kill.killed:
                tell(kill)
    for number, kill in enumerate(kills):
        if not kill.killed:
            kills[number] = _again(kill, seed) if jobs > 1 else kill
            tell(kills[number])
    return kills


def _again(kill: Kill, seed: int) -> Kill:
    second = _judge(kill.saboteur, seed)
    return second if second.killed else _judge(kill.saboteur, seed)


def _judge(saboteur: Saboteur, seed: int) -> Kill:
    with Bench() as bench:
        return Kill(saboteur, tuple(_try(bench, saboteur, case_id, seed) for case_id in saboteur.killed_by))


def _try(bench: Bench, saboteur: Saboteur, case_id: str, seed: int) -> Outcome:
    one = find_case(case_id)
    if one is None:
        return Outcome(case_id, End.NOT_RUN, "there is no such case")
    return bench.run(f"{MARK}{saboteur.name}", one, seed)
