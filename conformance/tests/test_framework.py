"""Cases, gates, verdicts and the process that runs them: nothing a plugin does ends the suite."""

import json
from datetime import date
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from kernel.runtime.plugins import discover
from kernel_conformance import cli
from kernel_conformance.bench import Bench
from kernel_conformance.cases import LEVELS, Case, case, cases_of
from kernel_conformance.issues import Issue, read_issues
from kernel_conformance.judgement import Judged, Verdict, give_verdict, highest_level, sort_claims
from kernel_conformance.outcome import End, Outcome
from kernel_conformance.registry import KINDS, cases_for


def made(case_id, *, needs=(), faults=()):
    class Made:
        @case(case_id, needs=needs, faults=faults)
        def it(self):
            """A promise.

            Broken by: something.
            """

    return cases_of(Made)[0]


def judged(one: Case, end: End) -> Judged:
    return Judged(one, Outcome(one.id, end))


CORE = made("BRK-001")
LEASE = made("BRK-039", needs=("lease",))
LEASE_CUT = made("BRK-041", needs=("lease",), faults=("proxy",))
ALL = [CORE, LEASE, LEASE_CUT]


def test_a_case_needs_an_id_a_promise_and_its_usual_breakage():
    with pytest.raises(ValueError, match="BRK-042"):
        case("BRK-1")
    with pytest.raises(ValueError, match="Broken by"):

        @case("BRK-001")
        def it(self):
            """Only a promise."""


