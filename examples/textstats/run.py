"""Counts every text file below a folder with two worker nodes, kills one executor on the way, and proves the result.

    python examples/textstats/run.py [--config KERNEL.TOML] [--plugins NAMES] [FOLDER]

Everything lives in a temporary folder that is gone afterwards: the broker and the results (one SQLite file), the logs
of the workers, and a journal with one line per execution of the task. The proof compares what the workers report with
what this program finds in the files itself. Exit code 0: every file was counted exactly once.

With --config the broker and the result backend are those of that file, for this program and for the workers;
--plugins is handed on to the workers.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from files import Listed, list_files, words_in
from fleet import Fleet, NodeEnded
from screen import Progress, table

from kernel import group
from kernel.exceptions import KernelError
from kernel.exceptions import TimeoutError as NotYet

PROJECT = Path(__file__).resolve().parents[2]
STALLED_SECONDS = 60.0
DEFECT, NO_INPUT, NOT_PROVEN, STOPPED = 70, 66, 1, 130


class Unproven(Exception):
    """The demonstration cannot go on, and why."""


@dataclass
class Run:
    """One demonstration: what is asked of the workers, and what comes back."""

    files: list[Listed]
    journal: Path
    hold: Path
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    killed: int | None = None

    @property
    def victim(self) -> Listed:
        """The file in the middle: the process that counts it first is killed."""
        return self.files[len(self.files) // 2]

    def executions(self) -> list[tuple[int, str]]:
        """Process id and path of every execution so far."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [(int(pid), path) for pid, _, path in (line.partition("\t") for line in lines)]

    def kill_an_executor(self, progress: Progress) -> None:
        """Once a process has the victim in its hands: kill it, as the kernel's own out-of-memory killer would."""
        if self.killed is not None:
            return
        self.killed = next((pid for pid, path in self.executions() if path == self.victim.path), None)
        if self.killed is not None:
            os.kill(self.killed, signal.SIGKILL)
            self.hold.unlink()
            progress.say(f"  killed executor {self.killed} (SIGKILL) while it had {Path(self.victim.path).name}")


def count_with_workers(run: Run, fleet: Fleet, progress: Progress) -> None:
    """Send one task per file in one group, and collect what comes back."""
    from tasks import app, count  # noqa: PLC0415 - reads its configuration from the environment that main() prepares

    jobs = [count.s(file.path, str(run.journal), str(run.hold) if file is run.victim else None) for file in run.files]
    started = time.monotonic()
    sent = group(jobs).apply_async()
    seconds = time.monotonic() - started
    progress.say(f"  sent {len(jobs)} tasks in {seconds:.2f} s; two worker nodes with two executors each count")
    for file, result in zip(run.files, sent.results, strict=True):
        run.results[file.path] = wait_for(result, run, fleet, progress)
        progress.show(len(run.results))
    app.close()


def wait_for(result: Any, run: Run, fleet: Fleet, progress: Progress) -> dict[str, Any]:
    """One result; meanwhile the executor is killed, and dead workers and standstills are noticed."""
    deadline = time.monotonic() + STALLED_SECONDS
    while True:
        run.kill_an_executor(progress)
        try:
            found: dict[str, Any] = result.get(timeout=0.2)
        except NotYet:
            fleet.check()
            if time.monotonic() > deadline:
                tails = "\n".join(f"  {node.name}:\n{node.tail()}" for node in fleet.nodes)
                raise Unproven(f"nothing came back for {STALLED_SECONDS:.0f} s. The workers said:\n{tails}") from None
        else:
            return found


def differences(run: Run) -> Iterator[str]:
    """Every way in which the workers' numbers are not those of the files."""
    executed = Counter(path for _, path in run.executions())
    for file in run.files:
        if executed[file.path] == 0:
            yield f"{file.path}: has a result but was never executed"
        found = run.results[file.path]
        if "skipped" not in found and not file.changed_since():
            mine = {"bytes": file.size, "words": words_in(file.path)}
            yield from (
                f"{file.path}: {found[unit]} {unit} counted, {number} in the file"
                for unit, number in mine.items()
                if found[unit] != number
            )
    if stray := set(executed) - {file.path for file in run.files}:
        yield f"{len(stray)} files were executed that nobody asked for"
    hands = {pid for pid, path in run.executions() if path == run.victim.path}
    if run.killed is None or hands == {run.killed}:
        yield f"{run.victim.path}: no process was killed over it and followed by another (killed: {run.killed})"


