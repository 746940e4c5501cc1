"""The exceptions under the module name that users of the calling API know (features.md 2.15).

The tree is drawn in :mod:`kernel.errors`.
"""

from kernel.errors import *  # noqa: F403 - a façade: this module is that package under its familiar name
from kernel.errors import __all__ as __all__