def test_levels_follow_from_the_gate():
    assert [one.gate.level for one in ALL] == list(LEVELS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_case_in_the_catalogue_is_well_formed(kind):
    for one in cases_for(kind):
        assert one.title.endswith("."), f"{one.id}: {one.title!r}"
        assert len(one.title) < 140, one.id
        assert one.broken_by, one.id


@pytest.mark.parametrize("end", [End.FAIL, End.NOT_RUN, End.KNOWN, End.UNCLAIMED, End.NOT_APPLICABLE])
def test_a_claim_is_never_proven_unless_all_its_cases_passed(end):
    for bad in (LEASE, LEASE_CUT):
        ends = [judged(one, end if one is bad else End.PASS) for one in ALL]
        claims = sort_claims(["lease"], ALL, ends)
        if end in {End.UNCLAIMED, End.NOT_APPLICABLE}:
            continue
        assert claims.proven == ()
        assert claims.unproven == (("lease", f"{bad.id} {end}"),)
        assert give_verdict(ends, claims, LEVELS) is not Verdict.CONFORMANT
    none = [judged(CORE, End.PASS), judged(LEASE, end), judged(LEASE_CUT, end)]
    assert sort_claims(["lease"], ALL, none).proven == ()


def test_a_claim_whose_cases_were_left_out_or_do_not_exist_is_unproven():
    claims = sort_claims(["lease", "tea"], ALL, [judged(CORE, End.PASS), judged(LEASE, End.PASS)])
    assert claims.proven == ()
    assert dict(claims.unproven) == {"lease": "not in this run: BRK-041", "tea": "no case tests it"}


def test_a_claim_with_all_cases_passed_is_proven():
    ends = [judged(one, End.PASS) for one in ALL]
    claims = sort_claims(["lease"], ALL, ends)
    assert (claims.proven, claims.unproven) == (("lease",), ())
    assert give_verdict(ends, claims, LEVELS) is Verdict.CONFORMANT
    assert highest_level(ends, LEVELS) == "all"


def test_verdicts():
    proven = sort_claims([], ALL, [])
    assert give_verdict([judged(CORE, End.FAIL)], proven, LEVELS) is Verdict.NON_CONFORMANT
    assert give_verdict([judged(CORE, End.KNOWN)], proven, LEVELS) is Verdict.PARTIAL
    assert give_verdict([judged(CORE, End.NOT_RUN)], proven, LEVELS) is Verdict.NOT_RUN
    assert give_verdict([], proven, LEVELS) is Verdict.NOT_RUN
    other = made("BRK-002")
    mixed = [judged(CORE, End.NOT_RUN), judged(other, End.PASS)]
    assert give_verdict(mixed, proven, LEVELS) is Verdict.NON_CONFORMANT


def test_a_badge_says_no_more_than_what_ran():
    ends = [judged(CORE, End.PASS), judged(LEASE, End.PASS), judged(LEASE_CUT, End.NOT_RUN)]
    assert highest_level(ends, LEVELS) == "extended"
    assert highest_level(ends[:1], ("core",)) == "core"
    assert highest_level([judged(CORE, End.NOT_RUN)], LEVELS) == ""


ISSUE = Issue("BRK-001", "the server forgets", "https://example.org/1", date(2027, 1, 1))


def test_a_known_issue_excuses_until_its_date_and_must_be_struck_off():
    failed = Outcome("BRK-001", End.FAIL, "lost one")
    assert ISSUE.judge(failed, date(2026, 12, 31)).end is End.KNOWN
    assert ISSUE.judge(failed, date(2027, 1, 2)).end is End.FAIL
    assert ISSUE.judge(Outcome("BRK-001", End.PASS), date(2026, 1, 1)).end is End.FAIL
    assert ISSUE.judge(Outcome("BRK-001", End.NOT_RUN), date(2026, 1, 1)).end is End.NOT_RUN


def test_a_known_issue_without_a_date_is_refused(tmp_path):
    file = tmp_path / "conformance.toml"
    assert read_issues(file) == {}
    file.write_text('[[issue]]\nid = "BRK-001"\nreason = "r"\nurl = "u"\nexpires = 2027-01-31\n')
    assert read_issues(file)["BRK-001"].expires == date(2027, 1, 31)
    file.write_text('[[issue]]\nid = "BRK-001"\nreason = "r"\nurl = "u"\n')
    with pytest.raises(Exception, match="expires"):
        read_issues(file)


def kernel_conformance(*words):
    return CliRunner().invoke(cli.conformance_group, list(words))


def test_a_plugin_that_is_not_installed_is_an_error_with_near_names():
    result = kernel_conformance("run", "broker.memry")
    assert "broker.memory" in result.exception.one_line()


def test_a_contract_nobody_tests_is_refused():
    result = kernel_conformance("run", "broker.memory", "--contract", "broker/7")
    assert "broker/1.0" in result.exception.one_line()


def test_reports_are_written(tmp_path):
    result = kernel_conformance("run", "broker.memory", "-k", "PLG-003", "--seed", "5", "--report-dir", str(tmp_path))
    assert "CORE 1/1" in result.output, result.output
    folder = tmp_path / "broker.memory"
    data = json.loads((folder / "conformance-report.json").read_text())
    assert (data["seed"], data["counts"]["core"]) == (5, {"passed": 1, "ran": 1})
    assert ET.parse(folder / "junit.xml").getroot().get("tests") == "1"
    assert ET.parse(folder / "badge.svg").getroot().tag.endswith("svg")
    assert "## Reproduce" in (folder / "report.md").read_text()
    assert data["verdict"] == "PARTIAL"  # its claims are not proven by one case
    assert "lease" in {one["capability"] for one in data["claims"]["unproven"]}


def test_a_bridge_is_not_judged_and_never_conformant(tmp_path, monkeypatch):
    wanted = ("backend.celery-backend", "compression.zlib")
    monkeypatch.setattr(cli, "discover", lambda: [entry for entry in discover() if entry.name in wanted])
    result = kernel_conformance("all", "--level", "core", "--report-dir", str(tmp_path))
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()
    assert first.startswith("NOT JUDGED      backend.celery-backend")
    assert second.startswith("CONFORMANT at level core compression.zlib")
    assert kernel_conformance("run", "backend.celery-backend", "--report-dir", str(tmp_path)).exit_code == 69


def test_explain():
    assert "Usually broken by" in kernel_conformance("explain", "plg-003").output
    assert kernel_conformance("explain", "BRK-999").exit_code != 0


def test_a_plugin_that_cannot_be_loaded_fails_every_case():
    with Bench() as bench:
        outcome = bench.run("broker.nope", cases_for("broker")[0], 0)
    assert outcome.end is End.FAIL
    assert "not installed" in outcome.detail