def closing_table(run: Run) -> str:
    """The numbers, side by side: this program's own and the workers'."""
    counted = [run.results[file.path] for file in run.files if "skipped" not in run.results[file.path]]
    mine = [file for file in run.files if "skipped" not in run.results[file.path]]
    executions = len(run.executions())
    skipped = Counter(found["skipped"] for found in run.results.values() if "skipped" in found)
    rows = [
        ("files found; results, one for each", f"{len(run.files):,}", f"{len(run.results):,}"),
        ("text files counted", f"{len(mine):,}", f"{len(counted):,}"),
        ("bytes in them", f"{sum(file.size for file in mine):,}", f"{sum(found['bytes'] for found in counted):,}"),
        (
            "words in them",
            f"{sum(words_in(file.path) for file in mine):,}",
            f"{sum(found['words'] for found in counted):,}",
        ),
        ("lines in them", "", f"{sum(found['lines'] for found in counted):,}"),
        *((f"skipped: {reason}", "", f"{number:,}") for reason, number in skipped.most_common()),
        ("executions", f"{len(run.files):,}", f"{executions:,}"),
        ("  of these again, after the kill", "", f"{executions - len(run.files):,}"),
    ]
    return table(rows, ("", "this program", "the workers"))


def most_frequent(run: Run) -> str:
    """The merged terms of all files."""
    terms: Counter[str] = Counter()
    for found in run.results.values():
        terms.update(dict(found.get("terms", ())))
    return ", ".join(f"{term} {number:,}" for term, number in terms.most_common(12))


def demonstrate(folder: Path, scratch: Path, config: Path | None, plugins: str | None) -> int:
    """The whole demonstration; its exit code."""
    files = list(list_files(folder))
    if not files:
        print(f"textstats: no files below {folder}; give another folder: DIR=/some/folder make demo", file=sys.stderr)
        return NO_INPUT
    print(f"textstats: {len(files)} files below {folder}", flush=True)
    run = Run(files, journal=scratch / "journal", hold=scratch / "hold")
    run.hold.touch()
    progress = Progress(len(files))
    with Fleet(2, scratch, prepare_environment(scratch, config), plugins) as fleet:
        count_with_workers(run, fleet, progress)
        progress.close()
    print(f"\n{closing_table(run)}\n\n  most frequent terms: {most_frequent(run)}\n")
    changed = sum(file.changed_since() for file in files)
    if changed:
        print(f"  {changed} files changed meanwhile and prove nothing")
    found = list(differences(run))
    if found:
        print("NOT PROVEN:", *(f"  {difference}" for difference in found[:20]), sep="\n")
        return NOT_PROVEN
    print("Proven: every file was counted exactly once, although an executor was killed in the middle.")
    return 0


def prepare_environment(scratch: Path, config: Path | None) -> dict[str, str]:
    """What tells this process and the workers where messages and results are kept; the caller's own settings do not.

    The file that was given, else one SQLite file in the temporary folder.
    """
    for name in [name for name in os.environ if name.startswith(("KERNEL_", "CELERY_")) and name != "KERNEL_DEBUG"]:
        del os.environ[name]
    url = f"sqlite:///{scratch / 'textstats.sqlite3'}"
    chosen = {"KERNEL_BROKER_URL": url, "KERNEL_RESULT_BACKEND": url}
    if config is not None:
        chosen = {"KERNEL_CONFIG": str(config)}
    os.environ.update(chosen)
    os.chdir(scratch)
    return chosen


def main(arguments: list[str]) -> int:
    """Read the command line, run, and turn what goes wrong into one clear message."""
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=PROJECT, type=Path, help="default: this project")
    parser.add_argument("--config", type=Path, help="a kernel.toml with the broker and the result backend")
    parser.add_argument("--plugins", help="plugins the workers load, such as broker.amqp")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    config = options.config.resolve() if options.config else None
    if not folder.is_dir() or not (config is None or config.is_file()):
        missing = f"a folder: {options.folder}" if not folder.is_dir() else f"a file: {options.config}"
        print(f"textstats: not {missing}", file=sys.stderr)
        return NO_INPUT
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="textstats-") as scratch:
        try:
            return demonstrate(folder, Path(scratch), config, options.plugins)
        except (KernelError, NodeEnded, Unproven) as error:
            print(f"\ntextstats: {error}", file=sys.stderr)
            return DEFECT
        except KeyboardInterrupt:
            print("\ntextstats: stopped", file=sys.stderr)
            return STOPPED
        finally:
            os.chdir(before)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
