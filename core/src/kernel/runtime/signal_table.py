"""Every signal of the kernel, on one page: when it is sent, by whom, and with what (features.md 2.7).

``sender`` is what ``connect(sender=...)`` is compared with. The names are those users of the calling API know.
"""

from typing import Final

from kernel.runtime.signal import Signal

# Publishing, in the process that sends. Sender: the task's name.

before_task_publish: Final = Signal(
    "before_task_publish", ("body", "exchange", "routing_key", "headers", "properties", "declare", "retry_policy")
)
"""A message is about to be encoded: ``headers``, and the keyword arguments and the callbacks inside ``body``, which is
``(args, kwargs, embed)``, may be changed in place."""

after_task_publish: Final = Signal("after_task_publish", ("body", "exchange", "routing_key", "headers"))
"""The broker took the message."""

# A task, in the process that runs it. Sender: the task.

task_prerun: Final = Signal("task_prerun", ("task_id", "task", "args", "kwargs"))
"""The body is about to run."""

task_postrun: Final = Signal("task_postrun", ("task_id", "task", "args", "kwargs", "retval", "state"))
"""All writes of a run are done; ``retval`` is the value, or the error that ended it."""

task_success: Final = Signal("task_success", ("result",))
"""A success was stored."""

task_failure: Final = Signal("task_failure", ("task_id", "exception", "args", "kwargs", "traceback", "einfo"))
"""A failure was stored. Sent by the node, without arguments, when the process that ran it is gone."""

task_retry: Final = Signal("task_retry", ("request", "reason", "einfo"))
"""The next run of a task was sent; ``reason`` is the error or the :class:`~kernel.errors.Retry`."""

task_internal_error: Final = Signal(
    "task_internal_error", ("task_id", "args", "kwargs", "request", "exception", "traceback", "einfo")
)
"""The kernel itself failed around a body: nothing is stored, and the message comes again."""

# A task, in the worker node.

task_received: Final = Signal("task_received", ("request",))
"""A message was admitted. Sender: the node's name."""

task_revoked: Final = Signal("task_revoked", ("request", "terminated", "signum", "expired"))
"""A task was revoked, or came too late. Sender: the task."""

task_rejected: Final = Signal("task_rejected", ("message", "exc"))
"""A message was set aside. Sender: the node's name."""

task_unknown: Final = Signal("task_unknown", ("name", "id", "message", "exc"))
"""A message names a task that is not registered here. Sender: the node's name."""

# The worker node. Sender: its name, for those before there is a worker; then the worker.

celeryd_init: Final = Signal("celeryd_init", ("instance", "conf", "options"))
"""The first thing a worker does; ``instance`` is the worker, ``options`` those of its command."""

celeryd_after_setup: Final = Signal("celeryd_after_setup", ("instance", "conf"))
"""The worker is set up, and queues are not yet declared."""

import_modules: Final = Signal("import_modules")
"""A worker is about to import the modules of tasks. Sender: the application."""

worker_init: Final = Signal("worker_init")
"""Before the worker starts. Sender: the worker."""

worker_before_create_process: Final = Signal("worker_before_create_process")
"""A pool of processes is about to start the first of them, from which all others come. Sender: the worker."""

worker_ready: Final = Signal("worker_ready")
"""The worker consumes. Sender: the worker."""

heartbeat_sent: Final = Signal("heartbeat_sent")
"""The worker told that it lives. Sender: what tells it."""

worker_shutting_down: Final = Signal("worker_shutting_down", ("sig", "how", "exitcode"))
"""The worker begins to end: ``how`` is Run (an error), Warm, Cold or Now. Sender: the node's name."""

worker_shutdown: Final = Signal("worker_shutdown")
"""The worker has ended its work. Sender: the worker."""

# Processes that run bodies

worker_process_init: Final = Signal("worker_process_init")
"""A process for tasks has started. Sender: None."""

worker_process_shutdown: Final = Signal("worker_process_shutdown", ("pid", "exitcode"))
"""A process for tasks is about to end. Sender: None."""

# Logging

setup_logging: Final = Signal("setup_logging", ("loglevel", "logfile", "format", "colorize"))
"""Logging is about to be set up; while anybody listens, the kernel leaves it to them."""

after_setup_logger: Final = Signal("after_setup_logger", ("logger", "loglevel", "logfile", "format", "colorize"))
"""The root logger was set up."""

after_setup_task_logger: Final = Signal(
    "after_setup_task_logger", ("logger", "loglevel", "logfile", "format", "colorize")
)
"""The logger of tasks was set up."""

# Beat and programs

beat_init: Final = Signal("beat_init")
"""Beat starts, as a program. Sender: its service."""

beat_embedded_init: Final = Signal("beat_embedded_init")
"""Beat starts inside a worker, besides ``beat_init``. Sender: its service."""

user_preload_options: Final = Signal("user_preload_options", ("app", "options"))
"""A program was started with options that the application added. Sender: the command."""
