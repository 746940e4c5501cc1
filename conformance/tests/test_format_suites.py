"""The suites of backends, serializers, compressors and routers: sound plugins pass, spoilt ones are killed."""

import pytest

from kernel_conformance import saboteurs
from kernel_conformance.bench import Bench
from kernel_conformance.executor import gate
from kernel_conformance.harness import Harness
from kernel_conformance.judgement import Judged, Verdict, give_verdict, sort_claims
from kernel_conformance.outcome import End
from kernel_conformance.registry import cases_for
from kernel_conformance.run import Plan, run_suite
from kernel_conformance.saboteurs import routers
from kernel_conformance.selftest import run_selftest

CHEAP = {
    "loose-counter", "join-wins-twice", "join-claims-for-ever", "join-never-done", "makes-up-pending",
    "unsafe-yaml-tag", "string-keys", "error-without-path", "accepts-junk", "default-bound",
    "per-process-hash", "modulo-shards", "shards-by-module", "swallows-errors",
}  # fmt: skip
"""Saboteurs that die quickly; `kernel conformance selftest` runs them all."""


@pytest.mark.parametrize(
    "plugin",
    ["backend.memory", "backend.sqlite", "serializer.json", "serializer.pickle", "compression.zlib", "router.config"],
)
def test_the_built_in_plugins_conform_at_level_core(plugin):
    report = run_suite(Plan(plugin, levels=("core",), only=("BKD", "SER", "CMP", "RTR")))
    assert [(one.case.id, one.outcome.detail) for one in report.judged if one.outcome.end is not End.PASS] == []
    assert report.judged


def test_cheap_saboteurs_are_killed_by_each_case_that_names_them():
    chosen = [saboteurs.find(name) for name in sorted(CHEAP)]
    assert {kill.saboteur.name: kill.missed for kill in run_selftest(chosen) if not kill.killed} == {}


def test_every_saboteur_names_cases_of_its_kind():
    for name, saboteur in saboteurs.all_saboteurs().items():
        known = {one.id for one in cases_for(saboteur.kind)}
        assert saboteur.killed_by, name
        assert set(saboteur.killed_by) <= known, name


@pytest.mark.parametrize("case_id", [one.id for one in cases_for("router") if one.id.startswith("RTR")])
def test_what_the_spoilt_routers_are_made_of_is_sound(case_id):
    (one,) = [found for found in cases_for("router") if found.id == case_id]
    harness = routers.SpoiltHarness(routers.Sound)
    if gate(one, harness) is None:
        suite = one.suite(harness, routers.Sound, 0)
        suite.setup()
        getattr(suite, one.method)()
        suite.teardown()


def test_a_capability_that_a_case_proves_on_the_side_is_proven_only_when_it_passes():
    catalogue = cases_for("compression")
    (flips,) = [one for one in catalogue if one.id == "CMP-016"]
    assert flips.gate.proves == ("checksum",)
    with Bench() as bench:
        outcome = bench.run("saboteur.false-checksum", flips, 0)
    judged = [Judged(flips, outcome)]
    claims = sort_claims(["checksum"], catalogue, judged)
    assert claims.unproven == (("checksum", "CMP-016 FAIL"),)
    assert give_verdict(judged, claims, ("core",)) is Verdict.NON_CONFORMANT


def test_a_harness_without_a_reference_tool_does_not_claim_to_be_checked_against_one():
    from kernel_conformance import CompressionHarness

    class Plain(CompressionHarness):
        def subjects(self):
            return (saboteurs.find("accepts-junk").harness().subjects()[0],)

    assert Plain().claims() == {"checksum"}
    assert isinstance(Plain(), Harness)
