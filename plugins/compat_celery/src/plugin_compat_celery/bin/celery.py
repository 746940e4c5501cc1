"""``celery.bin.celery``: the program ``celery`` as a function."""

import sys
from collections.abc import Sequence

from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.start import main as _main


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; see :mod:`plugin_compat_celery.__main__`."""
    return _main(sys.argv[1:] if argv is None else argv)


__getattr__ = missing(__name__)

__all__ = ["main"]
