"""``celery.utils``: small things that applications import from there."""

from functools import cached_property

from kernel.app.task_ids import new_id as uuid
from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.utils.functional import chunks, memoize, noop
from plugin_compat_celery.utils.imports import (
    gen_task_name,
    import_from_cwd,
    instantiate,
)
from plugin_compat_celery.utils.imports import qualname as get_full_cls_name
from plugin_compat_celery.utils.imports import symbol_by_name as get_cls_by_name
from plugin_compat_celery.utils.log import LOG_LEVELS
from plugin_compat_celery.utils.nodenames import nodename, nodesplit

gen_unique_id = uuid

__getattr__ = missing(__name__)

__all__ = [
    "LOG_LEVELS",
    "cached_property",
    "chunks",
    "gen_task_name",
    "gen_unique_id",
    "get_cls_by_name",
    "get_full_cls_name",
    "import_from_cwd",
    "instantiate",
    "memoize",
    "nodename",
    "nodesplit",
    "noop",
    "uuid",
]
