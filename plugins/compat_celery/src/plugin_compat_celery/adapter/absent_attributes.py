"""Public attributes of Celery's classes that objects here do not have, by the reason. Data only."""

from collections.abc import Mapping
from typing import Final

GROUPS: Final[Mapping[str, str]] = {
    "a worker of kernel has no bootsteps: connect to a signal, or write a plugin with hooks": "Celery.steps",
    "settings stand in configuration, or in the environment as KERNEL_<NAME>": "Celery.config_from_cmdline",
    "an application is not pickled: interpreters that are started import it": "Celery.Pickler",
    "result backends are plugins, chosen by a URL": "Celery.backend_cls",
    "parts of an application are given to the constructor: task_cls, amqp, control, events, log, loader": """
        Celery.create_task_cls Celery.registry_cls Celery.subclass_with_self""",
    "arguments are checked by the task itself": "Celery.type_checker",
    "change settings in a receiver of on_after_configure": "Celery.prepare_config",
    "queues are chosen with -Q, or app.Worker(queues=...)": "Celery.select_queues",
    "it is internal to Celery, and nothing here works that way": """
        Task.Strategy Task.start_strategy Task.add_around Task.annotate Task.from_config Task.signature_from_request
        Task.subtask_from_request Context.as_execution_options Context.clear Context.taskset Context.update
        Signature.TYPES Signature.append_to_list_option Signature.extend_list_option Signature.reprcall
        Signature.stamp_links""",
    "classes are never registered by themselves": "Task.abstract",
    "push_request() and pop_request() are the stack": "Task.request_stack",
    "a chord knows its members when it is sent: put them into its header": "Task.add_to_chord",
    "give the task reject_on_worker_lost; task_delivery_limit bounds how often": "Task.retry_on_worker_lost",
    "freeze() gives the result": "Signature.AsyncResult",
    "promises need an event loop: await aget(), or get() with a callback": """
        AsyncResult.then AsyncResult.throw GroupResult.then""",
    "a group has the result backend of its members": "GroupResult.backend",
    "remote control has no mailbox of its own making": "Control.Mailbox",
    "restart the worker: processes are replaced by max_tasks_per_child, too": "Control.pool_restart",
    "use a memory profiler that attaches to a process": "Inspect.memdump Inspect.objgraph",
    "settings are no dict: table() is a copy, update() changes them": """
        Settings.bind_to Settings.clear Settings.copy Settings.defaults Settings.find_option Settings.fromkeys
        Settings.iteritems Settings.iterkeys Settings.itervalues Settings.key_t Settings.maps
        Settings.maybe_warn_deprecated_settings Settings.pop Settings.popitem Settings.swap_with""",
    "a node takes, settles and ends messages by itself; a request is told what happens": """
        Request.acknowledge Request.acknowledged Request.app Request.body Request.cancel Request.connection_errors
        Request.content_encoding Request.content_type Request.eventer Request.execute Request.execute_using_pool
        Request.groups Request.humaninfo Request.info Request.maybe_expire Request.message Request.on_ack
        Request.on_reject Request.reject Request.request_dict Request.revoked Request.send_event
        Request.store_errors Request.terminate Request.time_start Request.type Request.tzlocal Request.utc
        Request.worker_pid""",
    "arguments and callbacks are read in the process that runs the task: argsrepr is their text": """
        Request.args Request.kwargs Request.chord Request.errbacks Request.correlation_id Request.reply_to""",
    "there is no election among workers: a lock in the database of the application does it": """
        Signature.election Control.election""",
}

ATTRIBUTES: Final[Mapping[str, str]] = {name: reason for reason, names in GROUPS.items() for name in names.split()}
"""``Class.attribute`` → why it is not there."""
