"""``celery.canvas`` (features.md 1.26, 2.1)."""

from kernel.app.canvas import chain, chord, group
from kernel.app.mapping import chunks, xmap, xstarmap
from kernel.app.signature import Signature, maybe_signature, signature
from kernel.app.stamping import StampingVisitor as StampingVisitor
from plugin_compat_celery.adapter.absent import missing

subtask = signature
"""The name of old."""

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
