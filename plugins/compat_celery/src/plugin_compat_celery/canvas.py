"""``celery.canvas`` (features.md 1.26, 2.1)."""

from typing import Any

from kernel.app.canvas import chain, chord, group
from kernel.app.mapping import chunks, xmap, xstarmap
from kernel.app.signature import Signature, signature
from kernel.app.signature import maybe_signature as _maybe_signature
from kernel.app.stamping import StampingVisitor as StampingVisitor
from plugin_compat_celery.adapter.absent import missing

subtask = signature
"""The name of old."""


def maybe_signature(d: Any, app: Any = None, clone: bool = False) -> Any:
    """A signature from a dict; anything else is returned as it is. A signature itself is copied with ``clone``."""
    return d if isinstance(d, Signature) and not clone and app is None else _maybe_signature(d, app)


maybe_subtask = maybe_signature
"""The name of old."""

_chord = chord
"""Some libraries take the class from here."""

__getattr__ = missing(__name__)

__all__ = [
    "Signature",
    "chain",
    "chord",
    "chunks",
    "group",
    "maybe_signature",
    "signature",
    "xmap",
    "xstarmap",
]
