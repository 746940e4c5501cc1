"""The one judge of histories: lost, invented, doubled, early, late, out of order, or back after an ack."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kernel.contracts import SettleKind
from kernel_conformance.history import History, Op, Phase, Verb, ends_message

KILLED = "server killed"
"""The fault after which a server may have forgotten acknowledgements, within what its broker declares."""

Key = tuple[str, str]
"""Queue and message id."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a history is judged by.

    Attributes:
        drained: everything was received until the queues were empty, so what is missing is lost.
        gone: ids that may be missing: purged, expired, or moved to a dead letter.
        ignore: queues that are not judged, such as dead letters.
        early_s: how early the clock may show a delivery without its being early.
        late_s: how late a delivery may be while somebody receives all the time; None does not judge it.
        ordered: queues with one producer and one consumer, whose order must be kept.
        one_in_flight: whether groups allow one unsettled message each.
        forgets_s: how long before a fault an acknowledgement may have ended that the fault makes the server forget.
    """

    drained: bool = True
    gone: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    early_s: float = 0.0
    late_s: float | None = None
    ordered: frozenset[str] = frozenset()
    one_in_flight: bool = False
    forgets_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a history; ``kind`` is lost, unexpected, torn, duplicate, early, late, reordered,
    overtaken or redelivered-after-ack.
    """

    kind: str
    id: str
    story: str


def check(history: History, rules: Rules) -> list[Problem]:
    """Every problem of a history."""
    facts = _Facts(history, rules)
    checks: list[Callable[[], Iterator[tuple[str, Op]]]] = [
        facts.lost,
        facts.unexpected,
        facts.duplicates,
        facts.early,
        facts.late,
        facts.reordered,
        facts.overtaken,
        facts.redelivered_after_ack,
    ]
    return [Problem(kind, op.id, history.of_message(op.id)) for judge in checks for kind, op in judge()]


def recovered(history: History) -> int:
    """How many messages were delivered of which nobody knew whether they had been published."""
    unknown = {one.id for one in history.of(Verb.PUBLISH) if one.phase in {Phase.INFO, Phase.INVOKE}}
    return len(unknown & {one.id for one in history.of(Verb.RECEIVE)})


