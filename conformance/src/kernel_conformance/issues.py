"""Known issues: a plugin may say which cases it fails, with a reason, a URL and a date it expires."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from kernel.errors import ImproperlyConfigured
from kernel_conformance.outcome import End, Outcome

FILE = "conformance.toml"


@dataclass(frozen=True, slots=True)
class Issue:
    """One ``[[issue]]`` of ``conformance.toml``."""

    id: str
    reason: str
    url: str
    expires: date

    def judge(self, outcome: Outcome, today: date) -> Outcome:
        """The outcome with this issue known: a failure is excused until the date, a pass must be struck off."""
        if outcome.end is End.PASS:
            return replace(outcome, end=End.FAIL, detail=f"it passes: take the issue out of {FILE} ({self.url})")
        if outcome.end is not End.FAIL:
            return outcome
        if today > self.expires:
            return replace(outcome, detail=f"known issue {self.url} expired on {self.expires}; {outcome.detail}")
        return outcome.known(f"{self.reason}, {self.url}, expires {self.expires}")


def read_issues(path: Path) -> Mapping[str, Issue]:
    """The known issues of a file by case id; none when there is no such file.

    Raises:
        ImproperlyConfigured: an issue lacks its id, reason, url or date.
    """
    if not path.is_file():
        return {}
    try:
        tables = tomllib.loads(path.read_text()).get("issue", [])
        issues = [Issue(one["id"], one["reason"], one["url"], one["expires"]) for one in tables]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ImproperlyConfigured(
            f"{path}: {error!r}", cure="Every [[issue]] needs id, reason, url and expires (a date such as 2027-01-31)."
        ) from error
    for issue in issues:
        if type(issue.expires) is not date or not all((issue.id, issue.reason, issue.url)):
            raise ImproperlyConfigured(
                f"{path}: issue {issue.id!r} is incomplete",
                cure="Give it a reason, a url and expires, a date such as 2027-01-31.",
            )
    return {issue.id: issue for issue in issues}
