"""Starting workflows from their wire form, whoever sent them, and what falls with a failure (features.md 2.1)."""

import pytest

from kernel.engine.falling import Fall, after_failure, first_tasks, membership, readable_fall
from kernel.engine.following import after_success, launched
from kernel.errors import InvalidTaskError
from kernel.model.canvas import freeze, result_form, tasks_below
from kernel.model.context import Request
from kernel.model.nodes import Kind, kind_of, read_node
from kernel.model.tail import Tail, attach, read_tail


def sig(task, *args, kind=None, options=None, immutable=False, **kwargs):
    return {
        "task": task,
        "args": list(args),
        "kwargs": kwargs,
        "options": dict(options or {}),
        "subtask_type": kind,
        "immutable": immutable,
    }


def chain(*tasks, **options):
    return sig("celery.chain", kind="chain", tasks=list(tasks), options=options)


def group(*tasks, **options):
    return sig("celery.group", kind="group", tasks=list(tasks), options=options)


def chord(header, body, **options):
    return sig("celery.chord", kind="chord", header=header, body=body, options=options)


def named(task, **options):
    return sig(task, options={"task_id": task, **options})


def start(node, *args, request=None):
    return launched([read_node(node)], args, request or Request(id="parent", root_id="root"))


def test_kinds_by_type_or_by_name():
    assert [kind_of(each) for each in (sig("a"), chain(), group(), chord([], sig("b")))] == list(Kind)
    assert kind_of({**chain(), "subtask_type": None}) is Kind.CHAIN
    with pytest.raises(InvalidTaskError, match="unknown type"):
        kind_of(sig("a", kind="odd"))


def test_a_header_may_be_a_list():
    node = read_node(chord([sig("a"), sig("b")], sig("c")))
    assert node["kwargs"]["header"]["subtask_type"] == "group"


def test_a_group_with_a_step_after_it_is_a_chord():
    following = start(chain(group(named("a"), named("b"), task_id="g"), named("c"), named("d")))
    a, b = following.calls
    assert [call.options["group_index"] for call in (a, b)] == [0, 1]
    assert a.options["chord"]["task"] == "c"
    assert [step["task"] for step in a.options["chord"]["options"]["chain"]] == ["d"]
    ((key, size),) = [(each.key, each.size) for each in following.joins]
    assert (key, size) == ("g", 2)
    assert following.children == (
        [["d", [["c", [["g", None], [[["a", None], None], [["b", None], None]]]], None]], None],
    )


def test_options_of_a_chord():
    whole = chord(
        [named("a")], named("b"), countdown=5, queue="q", link=[named("after")], link_error=named("told"), priority=3
    )
    (call,) = start(whole).calls
    assert (call.options["countdown"], call.options["queue"], call.options["priority"]) == (5, "q", 3)
    body = call.options["chord"]["options"]
    assert "countdown" not in body
    assert body["queue"] == "q"
    assert (body["link"], body["link_error"]) == ([named("after")], [named("told")])
    assert "link" not in call.options


def test_what_a_group_says_of_its_members():
    inner = group(named("b"), named("c"), queue="inner", link=[named("after")])
    following = start(group(named("a"), {**inner, "args": [7]}, countdown=2), 1)
    a, b, _c = following.calls
    assert [call.options["countdown"] for call in following.calls] == [2, 2, 2]
    assert (a.args, b.args) == ((1,), (1, 7))
    assert b.options["queue"] == "inner"
    assert b.options["link"] == [named("after")]
    assert "link" not in a.options
    assert [call.options["group_index"] for call in following.calls] == [0, 1, 2]


def test_a_group_as_a_step_of_another_client_that_counts_its_members_itself():
    """Its members carry the outer chord already: the group is no chord of its own (see wire.md 11.2)."""
    body = named("body")
    members = [named(name, chord=body, group_id="outer", group_index=i) for i, name in enumerate("ab")]
    following = start(group(*members, task_id="inner", chord=body, group_id="outer", group_index=0))
    assert [(call.options["group_id"], call.options["chord"]["task"]) for call in following.calls] == [
        ("outer", "body"),
        ("outer", "body"),
    ]
    assert following.joins == ()


