"""What follows a task travels with it from one library to the other: links, error links, chains, groups."""

import pytest

from .conftest import Notes, Pair


def sig(name, *args, queue, immutable=False, **options):
    """A signature as a plain mapping (wire.md 3), which both libraries take."""
    return {
        "task": name,
        "args": list(args),
        "kwargs": {},
        "options": {"queue": queue, **options},
        "subtask_type": None,
        "immutable": immutable,
    }


def test_a_link_gets_the_result_on_the_other_side(pair: Pair, notes: Notes) -> None:
    link = sig("shared.write", queue=pair.back)
    link["args"] = []
    link["kwargs"] = {}
    echo = sig("shared.visit", queue=pair.back, link=[sig("shared.write_trail", str(notes), queue=pair.queue)])
    task_id = pair.client.send("shared.visit", ["sent"], queue=pair.queue, link=[echo])

    assert pair.client.value(task_id) == ["sent", pair.worker]

    (line,) = notes.wait()
    assert line["side"] == pair.worker
    assert line["trail"] == ["sent", pair.worker, pair.client.side]


def test_several_links_each_get_the_result(pair: Pair, notes: Notes) -> None:
    links = [sig("shared.write_trail", f"{notes}", queue=queue) for queue in (pair.queue, pair.back)]
    pair.client.send("shared.visit", [], queue=pair.queue, link=links)
    assert sorted(line["side"] for line in notes.wait(2)) == ["celery", "kernel"]
    assert all(line["trail"] == [pair.worker] for line in notes.lines())


def test_an_immutable_link_keeps_its_arguments(pair: Pair, notes: Notes) -> None:
    link = sig("shared.write", str(notes), "mine", queue=pair.back, immutable=True)
    pair.client.send("shared.add", 1, 2, queue=pair.queue, link=[link])
    (line,) = notes.wait()
    assert (line["side"], line["values"]) == (pair.client.side, ["mine"])


@pytest.mark.parametrize("where", ["queue", "back"])
def test_an_error_link_gets_the_failed_tasks_id(pair: Pair, notes: Notes, where: str) -> None:
    link = sig("shared.failed", str(notes), queue=getattr(pair, where))
    task_id = pair.client.send("shared.fail", "builtin", queue=pair.queue, link_error=[link])
    assert pair.client.error(task_id)["builtin"]
    (line,) = notes.wait()
    assert line["failed"] == task_id
    assert line["root"] == task_id


def test_an_error_link_is_not_run_after_success_nor_a_link_after_failure(pair: Pair, notes: Notes) -> None:
    links = {"link": [sig("shared.write", str(notes), "wrong", queue=pair.queue, immutable=True)]}
    failed = pair.client.send("shared.fail", "builtin", queue=pair.queue, **links)
    links = {"link_error": [sig("shared.write", str(notes), "wrong", queue=pair.queue, immutable=True)]}
    fine = pair.client.send("shared.add", 1, 1, queue=pair.queue, **links)
    assert pair.client.error(failed)
    assert pair.client.value(fine) == 2
    for queue in (pair.queue, pair.back):
        assert pair.client.value(pair.client.send("shared.whoami", queue=queue))
    assert notes.lines() == []


def test_a_chain_whose_steps_alternate(pair: Pair) -> None:
    queues = [pair.queue, pair.back, pair.queue, pair.back]
    steps = [sig("shared.visit", *([[]] if number == 0 else []), queue=queue) for number, queue in enumerate(queues)]
    last = pair.client.ask("chain", steps=steps)
    assert pair.client.value(last) == [pair.worker, pair.client.side] * 2


def test_a_chain_that_breaks_on_the_other_side_runs_no_further_step(pair: Pair, notes: Notes) -> None:
    steps = [
        sig("shared.fail", "shared", queue=pair.queue),
        sig("shared.write", str(notes), "wrong", queue=pair.back, immutable=True),
    ]
    steps[0]["options"]["link_error"] = [sig("shared.failed", str(notes), queue=pair.back)]
    pair.client.ask("chain", steps=steps)
    (line,) = notes.wait()
    assert line["side"] == pair.client.side
    assert pair.client.value(pair.client.send("shared.whoami", queue=pair.back)) == pair.client.side
    assert len(notes.lines()) == 1


def test_the_ids_of_a_workflow(pair: Pair) -> None:
    """Every step knows its root and its parent, whoever ran the step before."""
    steps = [sig("shared.request", queue=queue) for queue in (pair.queue, pair.back)]
    second = pair.client.ask("chain", steps=steps)
    seen = pair.client.value(second)
    first = seen["args"][0]
    assert first["side"] == pair.worker
    assert (first["root_id"], first["parent_id"]) == (first["id"], None)
    assert (seen["root_id"], seen["parent_id"]) == (first["id"], first["id"])


def test_a_group_over_both_workers(pair: Pair) -> None:
    members = [sig("shared.request", number, queue=queue) for number, queue in enumerate([pair.queue, pair.back] * 3)]
    ids = pair.client.ask("group", members=members)
    seen = [pair.client.value(task_id) for task_id in ids]
    assert [one["args"] for one in seen] == [[number] for number in range(6)]
    assert [one["side"] for one in seen] == [pair.worker, pair.client.side] * 3
    assert len({one["group"] for one in seen}) == 1
    assert [one["group_index"] for one in seen] == list(range(6))


def test_a_retry_keeps_links_and_the_rest_of_a_chain(pair: Pair, notes: Notes) -> None:
    steps = [sig("shared.flaky", 1, queue=pair.queue), sig("shared.write_trail", str(notes), queue=pair.back)]
    pair.client.ask("chain", steps=steps)
    (line,) = notes.wait()
    assert line["side"] == pair.client.side
    assert line["trail"]["retries"] == 1


def test_a_task_calls_a_task_of_the_other_worker(pair: Pair) -> None:
    outcome = pair.client.outcome(pair.client.send("shared.call_other", pair.back, queue=pair.queue))
    assert outcome["state"] == "SUCCESS"
    assert outcome["children"] == [outcome["value"]]
