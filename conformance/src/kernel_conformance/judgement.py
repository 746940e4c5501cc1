"""From outcomes to a verdict: what is proven, what is merely claimed, and whether the plugin conforms."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from kernel_conformance.cases import LEVELS, Case, Level
from kernel_conformance.outcome import End, Outcome


class Verdict(StrEnum):
    """What the report ends with."""

    CONFORMANT = "CONFORMANT"
    """Every core case and every case of every claimed capability passed."""
    PARTIAL = "PARTIAL"
    """Nothing failed that is not a dated known issue, but something claimed is not proven."""
    NON_CONFORMANT = "NON-CONFORMANT"
    """Something failed, or a core case was not run."""
    NOT_RUN = "NOT RUN"
    """The suite could not do its work, for example because the server did not start."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claimed capabilities, sorted out by what the cases say of each.

    Attributes:
        proven: each has cases, and every one of them passed.
        unproven: (capability, why) for each of the others.
        works: seen to work although unclaimed.
    """

    proven: tuple[str, ...]
    unproven: tuple[tuple[str, str], ...]
    works: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """One case and its outcome."""

    case: Case
    outcome: Outcome

    @property
    def passed(self) -> bool:
        """Whether it passed."""
        return self.outcome.end is End.PASS

    @property
    def counts(self) -> bool:
        """Whether it says anything about this plugin: neither a capability it lacks nor a server it has not."""
        return self.outcome.end not in {End.UNCLAIMED, End.NOT_APPLICABLE}


def sort_claims(claimed: Sequence[str], catalogue: Sequence[Case], judged: Sequence[Judged]) -> Claims:
    """A claim is proven when the catalogue has cases for it and each one that applies ran and passed.

    ``catalogue`` is every case of the kind, so that a case left out of this run leaves its claims unproven.
    """
    ends = {one.case.id: one for one in judged}
    proven: list[str] = []
    unproven: list[tuple[str, str]] = []
    for claim in sorted(claimed):
        of_claim = [one for one in catalogue if claim in (*one.gate.needs, *one.gate.proves)]
        reason = _why_unproven(of_claim, ends)
        if reason is None:
            proven.append(claim)
        else:
            unproven.append((claim, reason))
    works = {name for one in judged for name in one.outcome.works} - set(claimed)
    return Claims(tuple(proven), tuple(unproven), tuple(sorted(works)))


def _why_unproven(cases: Sequence[Case], ends: dict[str, Judged]) -> str | None:
    if not cases:
        return "no case tests it"
    left_out = [one.id for one in cases if one.id not in ends]
    if left_out:
        return f"not in this run: {', '.join(left_out)}"
    applying = [one for one in (ends[case.id] for case in cases) if one.counts]
    if not applying:
        return "no case applies"
    bad = [f"{one.case.id} {one.outcome.end}" for one in applying if not one.passed]
    return ", ".join(bad) or None


def give_verdict(judged: Sequence[Judged], claims: Claims, levels: Sequence[Level], *, whole: bool = True) -> Verdict:
    """The verdict over the levels that were run; ``whole`` is False when single cases were chosen from them."""
    counting = [one for one in judged if one.counts]
    ends = {one.outcome.end for one in counting}
    if not ends or ends == {End.NOT_RUN}:
        return Verdict.NOT_RUN
    core_missing = any(one.case.gate.level == "core" and one.outcome.end is End.NOT_RUN for one in counting)
    if End.FAIL in ends or core_missing:
        return Verdict.NON_CONFORMANT
    unproven = "extended" in levels and bool(claims.unproven)
    return Verdict.PARTIAL if End.KNOWN in ends or unproven or not whole else Verdict.CONFORMANT


def highest_level(judged: Sequence[Judged], levels: Sequence[Level]) -> str:
    """What a badge may say: the highest level up to which every case that applies ran; "" when not even core did."""
    said = ""
    for level in LEVELS:
        ends = {one.outcome.end for one in judged if one.case.gate.level == level}
        if level not in levels or End.NOT_RUN in ends:
            break
        said = level
    return "all" if said == LEVELS[-1] else said
