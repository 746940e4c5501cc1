"""Canvas under the module name that users of the calling API know."""

from kernel.app.canvas import chain, chord, group
from kernel.app.mapping import chunks, xmap, xstarmap
from kernel.app.signature import Signature, maybe_signature, signature
from kernel.app.stamping import StampingVisitor

__all__ = [
    "Signature",
    "StampingVisitor",
    "chain",
    "chord",
    "chunks",
    "group",
    "maybe_signature",
    "signature",
    "xmap",
    "xstarmap",
]
