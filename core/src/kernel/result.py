"""Results under the module name that users of the calling API know."""

from kernel.app.blocking import allow_join_result
from kernel.app.eager import EagerResult
from kernel.app.group_result import GroupResult, group_from_tuple
from kernel.app.result import AsyncResult, result_from_tuple

__all__ = ["AsyncResult", "EagerResult", "GroupResult", "allow_join_result", "group_from_tuple", "result_from_tuple"]
