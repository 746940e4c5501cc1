"""Comparing versions: as much of the packaging rules as a manifest's ``kernel=">=2026.11"`` needs.

Versions are ``1.2.3`` with an optional ``a1``, ``b1``, ``rc1``, ``.post1`` or ``.dev1``; a local part (``+x``) is not
compared. A range is a comma-separated list of ``>= <= > < == != ~=`` clauses, all of which must hold; ``==1.2.*`` and
``!=1.2.*`` compare the beginning. Ours instead of a library: the rules are thirty lines, and every start would pay for
the import.
"""

import operator
import re
from collections.abc import Callable, Mapping

VersionKey = tuple[tuple[int, ...], int, int]

_VERSION = re.compile(
    r"v?(?P<release>\d+(?:\.\d+)*)(?:[.\-_]?(?P<phase>a|b|rc|post|dev)(?P<n>\d*))?(?:\+[\w.\-]+)?", re.IGNORECASE
)
_CLAUSE = re.compile(r"(?P<op>>=|<=|==|!=|~=|>|<)\s*(?P<version>[\w.\-+]+?)(?P<star>\.\*)?")
_PHASES: Mapping[str, int] = {"dev": -4, "a": -3, "b": -2, "rc": -1, "": 0, "post": 1}
_ORDER: Mapping[str, Callable[[VersionKey, VersionKey], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


def version_key(text: str) -> VersionKey:
    """What versions are ordered by.

    Raises:
        ValueError: for text that is no version.
    """
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a version such as '2026.11'")
    release = _release(match["release"])
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    return release, _PHASES[(match["phase"] or "").lower()], int(match["n"] or 0)


def in_range(version: str, wanted: str) -> bool:
    """Whether ``version`` satisfies every clause of ``wanted``; an empty range takes all.

    Raises:
        ValueError: for a version or clause that cannot be read.
    """
    clauses = [clause.strip() for clause in wanted.split(",")]
    return all(_holds(version, clause) for clause in clauses if clause)


def _holds(version: str, clause: str) -> bool:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        raise ValueError(f"{clause!r} is not a clause such as '>=2026.11'")
    sign, bound = match["op"], match["version"]
    if match["star"]:
        if sign not in {"==", "!="}:
            raise ValueError(f"{clause!r}: '.*' goes with == and != only")
        return _begins(version, bound) is (sign == "==")
    if sign == "~=":
        if "." not in bound:
            raise ValueError(f"{clause!r}: ~= needs at least two numbers")
        return version_key(version) >= version_key(bound) and _begins(version, bound.rpartition(".")[0])
    return _ORDER[sign](version_key(version), version_key(bound))


def _begins(version: str, prefix: str) -> bool:
    version_key(version)
    head = _release(prefix)
    match = _VERSION.fullmatch(version.strip())
    release = _release(match["release"]) if match else ()
    padded = release + (0,) * (len(head) - len(release))
    return padded[: len(head)] == head


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
