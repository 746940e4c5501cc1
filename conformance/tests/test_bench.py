"""Whatever a plugin does in a case, there is an outcome; a missing server is NOT RUN and never green."""

import sys
from dataclasses import replace

import pytest

from kernel_conformance import collect, saboteurs
from kernel_conformance.bench import Bench
from kernel_conformance.outcome import End, NotRun, Outcome
from kernel_conformance.registry import find_case
from kernel_conformance.server import Server, free_port


@pytest.fixture
def bench():
    with Bench() as made:
        yield made


def run(bench, saboteur, case_id, **gate):
    one = find_case(case_id)
    return bench.run(f"saboteur.{saboteur}", replace(one, gate=replace(one.gate, **gate)), 0)


def test_a_plugin_that_exits_fails_and_the_next_case_runs(bench):
    outcome = run(bench, "exit", "BRK-012")
    assert (outcome.end, outcome.detail) == (End.FAIL, "the process died (exit code 3)")
    assert run(bench, "control-memory", "BRK-012").end is End.PASS


def test_a_plugin_that_hangs_is_killed_and_its_stack_kept(bench):
    outcome = run(bench, "hang", "BRK-024", timeout_s=1.5)
    assert outcome.end is End.FAIL
    assert "did not end within 1.5 s" in outcome.detail
    assert "receive" in outcome.evidence


def test_what_a_plugin_does_wrong_is_told_with_the_history(bench):
    outcome = run(bench, "ack-no-op", "BRK-036")
    assert outcome.end is End.FAIL
    assert "came back" in outcome.detail


def test_a_case_without_its_fault_is_not_run_and_without_a_server_not_applicable(bench):
    assert run(bench, "control-memory", "BRK-042").end is End.NOT_RUN
    assert run(bench, "control-memory", "BRK-047").end is End.NOT_APPLICABLE
    assert run(bench, "control-memory", "BRK-021").end is End.UNCLAIMED


def test_a_server_that_does_not_start_is_not_run():
    server = Server(f"{sys.executable} -c 'raise SystemExit(\"no licence\")'", start_s=10)
    with pytest.raises(NotRun, match="no licence"):
        server.start()
    server.stop()
    with pytest.raises(NotRun, match="does not start"):
        Server("/no/such/program --port {port}").start()


def test_a_server_keeps_its_address_and_folder_over_a_kill():
    server = Server(f"{sys.executable} -m http.server {{port}} --bind {{host}} --directory {{dir}}")
    server.start()
    address = server.address
    server.kill()
    assert not server.running
    server.restart()
    assert (server.running, server.address) == (True, address)
    server.stop()
    assert not server.running


def test_free_ports_are_free():
    assert free_port() > 1023


def test_every_saboteur_names_cases_of_the_catalogue():
    known = saboteurs.all_saboteurs()
    assert len([one for one in known.values() if not one.control]) >= 25
    for one in known.values():
        assert one.killed_by, one.name
        assert one.wrong, one.name
        for case_id in one.killed_by:
            assert find_case(case_id) is not None, f"{one.name}: {case_id}"


@pytest.mark.parametrize(
    ("case_id", "ending"), [("BRK-008", pytest.fail.Exception), ("BRK-042", pytest.skip.Exception)]
)
def test_without_its_server_no_case_of_level_core_is_skipped(case_id, ending):
    one = find_case(case_id)
    assert (one.gate.level == "core") is (ending is pytest.fail.Exception)
    with pytest.raises(ending, match="NOT RUN: no server"):
        collect._conclude(one, Outcome(case_id, End.NOT_RUN, "no server"))


def test_one_line_gives_pytest_every_case():
    tests = collect.BrokerSuite.for_plugin("broker.memory")
    names = [name for name in dir(tests) if name.startswith("test_")]
    assert {"test_BRK_001", "test_BRK_066", "test_PLG_003"} <= set(names)
    tests.setup_class()
    try:
        tests().test_BRK_008()
        with pytest.raises(pytest.skip.Exception, match="N/A"):
            tests().test_BRK_047()
    finally:
        tests.teardown_class()
