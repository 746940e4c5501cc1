"""Importing this module makes ``celery`` mean this package: ``pytest -p plugin_compat_celery.adapter.installed``.

Interpreters that the kernel starts for tasks import it too, when the worker's own has done so.
"""

from plugin_compat_celery.adapter.alias import install

install()
