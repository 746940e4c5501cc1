"""The "did you mean" of every message that rejects a name."""

import difflib
from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """The known names most like ``name``, best first; letter case does not count."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=limit, cutoff=0.6)
    return [by_folded[match] for match in close]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """One sentence such as ``Did you mean 'broker.sqs' or 'broker.sqlite'?``; empty when nothing is near."""
    close = [repr(candidate) for candidate in near_names(name, known)]
    if not close:
        return ""
    return f"Did you mean {' or '.join(filter(None, [', '.join(close[:-1]), close[-1]]))}?"
