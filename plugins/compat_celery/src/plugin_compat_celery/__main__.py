"""``python -m plugin_compat_celery <command>``: the program ``celery``, over kernel; see the README."""

import sys

from plugin_compat_celery.adapter.start import main

if __name__ == "__main__":
    sys.exit(main())
