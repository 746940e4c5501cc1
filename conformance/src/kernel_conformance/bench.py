"""The suite's side of the executor: one request at a time, each with a hard deadline."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from kernel_conformance.cases import Case
from kernel_conformance.outcome import End, Outcome
from kernel_conformance.provision import INSTALL_S, NOTES

START_S = INSTALL_S + 90.0
"""How long a harness may take to start its server, beside a case's own time; the first start may install it."""
_OUTPUT = 8_000


class Bench:
    """Runs cases in a process of its own, and makes a new one when that hangs or dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._requests = -1
        self._answers = -1
        self._pending = b""
        self._output: Any = None
        self._started = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def describe(self, target: str) -> dict[str, Any]:
        """What the plugin claims, or why it cannot be tested (key ``broken``)."""
        found = self._ask({"target": target}, START_S)
        self._started = target if self._process is not None else ""
        if isinstance(found, str):
            return {"broken": Outcome("", End.FAIL, found).as_json()}
        return found

    def run(self, target: str, one: Case, seed: int) -> Outcome:
        """Run one case; whatever the plugin does, there is an outcome."""
        started = time.monotonic()
        if self._started != target:
            self.describe(target)
        found = self._ask({"target": target, "case": one.id, "seed": seed}, one.gate.timeout_s)
        if isinstance(found, dict):
            outcome = Outcome.from_json(found)
            return outcome if outcome.end is not End.FAIL else self._with_output(outcome)
        evidence = self._printed()
        return Outcome(one.id, End.FAIL, found, round(time.monotonic() - started, 3), evidence)

    def close(self) -> None:
        """End the process and its children, servers included."""
        try:
            self._stop()
        finally:
            if self._output is not None:
                self._output.close()
                self._output = None

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        os.close(self._requests)  # it stops its harness and ends
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(self._answers)
        self._pending = b""

    def _ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any] | str:
        """The answer, or what happened instead."""
        if self._process is None:
            self._start()
        try:
            os.write(self._requests, json.dumps(request).encode() + b"\n")
            line = self._line(time.monotonic() + seconds)
        except OSError:
            line = b""
        if line is None:
            return self._give_up(f"it did not end within {seconds:g} s and was killed")
        if not line:
            return self._give_up("the process died")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _start(self) -> None:
        child_reads, self._requests = os.pipe()
        self._answers, child_writes = os.pipe()
        if self._output is not None:
            self._output.close()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        command = [sys.executable, "-m", "kernel_conformance.executor", str(child_reads), str(child_writes)]
        notes = os.dup(2)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            pass_fds=(child_reads, child_writes, notes),
            env={**os.environ, NOTES: str(notes)},
            start_new_session=True,
        )
        os.close(notes)
        os.close(child_reads)
        os.close(child_writes)

    def _line(self, end: float) -> bytes | None:
        """The next line; b"" at the end of the stream, None after the deadline."""
        while b"\n" not in self._pending:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                return None
            data = os.read(self._answers, 65_536)
            if not data:
                return b""
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _give_up(self, why: str) -> str:
        """Kill the process and say how it ended."""
        process = self._process
        if process is None:
            return why
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGUSR1)  # every thread's stack goes to the output
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
        code = process.poll()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._process, self._started = None, ""
        self._pending = b""
        os.close(self._requests)
        os.close(self._answers)
        return f"{why} ({_ended(code)})" if why == "the process died" else why

    def _with_output(self, outcome: Outcome) -> Outcome:
        printed = self._printed()
        return replace(outcome, evidence=f"{outcome.evidence}\n--- printed ---\n{printed}") if printed else outcome

    def _printed(self) -> str:
        """The end of what the process printed."""
        if self._output is None:
            return ""
        handle = self._output.fileno()
        size = os.fstat(handle).st_size  # the offset is shared with the process: it must not be moved
        return os.pread(handle, _OUTPUT, max(0, size - _OUTPUT)).decode(errors="replace")


def _ended(code: int | None) -> str:
    if code is None:
        return "it closed its answers"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
