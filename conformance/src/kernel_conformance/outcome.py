"""How one case ended."""

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any


class End(StrEnum):
    """The ways a case ends. Only PASS is good news."""

    PASS = "PASS"
    FAIL = "FAIL"
    NOT_RUN = "NOT RUN"
    """The harness could not: no server, no way to break it. Never green."""
    UNCLAIMED = "UNCLAIMED"
    """It tests a capability that the plugin does not claim."""
    NOT_APPLICABLE = "N/A"
    """It breaks a server, and this store has none."""
    KNOWN = "KNOWN ISSUE"
    """It fails, and the plugin's conformance.toml says so with a date that has not passed."""


class NotRun(Exception):
    """Raised by a harness or case that cannot do its work here; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case's end.

    Attributes:
        id: the case.
        end: how it ended.
        detail: one line that says why, "" after PASS.
        seconds: how long it took.
        evidence: traceback, history or output, for the report files.
        works: capabilities that were seen to work although unclaimed.
    """

    id: str
    end: End
    detail: str = ""
    seconds: float = 0.0
    evidence: str = ""
    works: tuple[str, ...] = ()

    def known(self, why: str) -> "Outcome":
        """The same failure, as a known issue."""
        return replace(self, end=End.KNOWN, detail=f"{why}; {self.detail}")

    def as_json(self) -> dict[str, Any]:
        """For the report file and for the pipe between processes."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Outcome":
        """The reverse."""
        return cls(**{**data, "end": End(data["end"]), "works": tuple(data["works"])})
