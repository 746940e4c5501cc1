"""A Celery configuration as settings of the kernel: read, translated, reported (features.md 1.16 and part 3).

``reading`` finds what an object says, ``names`` knows the names of old, ``translate`` decides what becomes of each
setting by the tables beside it, ``settings`` is ``app.conf``, ``report`` is the ``config`` command.
"""

from plugin_compat_celery.adapter.configuration.decisions import Decision, Translation, Verdict
from plugin_compat_celery.adapter.configuration.settings import CelerySettings
from plugin_compat_celery.adapter.configuration.translate import translate

__all__ = ["CelerySettings", "Decision", "Translation", "Verdict", "translate"]
