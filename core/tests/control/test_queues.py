"""Queues taken up and left while a worker runs."""

import time

from control_fleet import until


def test_a_queue_is_taken_up_and_left(fleet):
    with fleet.worker():
        waiting = fleet.send("add", 1, 1, queue="mail")
        assert fleet.tell("add_consumer", queue="mail") == {"ok": "add consumer mail"}
        assert waiting.get(timeout=20) == 2
        assert fleet.tell("add_consumer", queue="mail") == {"ok": "already consuming from mail"}
        until(lambda: [each["name"] for each in fleet.inspect.active_queues()] == ["kernel", "mail"])
        assert fleet.send("add", 2, 2).get(timeout=20) == 4
        assert fleet.tell("cancel_consumer", queue="mail") == {"ok": "no longer consuming from mail"}
        until(lambda: [each["name"] for each in fleet.inspect.active_queues()] == ["kernel"])
        assert fleet.tell("cancel_consumer", queue="mail") == {"error": "not consuming from mail"}
        left = fleet.send("add", 3, 3, queue="mail")
        assert fleet.send("add", 4, 4).get(timeout=20) == 8
        assert left.state == "PENDING"
        assert fleet.tell("add_consumer", queue="mail") == {"ok": "add consumer mail"}
        assert left.get(timeout=20) == 6


def test_a_worker_without_queues_rests_and_comes_back(fleet):
    with fleet.worker():
        assert fleet.tell("cancel_consumer", queue="kernel") == {"ok": "no longer consuming from kernel"}
        until(lambda: fleet.inspect.active_queues() == [])
        waiting = fleet.send("add")
        began = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - began < 0.25, "it does not spin"
        assert waiting.state == "PENDING"
        assert fleet.tell("add_consumer", queue="kernel") == {"ok": "add consumer kernel"}
        assert waiting.get(timeout=20) == 3


def test_what_was_taken_from_a_queue_that_is_left_is_finished(fleet):
    fleet.app.conf.task_acks_late = True
    with fleet.worker():
        held = fleet.send("hold", queue="kernel")
        assert fleet.begun.wait(20)
        fleet.tell("cancel_consumer", queue="kernel")
        fleet.release.set()
        assert held.get(timeout=20) == "held"
        fleet.tell("add_consumer", queue="kernel")
        assert fleet.send("add").get(timeout=20) == 3
        until(lambda: fleet.inspect.stats()["total"] == {"hold": 1, "add": 1})


def test_a_queue_by_its_exchange(fleet):
    with fleet.worker():
        answer = fleet.tell("add_consumer", queue="news", exchange="world", exchange_type="topic", routing_key="eu.#")
        assert answer == {"ok": "add consumer news"}
        until(lambda: len(fleet.inspect.active_queues()) == 2)
        news = fleet.inspect.active_queues()[1]
        assert (news["exchange"]["name"], news["exchange"]["type"], news["routing_key"]) == ("world", "topic", "eu.#")
        assert "exchange type" in fleet.tell("add_consumer", queue="x", exchange_type="cube")["error"]
        assert "does not know" in fleet.tell("add_consumer", queue="x", colour="red")["error"]
        assert "must be texts" in fleet.tell("add_consumer", queue=3)["error"]


def test_no_queue_is_made_where_none_is_to_be_made(fleet):
    fleet.app.conf.task_create_missing_queues = False
    with fleet.worker():
        assert "is not configured" in fleet.tell("add_consumer", queue="typo")["error"]
