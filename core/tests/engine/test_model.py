"""The values: states, topics, signatures, deadlines, errors."""

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import errors
from kernel.contracts.deadline import Deadline
from kernel.errors import Code, DriverError, InvalidTaskError
from kernel.model import states
from kernel.model.events import event, routing_key
from kernel.model.message import NO_EMBED
from kernel.model.signature import read_signature, with_partial
from kernel.model.topology import QueueSpec, binding_matches


def test_states_compare_by_precedence():
    state = states.state
    assert state(states.PENDING) < state(states.SUCCESS)
    assert state(states.SUCCESS) > state(states.PENDING)
    assert state(states.FAILURE) >= state(states.FAILURE)
    assert state(states.STARTED) <= state("PROGRESS")
    assert states.furthest([states.PENDING, "PROGRESS", states.STARTED]) == "PROGRESS"
    assert states.precedence("PROGRESS") == states.precedence("ANYTHING")


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("worker.#", "worker.online", True),
        ("worker.#", "worker", True),
        ("#", "", True),
        ("#", "a.b.c", True),
        ("*.b", "a.b", True),
        ("*.b", "a.a.b", False),
        ("a.*.c", "a.b.c", True),
        ("a.#.c", "a.c", True),
        ("a.#.c", "a.x.y.c", True),
        ("a.b", "a.b", True),
        ("a.b", "a.bb", False),
        ("a+b", "aab", False),
    ],
)
def test_topic_bindings(pattern, key, matches):
    assert binding_matches("topic", pattern, key) is matches


def oracle(pattern: list[str], key: list[str]) -> bool:
    if not pattern:
        return not key
    if pattern[0] == "#":
        return any(oracle(pattern[1:], key[i:]) for i in range(len(key) + 1))
    return bool(key) and pattern[0] in {"*", key[0]} and oracle(pattern[1:], key[1:])


@given(
    st.lists(st.sampled_from(["a", "b", "*", "#"]), min_size=1, max_size=6),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=6),
)
def test_topic_bindings_against_an_oracle(pattern, key):
    assert binding_matches("topic", ".".join(pattern), ".".join(key)) == oracle(pattern, key)


def test_other_exchanges():
    assert binding_matches("fanout", "x", "y")
    assert binding_matches("direct", "x", "x")
    assert not binding_matches("direct", "x", "y")
    assert QueueSpec("q").key == "q"
    assert QueueSpec("q", routing_key="k").key == "k"


def test_signatures():
    full = read_signature({"task": "a", "args": None})
    assert full == {"task": "a", "args": (), "kwargs": {}, "options": {}, "subtask_type": None, "immutable": False}
    assert with_partial({**full, "args": (2,)}, (1,))["args"] == (1, 2)
    assert with_partial({**full, "immutable": True}, (1,))["args"] == ()
    with pytest.raises(InvalidTaskError):
        read_signature([])


def test_events():
    assert routing_key("task-received") == "task.received"
    assert event("task-sent", 1.5, uuid="x") == {"type": "task-sent", "timestamp": 1.5, "uuid": "x"}
    assert NO_EMBED.to_wire() == {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def test_deadlines():
    assert Deadline.after(5).left() > 4
    assert not Deadline.after(5).passed
    with pytest.raises(DriverError, match="the ping did not finish") as caught:
        Deadline.after(-1).check("the ping")
    assert caught.value.code is Code.TIMEOUT
    assert Deadline.after(-1).left() == 0


def test_errors_pickle_and_print():
    error = DriverError(Code.EXHAUSTED, "full", retry_after=3, cure="Wait.")
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.retry_after, again.retryable) == (Code.EXHAUSTED, 3, True)
    assert again.one_line() == "full. Wait."
    refused = errors.OperationalError("no broker")
    assert type(pickle.loads(pickle.dumps(refused))) is errors.OperationalError
    assert errors.PluginError("E101", "no such plugin").one_line() == "E101: no such plugin"
    assert str(errors.NotRegistered("proj.add")) == "proj.add"
    assert str(errors.QueueNotFound("q")) == "q"
    assert errors.NotRegistered().one_line()
    assert repr(errors.Reject("full", requeue=True)) == "reject requeue=True: full"
    assert str(errors.Retry(exc=ValueError(1), when=3)) == "Retry in 3s: ValueError(1)"
    assert str(errors.Retry("later")) == "later"
    assert str(errors.Retry(when=3)) == "Retry in 3s"


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = set(re.findall(r"[A-Z]\w+", errors.__doc__ or ""))
    assert {name for name in errors.__all__ if name not in drawn} == {"Applied", "Code"}
