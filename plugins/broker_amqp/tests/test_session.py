"""Acknowledging many in few frames, and never one too many; windows; results of a flight."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.contracts import Deadline
from kernel.errors import Applied, Code, DriverError
from plugin_broker_amqp import failures, frames
from plugin_broker_amqp.flight import Flight, Sent
from plugin_broker_amqp.properties import Properties, pack_header
from plugin_broker_amqp.session import Session


class FakeWire:
    """Takes what is written."""

    failure = None

    def __init__(self):
        self.written = []

    def open_channel(self, handler, deadline):
        del handler, deadline
        return 1

    def wait(self, done, end):
        del done, end
        return True

    def write(self, data, deadline):
        del deadline
        self.written += [payload for _, _, payload in frames.Cutter().feed(data)]

    def fail(self, error):
        self.failure = error
        return error


def new_session(count=0):
    session = Session(FakeWire(), ("q",), frozenset(), 1, Deadline.after(1))
    for tag in range(1, count + 1):
        deliver(session, tag)
    return session


def deliver(session, tag, consumer="0.1"):
    name = bytes((len(consumer),)) + consumer.encode()
    session.take(frames.METHOD, frames.DELIVER + name + pack(">Q", tag) + b"\x00\x00\x01q")
    session.take(frames.HEADER, pack_header(Properties(), 1))
    session.take(frames.BODY, b"x")


def acked(data, outstanding):
    """What a server takes away."""
    gone, count = set(), 0
    for _, _, payload in frames.Cutter().feed(data):
        tag, bits = frames.tag_and_bits(payload)
        gone |= {one for one in outstanding - gone if one <= tag} if bits & frames.MULTIPLE else {tag}
        count += 1
    return gone, count


@given(st.lists(st.sets(st.integers(1, 40)), max_size=8))
def test_acknowledging_in_any_order(batches):
    session = new_session(40)
    outstanding = set(range(1, 41))
    for batch in batches:
        wanted = batch & outstanding
        gone, _ = acked(session.acknowledge(set(batch)), outstanding)
        assert gone == wanted
        outstanding -= gone


def test_a_prefix_is_one_frame():
    session = new_session(100)
    gone, count = acked(session.acknowledge(set(range(1, 101)) - {60}), set(range(1, 101)))
    assert (len(gone), count) == (99, 41)
    assert acked(session.acknowledge({60}), {60}) == ({60}, 1)
    assert session.acknowledge({60}) == b""


def test_a_settlement_that_could_not_be_sent_ends_the_connection():
    """It counts as settled here: only when the server takes the deliveries back somebody gets them again."""
    session, late = new_session(3), failures.timeout("Sending", Applied.NOT_APPLIED)

    def write(data, deadline):
        raise late

    session.wire.write = write
    with pytest.raises(DriverError) as caught:
        session.barrier(session.acknowledge({1, 2}), Deadline.after(1))
    assert caught.value.outcome is Applied.NOT_APPLIED
    assert session.wire.failure is late
    assert session.lost


def test_windows_are_made_anew_only_when_they_must():
    session = new_session()
    assert session.open_windows(["q"], 10, Deadline.after(1))
    assert [one[:4] for one in session.wire.written] == [frames.QOS, frames.CONSUME, frames.QOS]
    assert not session.open_windows(["q"], 12, Deadline.after(1))
    for tag in range(1, 7):
        deliver(session, tag)
    assert session.open_windows(["q"], 10, Deadline.after(1)), "most of it is used up"
    assert [one[:4] for one in session.wire.written[3:]] == [frames.CANCEL, frames.CONSUME]
    deliver(session, 7)
    assert [(one.queue, one.tag) for one in session.arrived][-1] == ("q", 7), "what is late is still known"


def test_a_flight_knows_each_fate():
    flight = Flight(confirming=True)
    sent = [Sent(("", f"q{number % 2}", "same")) for number in range(6)]
    for one in sent:
        flight.depart(one)
    flight.take(frames.METHOD, frames.RETURN + pack(">H", 312) + b"\x00\x00\x02q1")
    flight.take(frames.HEADER, pack_header(Properties(message_id="same"), 2))
    flight.take(frames.BODY, b"xx")
    flight.take(frames.METHOD, frames.ack(1, 4, multiple=True)[7:-1])
    flight.take(frames.METHOD, frames.NACK + pack(">Q", 6) + b"\x00")
    assert [one.error.code if one.error else None for one in sent] == [
        None,
        Code.NOT_FOUND,
        None,
        None,
        None,
        Code.EXHAUSTED,
    ]
    assert ([one.done for one in sent], len(flight)) == ([True] * 4 + [False, True], 1)
