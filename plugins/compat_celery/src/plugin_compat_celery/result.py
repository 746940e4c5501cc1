"""``celery.result`` (features.md 1.3, 2.1)."""

from kernel.app.blocking import allow_join_result as allow_join_result
from kernel.app.blocking import denied_join_result as denied_join_result
from kernel.app.blocking import forbid_blocking as assert_will_not_block  # noqa: F401 - Celery's name
from kernel.app.eager import EagerResult
from kernel.app.group_result import GroupResult
from kernel.app.result import AsyncResult, result_from_tuple
from plugin_compat_celery.adapter.absent import missing
from plugin_compat_celery.adapter.result_set import ResultSet

ResultBase = (AsyncResult, GroupResult)
"""Any kind of result, for ``isinstance``; kernel's results have no class in common."""

__getattr__ = missing(__name__)

__all__ = ["AsyncResult", "EagerResult", "GroupResult", "ResultBase", "ResultSet", "result_from_tuple"]
