"""A node on the memory broker: the ordinary way of things."""

import threading

from worker_fakes import until

from kernel.model import states


def test_a_task_runs_and_its_result_is_stored(site):
    site.task("add", lambda x, y: x + y)
    site.start()
    task_id = site.send(args=(2, 3))
    assert site.result(task_id).result == 5
    until(site.settled)
    assert site.stop() == 0
    assert site.hooks.calls[0] == "kernel_worker_init"
    assert site.hooks.calls[-1] == "kernel_worker_shutdown"


def test_early_ack_is_before_the_body_and_late_ack_after_it(site):
    begun, go = threading.Event(), threading.Event()

    def body():
        begun.set()
        assert go.wait(30)

    site.task("early", body)
    site.task("late", body, acks_late=True)
    site.start()
    for name, held in (("early", 0), ("late", 1)):
        begun.clear()
        go.clear()
        site.send(name, ())
        assert begun.wait(30)
        assert site.depth().in_flight == held
        go.set()
        until(site.settled)


def test_a_failure_is_stored_and_settled_early_and_late(site):
    def fail():
        raise ValueError("no")

    site.task("early", fail)
    site.task("late", fail, acks_late=True)
    site.task("kept", fail, acks_late=True, acks_on_failure=False)
    site.start()
    for name in ("early", "late", "kept"):
        meta = site.result(site.send(name, ()))
        assert meta.status == states.FAILURE
        assert isinstance(meta.result, ValueError)
    until(site.settled)
    (kept,) = until(site.quarantined)
    assert "ValueError" in kept.dead_reason


def test_many_tasks_all_run_once(site):
    ran, lock = [], threading.Lock()

    def note(n):
        with lock:
            ran.append(n)

    site.task("note", note, ignore_result=True)
    site.start()
    for n in range(500):
        site.send("note", (n,))
    until(lambda: len(ran) >= 500)
    until(site.settled)
    site.stop()
    assert sorted(ran) == list(range(500))
