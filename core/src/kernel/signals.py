"""Signals under the module name that users of the calling API know (features.md 2.7).

::

    from kernel.signals import task_failure

    @task_failure.connect
    def tell(sender, task_id, exception, **kwargs): ...
"""

from kernel.runtime.signal import Signal
from kernel.runtime.signal_table import (
    after_setup_logger,
    after_setup_task_logger,
    after_task_publish,
    beat_embedded_init,
    beat_init,
    before_task_publish,
    celeryd_after_setup,
    celeryd_init,
    heartbeat_sent,
    import_modules,
    setup_logging,
    task_failure,
    task_internal_error,
    task_postrun,
    task_prerun,
    task_received,
    task_rejected,
    task_retry,
    task_revoked,
    task_success,
    task_unknown,
    user_preload_options,
    worker_before_create_process,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

__all__ = [
    "Signal",
    "after_setup_logger",
    "after_setup_task_logger",
    "after_task_publish",
    "beat_embedded_init",
    "beat_init",
    "before_task_publish",
    "celeryd_after_setup",
    "celeryd_init",
    "heartbeat_sent",
    "import_modules",
    "setup_logging",
    "task_failure",
    "task_internal_error",
    "task_postrun",
    "task_prerun",
    "task_received",
    "task_rejected",
    "task_retry",
    "task_revoked",
    "task_success",
    "task_unknown",
    "user_preload_options",
    "worker_before_create_process",
    "worker_init",
    "worker_process_init",
    "worker_process_shutdown",
    "worker_ready",
    "worker_shutdown",
    "worker_shutting_down",
]
