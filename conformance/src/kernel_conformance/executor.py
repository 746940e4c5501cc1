"""The process that runs the cases: it may hang, crash, fork, print or exit, and the suite goes on.

Speaks JSON lines with :mod:`kernel_conformance.bench` over two inherited descriptors: a request names a target, a case
and a seed; the answer is an outcome. A request without a case asks for what the plugin claims.
"""

import faulthandler
import json
import os
import signal
import sys
import time
import traceback
from typing import Any, TextIO

from kernel.errors import KernelError
from kernel_conformance.cases import Case
from kernel_conformance.harness import Harness
from kernel_conformance.outcome import End, NotRun, Outcome
from kernel_conformance.registry import find_case
from kernel_conformance.suite import Suite
from kernel_conformance.targets import harness_of

_SERVER_FAULTS = frozenset({"kill", "restart", "proxy"})
_EVIDENCE = 20_000


class Executor:
    """Keeps one started harness and runs cases on it."""

    def __init__(self) -> None:
        self._target = ""
        self._harness: Harness | None = None
        self._broken: Outcome | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks."""
        self._use(request["target"])
        if "case" not in request:
            return self._describe()
        found = find_case(request["case"])
        if found is None:
            return Outcome(request["case"], End.FAIL, "there is no such case").as_json()
        started = time.monotonic()
        outcome = self._run(found, request["seed"])
        return {**outcome.as_json(), "seconds": round(time.monotonic() - started, 3)}

    def stop(self) -> None:
        """Stop the harness."""
        harness, self._harness = self._harness, None
        if harness is not None:
            harness.stop()

    def _use(self, target: str) -> None:
        if target == self._target:
            return
        self.stop()
        self._target, self._broken = target, None
        try:
            harness = harness_of(target)
            harness.target = target
            harness.start()
        except NotRun as error:
            self._broken = Outcome("", End.NOT_RUN, str(error))
        except KernelError as error:
            self._broken = Outcome("", End.FAIL, error.one_line(), evidence=traceback.format_exc())
        except Exception as error:  # noqa: BLE001 - whatever a third party's harness does
            self._broken = Outcome("", End.NOT_RUN, f"the harness does not start: {error!r}")
        else:
            self._harness = harness

    def _describe(self) -> dict[str, Any]:
        """What the report says of the plugin."""
        harness = self._harness
        if harness is None:
            return {"broken": self._broken.as_json() if self._broken else None}
        try:
            claims = sorted(harness.claims())
        except Exception as error:  # noqa: BLE001 - a driver that cannot even be made
            self._broken = Outcome("", End.FAIL, f"it cannot say what it claims: {error!r}")
            return {"broken": self._broken.as_json()}
        contract = harness.installed.contract if harness.installed is not None else ""
        return {"claims": claims, "server": harness.server_name, "contract": contract}

    def _run(self, one: Case, seed: int) -> Outcome:
        harness = self._harness
        if harness is None:
            broken = self._broken or Outcome("", End.NOT_RUN, "no harness")
            return Outcome(one.id, broken.end, broken.detail, evidence=broken.evidence)
        try:
            closed = gate(one, harness)
            subjects = list(harness.subjects()) if closed is None else []
        except Exception as error:  # noqa: BLE001 - a plugin that cannot even be asked
            return Outcome(one.id, End.FAIL, f"it cannot be tested: {error!r}", evidence=traceback.format_exc())
        if closed is not None:
            return closed
        works: set[str] = set()
        for subject in subjects:
            suite = one.suite(harness, subject, seed)
            outcome = _attempt(one, suite)
            works |= suite.works
            if outcome.end is not End.PASS:
                return outcome
        return Outcome(one.id, End.PASS, works=tuple(sorted(works)))


def gate(one: Case, harness: Harness) -> Outcome | None:
    """Why the case does not apply to this plugin and harness; None when it does."""
    missing = [need for need in one.gate.needs if need not in harness.claims()]
    if missing:
        return Outcome(one.id, End.UNCLAIMED, f"not claimed: {', '.join(missing)}")
    faults = set(one.gate.faults) - harness.faults
    if not faults:
        return None
    if harness.embedded and faults <= _SERVER_FAULTS:
        if not one.gate.embedded:
            return Outcome(one.id, End.NOT_APPLICABLE, "the store has no server")
        if "proc" in harness.faults:
            return None
    return Outcome(one.id, End.NOT_RUN, f"no {', '.join(sorted(faults))}")


def _attempt(one: Case, suite: Suite) -> Outcome:
    try:
        try:
            with suite.stalls:
                suite.setup()
                getattr(suite, one.method)()
        finally:
            suite.teardown()
    except NotRun as error:
        return Outcome(one.id, End.NOT_RUN, str(error))
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a plugin may raise anything
        return Outcome(one.id, End.FAIL, _why(error), evidence=traceback.format_exc()[-_EVIDENCE:])
    return Outcome(one.id, End.PASS)


def _why(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "(no message)"
    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
    return f"{kind}{text}"[:600]


def main(reading: int, writing: int) -> None:
    """Answer requests until the other side closes."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    os.set_inheritable(reading, False)
    os.set_inheritable(writing, False)
    executor = Executor()
    answers: TextIO
    with os.fdopen(reading) as requests, os.fdopen(writing, "w") as answers:
        try:
            for line in requests:
                answers.write(json.dumps(executor.answer(json.loads(line))) + "\n")
                answers.flush()
        finally:
            executor.stop()
    sys.stdout.flush()
    os._exit(0)  # threads that a plugin left behind must not keep this process


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
