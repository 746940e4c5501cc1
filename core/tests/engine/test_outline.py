"""Messages filled into an outline are those that are worked out: every header, property and byte."""

from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel import Kernel
from kernel.contracts.broker import Outgoing
from kernel.engine.outline import Outlines
from kernel.model.call import Call
from kernel.runtime.publisher import Publisher

IDS = st.uuids().map(str)
TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
PLACES = st.fixed_dictionaries(
    {},
    optional={
        "group_id": st.none() | IDS,
        "group_index": st.integers(0, 9),
        "root_id": st.none() | IDS,
        "parent_id": st.none() | IDS,
        "add_to_parent": st.booleans(),
    },
)
CALLS = st.builds(
    Call,
    task=st.sampled_from(["plain", "declared", "unknown"]),
    args=st.lists(VALUES, max_size=3).map(tuple),
    kwargs=st.dictionaries(TEXT, VALUES, max_size=3),
    id=IDS,
    options=PLACES,
)


@pytest.fixture(
    scope="module",
    params=[
        {},
        {"namespace": "celery"},
        {"task_compression": "gzip", "task_repr_maxlevels": 1},
        {"task_routes": {"plain": {"queue": "elsewhere", "priority": 3, "time_limit": 9}}},
        {"task_protocol": 1},
    ],
    ids=["defaults", "celery", "compressed", "routed", "protocol 1"],
)
def app(request):
    url = f"memory://outline-{abs(hash(str(request.param)))}"
    with Kernel("outline", broker=url, backend=url, set_as_current=False, **request.param) as made:

        @made.task(name="plain")
        def plain(*args, **kwargs): ...

        @made.task(name="declared", queue="other", priority=5, ignore_result=True, soft_time_limit=3)
        def declared(*args, **kwargs): ...

        yield made


def facts(parcel):
    item, specs, headers = parcel
    values = {field.name: getattr(item, field.name) for field in fields(Outgoing)}
    return {**values, "headers": [*item.headers.items()]}, specs, headers


@settings(max_examples=60, deadline=None)
@given(first=CALLS, others=st.lists(CALLS, max_size=4))
def test_an_outline_gives_what_working_out_gives(app, first, others) -> None:
    publisher: Publisher = app.client.services.publisher
    publisher._outlines = Outlines(app.config, app.client.services.codec)

    for call in (first, *others, first):
        declared = app._declared(call.task)
        worked_out = publisher._worked_out(call, declared, 0.0)
        assert [facts(one) for one in publisher._parcels(call, 0.0)] == [facts(one) for one in worked_out]


@pytest.mark.parametrize(
    "options",
    [
        {"queue": "apart"},
        {"priority": 7},
        {"headers": {"a": 1}},
        {"expires": datetime(2100, 1, 1, tzinfo=UTC)},
        {"countdown": 9.0},
        {"link": [{"task": "plain", "args": [], "kwargs": {}, "options": {}, "subtask_type": None}]},
        {"retries": 2},
        {"stamps": {"a": 1}, "stamped_headers": ["a"]},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_one_call_says_is_for_that_call_only(app, options) -> None:
    publisher: Publisher = app.client.services.publisher
    publisher._outlines = Outlines(app.config, app.client.services.codec)
    plain, special = Call("plain", (1,), {}, "a"), Call("plain", (1,), {}, "b", options)
    before = facts(publisher._parcels(plain, 0.0)[0])

    for _ in range(2):
        worked_out = publisher._worked_out(special, app._declared("plain"), 0.0)
        assert [facts(one) for one in publisher._parcels(special, 0.0)] == [facts(one) for one in worked_out]

    assert facts(publisher._parcels(plain, 0.0)[0]) == before


def test_a_task_that_changes_has_another_outline() -> None:
    with Kernel("changing", broker="memory://changing", backend="memory://changing", set_as_current=False) as app:

        @app.task
        def changing(): ...

        def sent():
            return app.client.services.publisher._parcels(Call(changing.name, (), {}, "i"), 0.0)[0].item

        assert (sent().queue, sent().queue) == ("kernel", "kernel")
        changing.queue = "elsewhere"
        changing.priority = 4
        assert [(one.queue, one.priority) for one in (sent(), sent())] == [("elsewhere", 4)] * 2


def test_messages_share_nothing_that_can_be_changed() -> None:
    with Kernel("sharing", broker="memory://sharing", backend="memory://sharing", set_as_current=False) as app:
        sent = [app.client.services.publisher._parcels(Call("t", (), {}, "i"), 0.0)[0].item for _ in range(3)]
        for item in sent[:2]:
            item.headers["timelimit"][0] = 99
            item.headers["stamps"]["x"] = 1
            item.headers["mine"] = 1

        assert sent[2].headers["timelimit"] == [None, None]
        assert sent[2].headers["stamps"] == {}
        again = app.client.services.publisher._parcels(Call("t", (), {}, "i"), 0.0)[0].item
        assert again.headers == {**sent[2].headers}


def test_a_router_that_looks_at_arguments_is_always_asked() -> None:
    def by_argument(name, args, kwargs, options, task=None):
        return {"queue": f"q{args[0]}"}

    with Kernel(
        "routing", broker="memory://routing", backend="memory://routing", set_as_current=False,
        task_routes=(by_argument,),
    ) as app:  # fmt: skip
        publisher = app.client.services.publisher
        queues = [publisher._parcels(Call("t", (number,), {}, "i"), 0.0)[0].item.queue for number in (1, 2, 3)]

    assert queues == ["q1", "q2", "q3"]
