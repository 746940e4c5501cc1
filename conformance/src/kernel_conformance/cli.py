"""``kernel conformance``: run the suite over plugins, explain a case, test the suite itself."""

import secrets
from pathlib import Path

import click

from kernel.errors import PluginError
from kernel.runtime.plugins import discover
from kernel_conformance import saboteurs
from kernel_conformance.cases import LEVELS, Level
from kernel_conformance.files import write_files
from kernel_conformance.installed import load_installed
from kernel_conformance.issues import FILE, read_issues
from kernel_conformance.judgement import Judged, Verdict
from kernel_conformance.outcome import End
from kernel_conformance.registry import KINDS, find_case
from kernel_conformance.report import case_line, lines, one_line
from kernel_conformance.run import Plan, run_suite
from kernel_conformance.selftest import Kill, run_selftest

_FOLDER = "conformance-report"
_EXITS = {Verdict.CONFORMANT: 0, Verdict.PARTIAL: 0, Verdict.NON_CONFORMANT: 1, Verdict.NOT_RUN: 69}
"""As in sysexits(3), 69 is a service that is not there."""


@click.group("conformance")
def conformance_group() -> None:
    """Judge plugins by the contracts they claim to fulfil."""


@conformance_group.command("run")
@click.argument("plugin")
@click.option("--level", type=click.Choice([*LEVELS, "all"]), default="all", show_default=True, help="Which cases.")
@click.option("-k", "only", multiple=True, metavar="ID", help="Only cases whose id contains this; may be repeated.")
@click.option("--seed", type=int, help="Seed of everything random; drawn and shown when not given.")
@click.option("--repeat", type=click.IntRange(1), default=1, show_default=True, help="Run each case so often.")
@click.option("--contract", default="", metavar="KIND/MAJOR", help="The contract to test, such as broker/1.")
@click.option("--report-dir", type=click.Path(file_okay=False, path_type=Path), default=_FOLDER, show_default=True)
@click.option("--issues", type=click.Path(dir_okay=False, path_type=Path), default=FILE, show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Show every case as it ends.")
@click.pass_context
def run_command(ctx: click.Context, /, plugin: str, verbose: bool, report_dir: Path, **given: object) -> None:
    """Run the suite over PLUGIN, such as broker.acme; exit code 0 unless something failed or did not run."""
    report = run_suite(_plan(plugin, given), _tell if verbose else _tell_failure)
    folder = report_dir if plugin in report_dir.parts else report_dir / plugin
    files = write_files(report, folder)
    for line in lines(report, [str(path) for path in files]):
        click.echo(line)
    ctx.exit(_EXITS[report.verdict])


@conformance_group.command("all")
@click.option("--level", type=click.Choice([*LEVELS, "all"]), default="all", show_default=True, help="Which cases.")
@click.option("--seed", type=int, help="Seed of everything random; drawn and shown when not given.")
@click.option("--report-dir", type=click.Path(file_okay=False, path_type=Path), default=_FOLDER, show_default=True)
@click.pass_context
def all_command(ctx: click.Context, /, level: str, seed: int | None, report_dir: Path) -> None:
    """Run the suite over every installed plugin of a kind that has one; one line for each."""
    worst = 0
    for name in sorted({entry.name for entry in discover() if entry.kind in KINDS}):
        if _is_bridge(name):
            click.echo(f"NOT JUDGED      {name}: a bridge to classes of applications, each to be judged by itself")
            continue
        report = run_suite(_plan(name, {"level": level, "seed": seed}))
        write_files(report, report_dir / name)
        click.echo(one_line(report))
        for one in report.ended(End.FAIL):
            click.echo(f"    {case_line(one)}")
        worst = max(worst, _EXITS[report.verdict])
    ctx.exit(worst)


@conformance_group.command("explain")
@click.argument("case_id", metavar="ID")
def explain_command(case_id: str) -> None:
    """Say what a case promises to users, when it applies, and what usually breaks it."""
    found = find_case(case_id)
    if found is None:
        raise click.BadParameter(f"there is no case {case_id!r}; write one such as BRK-042", param_hint="ID")
    gate = found.gate
    click.echo(f"{found.id} (level {gate.level}, since contract {gate.since})\n\n{found.promise}\n")
    if gate.needs:
        click.echo(f"Applies to plugins that claim: {', '.join(gate.needs)}")
    if gate.faults:
        click.echo(f"The harness must be able to: {', '.join(gate.faults)}")
    click.echo(f"Usually broken by: {found.broken_by}")
    click.echo(f"Code: {found.suite.__module__}.{found.suite.__name__}.{found.method}")


@conformance_group.command("selftest")
@click.option("-k", "only", multiple=True, metavar="NAME", help="Only saboteurs whose name contains this.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random.")
@click.option("-j", "--jobs", type=click.IntRange(1), default=4, show_default=True, help="How many at once.")
@click.pass_context
def selftest_command(ctx: click.Context, /, only: tuple[str, ...], seed: int, jobs: int) -> None:
    """Run plugins that are wrong on purpose: each must be killed by the cases named for it."""
    known = saboteurs.all_saboteurs()
    chosen = [one for name, one in sorted(known.items()) if not only or any(part in name for part in only)]
    if not chosen:
        raise click.BadParameter(f"no saboteur of {len(known)} has such a name", param_hint="-k")
    kills = run_selftest(chosen, seed, _tell_kill, jobs)
    survivors = [kill.saboteur.name for kill in kills if not kill.killed]
    wrong = [kill for kill in kills if not kill.saboteur.control]
    click.echo(f"{sum(kill.killed for kill in wrong)} of {len(wrong)} saboteurs killed")
    if survivors:
        click.echo(f"survivors, or accused without being wrong: {', '.join(survivors)}")
    ctx.exit(1 if survivors else 0)


def _is_bridge(name: str) -> bool:
    """Whether a plugin says so of itself; one that cannot be imported does not, and is reported with its error."""
    try:
        return load_installed(name).manifest.bridge
    except PluginError:
        return False


def _plan(plugin: str, given: dict[str, object]) -> Plan:
    level, seed, only = given.get("level"), given.get("seed"), given.get("only")
    repeat, issues = given.get("repeat"), given.get("issues")
    return Plan(
        target=plugin,
        levels=_levels(str(level)),
        only=tuple(only) if isinstance(only, tuple) else (),
        seed=seed if isinstance(seed, int) else secrets.randbelow(100_000),
        repeat=repeat if isinstance(repeat, int) else 1,
        contract=str(given.get("contract") or ""),
        issues=read_issues(issues) if isinstance(issues, Path) else {},
    )


def _levels(name: str) -> tuple[Level, ...]:
    """``fault`` and ``extended`` mean those cases alone; ``all`` means every one."""
    return LEVELS if name == "all" else tuple(level for level in LEVELS if level == name)


def _tell(one: Judged) -> None:
    click.echo(case_line(one))


def _tell_failure(one: Judged) -> None:
    if one.outcome.end is End.FAIL:
        click.echo(case_line(one), err=True)


def _tell_kill(kill: Kill) -> None:
    if kill.saboteur.control:
        bad = " ".join(f"{one.id}:{one.end}" for one in kill.outcomes if one.end is not End.PASS)
        click.echo(
            f"{'sound   ' if kill.killed else 'ACCUSED '} {kill.saboteur.name:28} {len(kill.outcomes)} cases {bad}"
        )
        return
    cases = " ".join(f"{one.id}:{'killed' if one.end is End.FAIL else one.end}" for one in kill.outcomes)
    click.echo(f"{'killed  ' if kill.killed else 'SURVIVED'} {kill.saboteur.name:28} {cases}   ({kill.saboteur.wrong})")
