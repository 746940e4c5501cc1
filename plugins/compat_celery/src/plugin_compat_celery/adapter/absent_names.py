"""Public names of Celery 5.7 that do not exist in modules that do, by the reason. Data only."""

from collections.abc import Mapping
from typing import Final

_INTERNAL: Final = "it is internal to Celery, and nothing here works that way"

GROUPS: Final[Mapping[str, str]] = {
    _INTERNAL: """
        celery._state:connect_on_app_finalize celery.app:disable_trace celery.app:enable_trace
        celery.app:pop_current_task celery.app:push_current_task""",
    "a module of that name was there in Celery 3": """
        celery:execute celery:log celery:messaging celery:registry""",
    "it is about the distribution of Celery": """
        celery:__author__ celery:__contact__ celery:__docformat__ celery:__homepage__""",
    "there are no green threads to make room for: use pool async or threads": """
        celery:_find_option_with_arg celery:_original_os_write celery:maybe_patch_concurrency""",
    "beat answers to remote control through its service": "celery.beat:BeatPidbox",
    "put control_command() or inspect_command() before the function": "celery.worker.control:Panel",
    "an application is not pickled: interpreters that are started import it": "celery.app:AppPickler",
    "queues are values of the setting task_queues": "celery.app.amqp:Queues",
    "messages are made by kernel.engine": "celery.app.amqp:task_message",
    "settings are a flat table here: DEFAULTS": """
        celery.app.defaults:NAMESPACES celery.app.defaults:Option celery.app.defaults:find
        celery.app.defaults:flatten""",
    "app.conf.humanize() and app.conf.table() mask what is secret": "celery.app.utils:filter_hidden_settings",
    "pools are plugins of kernel: prefork, threads, solo and async": "celery.concurrency:get_implementation",
    "the exchange of events has the name of the setting event_exchange": """
        celery.events:event_exchange celery.events:get_exchange celery.events.event:event_exchange
        celery.events.event:get_exchange""",
    "it is a command of the program: events --camera": "celery.events.snapshot:evcam",
    "the service manager starts, stops and confines programs; 'multi' and the options of 'worker' do it here": """
        celery.platforms:DaemonContext celery.platforms:LockFailed celery.platforms:Pidfile
        celery.platforms:close_open_fds celery.platforms:create_pidlock celery.platforms:detached
        celery.platforms:fd_by_path celery.platforms:get_fdmax celery.platforms:initgroups
        celery.platforms:maybe_drop_privileges celery.platforms:set_mp_process_title
        celery.platforms:set_process_title celery.platforms:setgid celery.platforms:setgroups
        celery.platforms:setuid""",
    "it is contextlib.suppress for an errno": "celery.platforms:ignore_errno",
    "signal.Signals has their names": "celery.platforms:SIGMAP",
    "there are no green threads: use pool async or threads": """
        celery.signals:eventlet_pool_apply celery.signals:eventlet_pool_postshutdown
        celery.signals:eventlet_pool_preshutdown celery.signals:eventlet_pool_started""",
    "a queue of one worker is one that only it consumes: -Q": """
        celery.utils:worker_direct celery.utils.nodenames:worker_direct""",
    "the standard library has what is needed: collections, dataclasses, cachetools": """
        celery.utils.collections:BufferMap celery.utils.collections:AttributeDictMixin
        celery.utils.collections:ConfigurationView celery.utils.collections:Evictable
        celery.utils.collections:LimitedSet celery.utils.collections:Messagebuffer
        celery.utils.objects:FallbackContext celery.utils.objects:getitem_property
        celery.utils.objects:mro_lookup""",
    "arguments are checked by inspect.signature": "celery.utils.functional:head_from_fun",
    "a graph of results draws itself: to_dot()": """
        celery.utils.graph:CycleError celery.utils.graph:DOT celery.utils.graph:GraphFormatter""",
    "processes are named by the standard library's multiprocessing, not by billiard": """
        celery.utils.log:get_multiprocessing_logger celery.utils.log:reset_multiprocessing_logger""",
    "logging from a signal handler is not done here": """
        celery.utils.log:in_sighandler celery.utils.log:set_in_sighandler""",
    "errors travel as wire.md 10 says; kernel.engine.failure does it": """
        celery.utils.serialization:UnpickleableExceptionWrapper celery.utils.serialization:create_exception_cls
        celery.utils.serialization:find_pickleable_exception celery.utils.serialization:get_pickleable_etype
        celery.utils.serialization:get_pickleable_exception celery.utils.serialization:get_pickled_exception
        celery.utils.serialization:subclass_exception""",
    "texts are dressed by textwrap": """
        celery.utils.text:dedent_initial celery.utils.text:ensure_newlines celery.utils.text:ensure_sep
        celery.utils.text:fill_paragraphs celery.utils.text:simple_format""",
    "the zone of this machine is timezone.local": "celery.utils.time:LocalTimezone",
    "add timedelta to times in UTC": """
        celery.utils.time:add_seconds_to_datetime celery.utils.time:subtract_datetimes celery.utils.time:ffwd""",
    "saferepr returns the whole text": "celery.utils.saferepr:reprstream",
}

NAMES: Final[Mapping[str, str]] = {name: reason for reason, names in GROUPS.items() for name in names.split()}
"""``module:name`` → why it is not there."""
