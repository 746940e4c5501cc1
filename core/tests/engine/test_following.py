"""What follows a task (features.md 1.2, wire.md 1.3 and 3)."""

import pytest

from kernel.engine.errbacks import errbacks_of
from kernel.engine.following import after_success
from kernel.errors import InvalidTaskError
from kernel.model.context import Request
from kernel.model.options import TaskOptions


def sig(task, *args, immutable=False, kind=None, options=None, **kwargs):
    return {
        "task": task,
        "args": list(args),
        "kwargs": kwargs,
        "options": options or {},
        "subtask_type": kind,
        "immutable": immutable,
    }


def calls_after_success(request, value):
    return list(after_success(request, value).calls)


class Task:
    def __init__(self, body, bind=False):
        self.name, self.body, self.bind = "t", body, bind
        self.task_options = TaskOptions("t")


def test_callbacks_get_the_value_first_and_keep_their_order():
    request = Request(id="t1", root_id="r", callbacks=[sig("add", 16), sig("log", immutable=True), sig("note", k=1)])
    add, log, note = calls_after_success(request, 4)
    assert (add.task, add.args) == ("add", (4, 16))
    assert (log.task, log.args) == ("log", ())
    assert (note.args, note.kwargs) == ((4,), {"k": 1})
    assert add.options["root_id"] == "r"
    assert add.options["parent_id"] == "t1"
    assert len({add.id, log.id, note.id}) == 3


def test_the_next_chain_step_takes_the_rest_along():
    steps = [sig("third"), sig("second", options={"task_id": "s2", "queue": "q"})]
    (call,) = calls_after_success(Request(id="t1", chain=steps), 8)
    assert (call.task, call.id, call.args) == ("second", "s2", (8,))
    assert [step["task"] for step in call.options["chain"]] == ["third"]
    assert call.options["queue"] == "q"
    (last,) = calls_after_success(Request(id="t1", chain=[sig("third")]), 9)
    assert "chain" not in last.options


def test_a_group_as_callback_becomes_its_members():
    group = sig("kernel.group", kind="group", tasks=[sig("a"), sig("b", 2)])
    a, b = calls_after_success(Request(id="t", callbacks=[group]), 1)
    assert (a.args, b.args) == ((1,), (1, 2))


def test_a_chain_as_callback_starts_with_its_first_step():
    chain = sig("celery.chain", kind="chain", tasks=[sig("a"), sig("b"), sig("c")])
    (first,) = calls_after_success(Request(id="t", callbacks=[chain]), 1)
    assert (first.task, first.args) == ("a", (1,))
    assert [step["task"] for step in first.options["chain"]] == ["c", "b"]
    empty = sig("celery.chain", kind="chain", tasks=[])
    assert calls_after_success(Request(id="t", callbacks=[empty]), 1) == []


def test_group_options_travel_under_their_name():
    (call,) = calls_after_success(Request(id="t", callbacks=[sig("a", options={"group": "g", "priority": None})]), 1)
    assert call.options["group_id"] == "g"
    assert "priority" not in call.options


@pytest.mark.parametrize(
    "callback",
    [
        5,
        {},
        {"task": ""},
        {"task": "a", "args": 5},
        {"task": "a", "kwargs": 5},
        sig("c", kind="chord", header=[sig("a")]),
        sig("c", kind="chord", header=[sig("a")], body=5),
        sig("c", kind="something"),
        sig("kernel.group", kind="group", tasks=5),
    ],
)
def test_callbacks_that_cannot_run(callback):
    with pytest.raises(InvalidTaskError):
        calls_after_success(Request(id="t", callbacks=[callback]), 1)


def test_errbacks_are_sorted_by_shape():
    tasks = {
        "three": Task(lambda request, exc, traceback: None),
        "two": Task(lambda request, exc: None),
        "one": Task(lambda uuid: None),
        "bound": Task(lambda self, request, exc, traceback: None, bind=True),
        "stored": Task(lambda mine, request, exc, traceback: None),
        "stars": Task(lambda *args: None),
        "builtin": Task(dict.fromkeys),
    }
    request = Request(
        id="t1", errbacks=[sig("stored", "x"), *(sig(n) for n in tasks if n != "stored"), sig("elsewhere")]
    )
    found = errbacks_of(request, tasks)
    direct = [errback.args for errback in found.direct]
    assert direct[0] == ("x",)
    sent = {call.task: call.args for call in found.calls}
    assert set(sent) >= {"one", "bound", "elsewhere"}
    assert not {"three", "two", "stars", "stored"} & set(sent)
    assert sent["one"] == ("t1",)
    assert errbacks_of(Request(id="t"), tasks).calls == ()


def test_children_are_what_follows_as_it_travels():
    following = after_success(Request(id="t", callbacks=[sig("a", options={"task_id": "x"})]), 1)
    assert following.children == ([["x", None], None],)