def test_a_group_that_something_waits_for_is_accumulated():
    body = {**named("body"), "chord_size": 1}
    waiting = group(named("a"), task_id="inner", chord=body, group_id="outer", group_index=4)
    (call,) = start(waiting).calls
    inner = call.options["chord"]
    assert (inner["task"], inner["kwargs"]) == ("celery.accumulate", {"index": 0})
    assert (inner["options"]["group_id"], inner["options"]["group_index"]) == ("outer", 4)
    assert start(waiting).calls[0].options["chord"]["options"]["task_id"] == inner["options"]["task_id"]


def test_an_immutable_workflow_takes_nothing():
    for whole in (chain(named("a"), named("b")), group(named("a")), chord([named("a")], named("b"))):
        (call,) = start({**whole, "immutable": True}, 5).calls
        assert call.args == ()


def test_an_empty_workflow_starts_nothing():
    assert start(chain()).calls == start(group()).calls == ()
    (call,) = start(chord([], named("b"))).calls
    assert call.args == ([],)
    assert attach(read_node(chain()), Tail(links=(named("a"),)))["kwargs"]["tasks"] == []


def test_further_steps_come_before_what_is_linked():
    (call,) = start(chain(named("a"), chain=[named("c"), named("b")], link=[named("after")])).calls
    c, b = call.options["chain"]
    assert (b["task"], c["task"]) == ("b", "c")
    assert c["options"]["link"] == [named("after")]
    more = attach(read_node(named("a", chain=[named("b")])), Tail(chain=(named("c"),), links=(named("after"),)))
    (b,) = more["options"]["chain"]
    assert [step["task"] for step in b["options"]["chain"]] == ["c"]


def test_ids_are_the_same_each_time():
    unnamed = chain(sig("a"), group(sig("b"), sig("c")), sig("d"))
    first, again = start(unnamed), start(unnamed)
    assert [call.id for call in first.calls] == [call.id for call in again.calls]
    assert first.children == again.children
    assert after_success(Request(id="t", callbacks=[sig("a")]), 1).calls[0].id == (
        after_success(Request(id="t", callbacks=[sig("a")]), 2).calls[0].id
    )


def test_the_end_of_a_frozen_workflow_has_the_id_it_was_given():
    for whole in (chain(sig("a"), sig("b")), chord([sig("a")], sig("b")), sig("b")):
        node = read_node(whole)
        freeze(node, iter(["x", "y", "z"]).__next__, "mine")
        assert result_form(node)[0][0] == "mine"
        assert "mine" in [each["options"]["task_id"] for each in tasks_below(node)]


def test_what_falls_with_a_failed_step():
    body = {**named("body"), "chord_size": 2}
    last = named("z", chord=body, group_id="g", group_index=1)
    request = Request(
        id="t",
        chain=[last, chord([named("h")], named("b", chain=[named("c")])), group(named("m"), named("n"))],
        chord=body,
        group="own",
    )
    fall = after_failure(request)
    assert [node["task"] for node in fall.tasks] == ["m", "n", "h", "b", "c", "z"]
    assert [(part.key, part.name, part.size) for part in fall.parts] == [("own", "999999:t", 2), ("g", "000001:z", 2)]
    assert [part.request for part in fall.parts] == [request, request]


def test_a_step_that_cannot_be_read_falls_unseen():
    request = Request(id="t", chain=[5], chord={**named("body"), "chord_size": True}, group="g", group_index=0)
    with pytest.raises(InvalidTaskError):
        after_failure(request)
    (part,) = readable_fall(request).parts
    assert part.name == "000000:t"
    assert readable_fall(Request(id="t", chain=[5])) == Fall(Request(id="t", chain=[5]))
    assert membership(Request(id="t", group="g")) is None


def test_whose_errbacks_hear_of_a_fall():
    told = named("told")
    whole = chain(chord([named("a")], group(named("b"), chain(named("c"), named("d")), link_error=[told])), named("e"))
    heard = list(first_tasks(read_node(whole)))
    assert [node["task"] for node in heard] == ["b", "c"]
    assert all(node["options"]["link_error"] == [told] for node in heard)
    assert list(first_tasks(read_node(chain()))) == []


def test_a_tail_is_nothing_without_anything_in_it():
    assert not read_tail({"queue": "q"})
    assert read_tail({"link": named("a")}).links == (named("a"),)
