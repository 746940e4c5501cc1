"""Celery's public names over kernel: what an application imports from ``celery`` stands here under the same name.

Every module beside this one has the name and place that it has in Celery; :mod:`plugin_compat_celery.adapter` alone is
this distribution's own. Nothing here is needed by the kernel, which knows nothing of it.
"""

from kernel.app.canvas import chain as chain
from kernel.app.canvas import chord as chord
from kernel.app.canvas import group as group
from kernel.app.current import current_app as current_app
from kernel.app.current import current_task as current_task
from kernel.app.mapping import chunks as chunks
from kernel.app.mapping import xmap as xmap
from kernel.app.mapping import xstarmap as xstarmap
from kernel.app.shared import shared_task as shared_task
from kernel.app.signature import Signature as Signature
from kernel.app.signature import signature as signature
from kernel.app.task import Task as Task
from plugin_compat_celery import local as local
from plugin_compat_celery.adapter import version as _version
from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.app.base import Celery as Celery
from plugin_compat_celery.app.utils import bugreport as bugreport
from plugin_compat_celery.canvas import maybe_signature as maybe_signature
from plugin_compat_celery.canvas import subtask as subtask
from plugin_compat_celery.utils import uuid as uuid

__version__ = _version.__version__
SERIES = _version.SERIES
VERSION = version_info = _version.version_info
VERSION_BANNER = _version.VERSION_BANNER
version_info_t = _version.version_info_t

__getattr__ = missing(__name__)

__all__ = [
    "Celery",
    "Task",
    "bugreport",
    "chain",
    "chord",
    "chunks",
    "current_app",
    "current_task",
    "group",
    "maybe_signature",
    "shared_task",
    "signature",
    "uuid",
    "xmap",
    "xstarmap",
]
