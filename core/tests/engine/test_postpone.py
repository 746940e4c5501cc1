"""Where a message waits, by what the broker can do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.contracts.capabilities import BrokerCaps, Limits
from kernel.engine.postpone import HOLD_S, TURN_S, GiveBack, Hold, SendAgain, postponement


def caps(*names, longest=None):
    return BrokerCaps(**dict.fromkeys(names, True), limits=Limits(max_delay_s=longest))


DAY = 86_400.0
TABLE = [
    ("the memory and sqlite brokers", caps("delay", "nack_delay", "attempts", "uncount"), GiveBack(DAY)),
    ("no exact attempts", caps("delay", "nack_delay"), GiveBack(DAY)),
    ("every delivery counts", caps("delay", "nack_delay", "attempts"), SendAgain(DAY)),
    ("SQS", caps("delay", "nack_delay", "attempts", longest=900), SendAgain(900)),
    ("only what is given back", caps("nack_delay", "attempts"), GiveBack(DAY)),
    ("the same, not for long", caps("nack_delay", longest=60), GiveBack(60)),
    ("only what is published", caps("delay"), SendAgain(DAY)),
    ("the same, not for long", caps("delay", longest=60), SendAgain(60)),
    ("nothing at all", caps(), Hold(TURN_S)),
    ("nothing but attempts", caps("attempts"), Hold(TURN_S)),
]


@pytest.mark.parametrize(("what", "broker", "wanted"), TABLE)
def test_far_off(what, broker, wanted):
    assert postponement(DAY, broker) == wanted


@pytest.mark.parametrize(("what", "broker", "wanted"), TABLE)
def test_due_in_a_moment(what, broker, wanted):
    assert postponement(HOLD_S / 2, broker, held=True) == Hold(HOLD_S / 2)


def test_after_a_turn_here_others_get_theirs():
    assert postponement(DAY, caps(), held=True) == SendAgain(0.0)
    assert postponement(TURN_S / 2, caps()) == Hold(TURN_S / 2)


@given(
    delay=st.floats(min_value=1e-6, max_value=1e9),
    names=st.sets(st.sampled_from(["delay", "nack_delay", "attempts", "uncount"])),
    longest=st.none() | st.floats(min_value=0.5, max_value=1e6),
    held=st.booleans(),
)
def test_never_held_for_long_and_never_delayed_beyond_its_time(delay, names, longest, held):
    how = postponement(delay, caps(*names, longest=longest), held=held)
    assert how.seconds <= delay
    assert not isinstance(how, Hold) or how.seconds <= TURN_S
    assert isinstance(how, Hold) or longest is None or how.seconds <= longest
    assert not (isinstance(how, GiveBack) and "nack_delay" not in names)
    assert not (isinstance(how, SendAgain) and how.seconds and "delay" not in names)