class _Facts:
    """A history sorted by message."""

    def __init__(self, history: History, rules: Rules) -> None:
        self._rules = rules
        self._faults = list(history.of(Verb.FAULT))
        self._closes = list(history.of(Verb.CLOSE))
        self._publishes: dict[Key, list[Op]] = defaultdict(list)
        self._receives: dict[Key, list[Op]] = defaultdict(list)
        self._settles: dict[Key, list[Op]] = defaultdict(list)
        tables = {Verb.PUBLISH: self._publishes, Verb.RECEIVE: self._receives, Verb.SETTLE: self._settles}
        for one in history.ops:
            if one.verb in tables and one.queue not in rules.ignore:
                tables[one.verb][one.queue, one.id].append(one)

    def lost(self) -> Iterator[tuple[str, Op]]:
        """Publishes that ended ok minus deliveries, as multisets, when the queues were drained."""
        if not self._rules.drained:
            return
        for key, publishes in self._publishes.items():
            if key[1] in self._rules.gone or self._dedups(publishes):
                continue
            oks = [one for one in publishes if one.phase is Phase.OK]
            missing = len(oks) - len(self._receives[key])
            yield from (("lost", one) for one in oks[: max(0, missing)])

    def unexpected(self) -> Iterator[tuple[str, Op]]:
        """Delivered and never attempted, or although the publish certainly failed, or with another body."""
        for key, receives in self._receives.items():
            publishes = self._publishes[key]
            possible = [one for one in publishes if one.phase is not Phase.FAIL]
            if not possible:
                yield from (("unexpected", one) for one in receives)
                continue
            digests = {one.digest for one in possible}
            yield from (("torn", one) for one in receives if one.digest not in digests)

    def duplicates(self) -> Iterator[tuple[str, Op]]:
        """Delivered again without a reason: no release, no end of lease, no closing, no fault, no doubtful publish."""
        for key, receives in self._receives.items():
            publishes = self._publishes[key]
            doubtful = len(publishes) > 1 or any(one.phase is not Phase.OK for one in publishes)
            if doubtful and not self._dedups(publishes):
                continue
            for before, after in pairwise(receives):
                if not self._excused(key, before, after):
                    yield "duplicate", after

    def early(self) -> Iterator[tuple[str, Op]]:
        """Delivered before its delay had passed, counted from the moment the call began."""
        for key, receives in self._receives.items():
            delays = [one.began_at + (one.item.delay_s or 0.0) for one in self._publishes[key] if one.item is not None]
            due = min(delays, default=0.0)
            for one in receives:
                held = self._held_back_until(key, one)
                if one.ended_at < max(due, held) - self._rules.early_s:
                    yield "early", one

    def late(self) -> Iterator[tuple[str, Op]]:
        """First delivered later than its delay and the slack."""
        if self._rules.late_s is None:
            return
        for key, publishes in self._publishes.items():
            first = self._receives[key][:1]
            for one in publishes[:1]:
                due = one.ended_at + ((one.item.delay_s or 0.0) if one.item is not None else 0.0)
                if first and one.phase is Phase.OK and first[0].ended_at > due + self._rules.late_s:
                    yield "late", first[0]

    def reordered(self) -> Iterator[tuple[str, Op]]:
        """First deliveries of an ordered queue, or of a group, in another order than they were published in."""
        for members in self._lines():
            came = [(self._receives[key][0].began, index) for index, key in enumerate(members) if self._receives[key]]
            firsts = sorted(came)
            newest = -1
            for _, index in firsts:
                if index < newest:
                    yield "reordered", self._receives[members[index]][0]
                newest = max(newest, index)

    def overtaken(self) -> Iterator[tuple[str, Op]]:
        """Delivered while an earlier message of its group was out and not settled."""
        if not self._rules.one_in_flight:
            return
        for members in self._lines(groups_only=True):
            for index, key in enumerate(members):
                for one in self._receives[key]:
                    if any(self._unsettled(other, one) for other in members[:index]):
                        yield "overtaken", one

    def redelivered_after_ack(self) -> Iterator[tuple[str, Op]]:
        """Delivered after a settlement that ended it was ok'd; excused when it was published more than once."""
        for key, receives in self._receives.items():
            if len(self._publishes[key]) > 1 or any(one.phase is not Phase.OK for one in self._publishes[key]):
                continue
            ended = [
                one.ended
                for one in self._settles[key]
                if one.phase is Phase.OK
                and one.action is not None
                and ends_message(one.action)
                and not self._forgotten(one)
            ]
            if ended:
                yield from (("redelivered-after-ack", one) for one in receives if one.began > min(ended))

    def _forgotten(self, settled: Op) -> bool:
        """Whether the server was killed so soon after it that it may not know of it any more."""
        earliest = settled.ended_at + self._rules.forgets_s
        return any(
            one.why == KILLED and one.began_at <= earliest and settled.ended_at <= one.ended_at for one in self._faults
        )

    def _lines(self, *, groups_only: bool = False) -> Iterator[list[Key]]:
        """The keys that must come in order, each line as published."""
        lines: dict[tuple[str, str | None], list[Key]] = defaultdict(list)
        for key, publishes in self._publishes.items():
            if not publishes:
                continue  # it came, and nobody published it
            group = publishes[0].item.group if publishes[0].item is not None else None
            if group is not None or (key[0] in self._rules.ordered and not groups_only):
                lines[key[0], group].append(key)
        yield from lines.values()

    def _unsettled(self, key: Key, at: Op) -> bool:
        """Whether a message was out, and neither settled nor given back, when ``at`` was delivered."""
        out = [one for one in self._receives[key] if one.began < at.began]
        if not out:
            return True  # never delivered yet, although it comes first
        return not any(one.began < at.began for one in self._settles[key] if one.began > out[-1].began)

    def _excused(self, key: Key, before: Op, after: Op) -> bool:
        given_back = any(
            one.action is not None and one.action.kind is SettleKind.RELEASE and before.began < one.began < after.began
            for one in self._settles[key]
        )
        closed = any(one.source == before.source and one.began < after.began for one in self._closes)
        broken = any(one.began < after.began and one.ended > before.began for one in self._faults)
        return given_back or closed or broken or self._lease_ended(key, before, after)

    def _lease_ended(self, key: Key, before: Op, after: Op) -> bool:
        if before.delivered is None or before.delivered.lease_until is None:
            return False
        until = before.delivered.lease_until
        extended = [
            one.began_at + one.action.seconds
            for one in self._settles[key]
            if one.action is not None
            and one.action.kind is SettleKind.EXTEND
            and one.phase is Phase.OK
            and before.began < one.began < after.began
        ]
        return after.ended_at >= (extended[-1] if extended else until) - self._rules.early_s

    def _held_back_until(self, key: Key, delivery: Op) -> float:
        """When a delayed release before this delivery lets it out."""
        moments = [
            one.began_at + one.action.seconds
            for one in self._settles[key]
            if one.action is not None
            and one.action.kind is SettleKind.RELEASE
            and one.phase is Phase.OK
            and one.ended < delivery.began
        ]
        return moments[-1] if moments else 0.0

    @staticmethod
    def _dedups(publishes: Sequence[Op]) -> bool:
        return any(one.item is not None and one.item.dedup_id is not None for one in publishes)


def summary(problems: Sequence[Problem]) -> str:
    """One line: how many of each kind, and the story of the first."""
    counts = Counter(one.kind for one in problems)
    numbers = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return f"{numbers}; first: {problems[0].story}" if problems else ""
