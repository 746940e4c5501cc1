"""Canvas under the module name that users of the calling API know."""

from kernel.app.canvas import chain, group
from kernel.app.signature import Signature, maybe_signature, signature

__all__ = ["Signature", "chain", "group", "maybe_signature", "signature"]
