"""``python -m kernel`` is the ``kernel`` command."""

import sys

from kernel.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
