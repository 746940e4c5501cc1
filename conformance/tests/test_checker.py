"""The judge of histories finds each kind of problem, and none where there is an excuse."""

import pytest

from kernel.contracts import Delivery, Outgoing, Settle, SettleKind
from kernel_conformance.checker import Rules, check, recovered
from kernel_conformance.history import History, Phase, Verb


class Story:
    """Writes a history by hand."""

    def __init__(self):
        self.history = History()

    def publish(self, name, phase=Phase.OK, **fields):
        op = self.history.publishing(Outgoing("q", fields.pop("body", b"x"), {}, name, **fields))
        self.history.end(op, phase)
        return self

    def receive(self, name, *, body=b"x", attempt=1, lease_until=None, source=1, at=None):
        delivery = Delivery(Outgoing("q", body, {}, name), name, attempt, attempt > 1, lease_until)
        self.history.received([delivery], source, 0.0)
        if at is not None:
            self.history.ops[-1].ended_at = at
        self.last = delivery
        return self

    def settle(self, kind, phase=Phase.OK, seconds=0.0):
        self.history.end(self.history.settling(Settle(self.last, kind, seconds), 1), phase)
        return self

    def fault(self):
        self.history.happened(Verb.FAULT, "boom")
        return self

    def kinds(self, **rules):
        return sorted({one.kind for one in check(self.history, Rules(**rules))})


ACK, RELEASE = SettleKind.ACK, SettleKind.RELEASE


def test_a_sound_history_has_no_problem():
    story = Story().publish("a").publish("b").receive("a").settle(ACK).receive("b").settle(RELEASE)
    assert story.receive("b", attempt=2).settle(ACK).kinds(ordered=frozenset({"q"}), late_s=5.0) == []


def test_lost():
    assert Story().publish("a").kinds() == ["lost"]
    assert Story().publish("a").kinds(drained=False) == []
    assert Story().publish("a").kinds(gone=frozenset({"a"})) == []
    assert Story().publish("a", Phase.INFO).kinds() == []
    assert Story().publish("a", Phase.FAIL).kinds() == []
    assert Story().publish("a").publish("a").receive("a").kinds() == ["lost"]


def test_unexpected_and_torn():
    assert Story().receive("a").kinds() == ["unexpected"]
    assert Story().publish("a", Phase.FAIL).receive("a").kinds() == ["unexpected"]
    assert Story().publish("a").receive("a", body=b"y").kinds() == ["torn"]


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (Story().publish("a").receive("a").receive("a"), ["duplicate"]),
        (Story().publish("a").receive("a").settle(RELEASE).receive("a"), []),
        (Story().publish("a").receive("a").fault().receive("a"), []),
        (Story().publish("a").receive("a", lease_until=1.0).receive("a"), []),
        (Story().publish("a").receive("a", lease_until=1e12).receive("a"), ["duplicate"]),
        (Story().publish("a", Phase.INFO).receive("a").receive("a"), []),
    ],
)
def test_a_duplicate_needs_an_excuse(story, expected):
    assert story.kinds() == expected


def test_a_message_that_comes_back_after_its_acknowledgement():
    story = Story().publish("a").receive("a").settle(ACK).fault().receive("a")
    assert story.kinds() == ["redelivered-after-ack"]
    assert Story().publish("a").receive("a").settle(ACK, Phase.INFO).fault().receive("a").kinds() == []


def test_early_and_late():
    assert Story().publish("a", delay_s=60.0).receive("a").kinds() == ["early"]
    assert Story().publish("a", delay_s=60.0).receive("a", at=9e9).kinds() == []
    assert Story().publish("a").receive("a", at=9e9).kinds(late_s=1.0) == ["late"]
    held = Story().publish("a").receive("a").settle(RELEASE, seconds=60.0).receive("a", attempt=2)
    assert held.kinds() == ["early"]


def test_reordered_and_overtaken():
    story = Story().publish("a").publish("b").receive("b").receive("a")
    assert story.kinds() == []
    assert story.kinds(ordered=frozenset({"q"})) == ["reordered"]
    group = Story().publish("a", group="g").publish("b", group="g").receive("a").receive("b")
    assert group.kinds(one_in_flight=True) == ["overtaken"]
    settled = Story().publish("a", group="g").publish("b", group="g").receive("a").settle(ACK).receive("b")
    assert settled.kinds(one_in_flight=True) == []


def test_what_was_doubtful_and_came():
    assert recovered(Story().publish("a", Phase.INFO).publish("b", Phase.INFO).receive("a").history) == 1
