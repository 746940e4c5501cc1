"""Every setting: its name, type, default and one line of documentation (features.md part 3).

This table is the only place a setting is declared. ``kernel.app.settings`` merges the sources into one frozen
:class:`Config`; everything below the application reads only that value. Times are seconds unless a name says
otherwise. A setting that is not here is an error, never ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from kernel.model.options import RetryPolicy

DAY = 86_400.0


def _setting(default: Any, doc: str, *, secret: bool = False, choices: tuple[Any, ...] = (), minimum: int = 0) -> Any:
    """Declare one row; a value of a choice's type must be one of ``choices``, a number is at least ``minimum``."""
    metadata = {"doc": doc, "secret": secret, "choices": choices, "minimum": minimum}
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All effective settings of one application."""

    # What is used, and where
    namespace: str = _setting("kernel", "first part of every name on the wire; 'celery' interoperates with Celery")
    plugins: tuple[str, ...] = _setting((), "plugins to load, such as 'serializer.yaml'; '?' marks an optional one")
    disable_plugins: tuple[str, ...] = _setting((), "plugins that are not loaded, as 'kernel plugins disable' writes")
    plugin_options: Mapping[str, Any] = _setting(
        {}, "options of serializers and compressors by plugin, as {'serializer.signed': {...}}", secret=True
    )
    imports: tuple[str, ...] = _setting((), "modules the worker imports for their tasks")
    include: tuple[str, ...] = _setting((), "more such modules; also the constructor argument")
    enable_utc: bool = _setting(True, "write times in messages in UTC, else in the local time zone")
    timezone: str | None = _setting(None, "time zone of the app, such as 'Europe/Berlin'; None is UTC or local")
    strict_typing: bool = _setting(True, "check arguments against the task's signature when calling")
    accept_content: tuple[str, ...] = _setting(("json",), "serializer names or MIME types that may be decoded")
    message_max_bytes: int = _setting(
        64 * 1024 * 1024, "largest body or result decoded or decompressed, in bytes", minimum=1
    )
    message_max_depth: int = _setting(128, "deepest nesting decoded", minimum=1)

    # Security: certificates of the serializer 'auth' (features.md 2.11)
    security_key: str | None = _setting(None, "file of this node's private key, in PEM")
    security_key_password: str | None = _setting(None, "its password", secret=True)
    security_certificate: str | None = _setting(None, "file of this node's certificate, in PEM")
    security_cert_store: str | None = _setting(None, "glob of the certificates that are trusted, or their folder")
    security_digest: str = _setting(
        "sha256", "hash of signatures", choices=("sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512")
    )

    # Broker
    broker_url: str | tuple[str, ...] | None = _setting(
        None, "URL, list or ';'-joined list; None is the embedded SQLite broker", secret=True
    )
    broker_transport_options: Mapping[str, Any] = _setting({}, "options of the broker plugin")
    control_url: str | None = _setting(
        None, "URL of a second broker for events and remote control; None is the same one", secret=True
    )
    control_transport_options: Mapping[str, Any] = _setting({}, "options of that broker's plugin")
    broker_heartbeat: float | None = _setting(
        None, "seconds after which a silent connection counts as lost; 0 is never, None is as the plugin has it"
    )
    broker_login_method: str | None = _setting(None, "SASL mechanism, such as EXTERNAL; None is the plugin's default")
    broker_native_delayed_delivery_queue_type: str | None = _setting(
        None, "type of the queues where delayed messages wait: quorum or classic; None is the plugin's default"
    )
    broker_connection_timeout: float = _setting(4.0, "seconds to connect, and for one publish to be confirmed")
    broker_connection_retry: bool = _setting(True, "reconnect after a loss")
    broker_connection_retry_on_startup: bool | None = _setting(None, "the same at start; None follows the above")
    broker_connection_max_retries: int | None = _setting(None, "attempts before giving up; None or 0 is for ever")
    broker_pool_limit: int | None = _setting(10, "producers per process that may publish at once; None is no limit")
    broker_pool_acquire_timeout: float | None = _setting(None, "seconds to wait for a pooled producer; None waits")

    # Results
    result_backend: str | None = _setting(
        None, "URL; None is the embedded one with the embedded broker, else results are off", secret=True
    )
    result_backend_transport_options: Mapping[str, Any] = _setting({}, "options of the backend plugin")
    result_backend_always_retry: bool = _setting(True, "retry a failed write or read of a result")
    result_backend_max_retries: float = _setting(float("inf"), "how often")
    result_backend_base_sleep_between_retries_ms: int = _setting(10, "first wait, in milliseconds")
    result_backend_max_sleep_between_retries_ms: int = _setting(2_000, "longest wait, in milliseconds")
    result_serializer: str = _setting("json", "serializer of results")
    result_accept_content: tuple[str, ...] | None = _setting(None, "like accept_content, for results; None is the same")
    result_compression: str | None = _setting(None, "compressor of stored results")
    result_chord_retry_interval: float = _setting(
        1.0, "seconds between two looks of chord_unlock at unfinished members"
    )
    result_chord_join_timeout: float = _setting(3.0, "seconds chord_unlock may take to read the members' results")
    result_chord_expires: float | timedelta | None = _setting(
        None, "seconds an unfinished chord is kept after its last member; None is result_expires"
    )
    result_expires: float | timedelta | None = _setting(DAY, "seconds a result is kept; 0 or None is for ever")
    result_persistent: bool | None = _setting(None, "results by rpc:// survive a restart of the broker; None is false")
    result_failure_expires: float | timedelta | None = _setting(
        None, "seconds a failure is kept; 0 is for ever, None is result_expires"
    )
    result_extended: bool = _setting(False, "store name, args, kwargs, worker, retries and queue with a result")

    # Tasks: how they are sent
    task_protocol: int = _setting(2, "message protocol written; every one is read", choices=(1, 2))
    task_serializer: str = _setting("json", "default serializer of messages")
    task_compression: str | None = _setting(None, "default compressor of messages")
    task_publish_retry: bool = _setting(True, "retry publishing after a lost connection")
    task_publish_retry_policy: RetryPolicy = _setting(
        RetryPolicy(max_retries=3, interval_start=0, interval_step=0.2, interval_max=1),
        "max_retries, interval_start, interval_step, interval_max",
    )
    task_send_sent_event: bool = _setting(False, "publish a task-sent event with every message")
    task_repr_maxlevels: int | None = _setting(3, "depth of argsrepr and kwargsrepr; 0 or None is no limit")
    task_inherit_parent_priority: bool = _setting(False, "a task called by a task takes its priority")

    # Tasks: where they go
    task_queues: tuple[Any, ...] | None = _setting(None, "queues to declare and consume")
    task_routes: Any = _setting(
        None,
        "routers: mapping, list, function, dotted name, or {router = name, ...} for one of a plugin (features.md 2.8)",
    )
    task_create_missing_queues: bool = _setting(True, "declare queue names that are not configured")
    task_default_queue: str | None = _setting(None, "queue of tasks without a route; None is the namespace")
    task_default_queue_type: str | None = _setting(
        None, "type of declared queues, for brokers that have several: classic or quorum; None is the plugin's default"
    )
    task_default_exchange: str | None = _setting(None, "its exchange; None is the queue's name")
    task_default_exchange_type: str = _setting(
        "direct", "direct, topic, fanout or headers", choices=("direct", "topic", "fanout", "headers")
    )
    task_default_routing_key: str | None = _setting(None, "its routing key; None is the queue's name")
    task_default_delivery_mode: int | str = _setting(
        2, "2 or 'persistent', 1 or 'transient'", choices=(1, 2, "transient", "persistent")
    )
    task_default_priority: int | None = _setting(None, "priority of messages that have none")
    task_queue_max_priority: int | None = _setting(None, "highest priority of queues that do not say")

    # Tasks: how they run
    task_ignore_result: bool = _setting(False, "store no results by default")
    task_store_errors_even_if_ignored: bool = _setting(False, "store failures in spite of ignore_result")
    task_allow_error_cb_on_chord_header: bool = _setting(
        False, "a link_error of a chord stands at the tasks of its header as well"
    )
    task_track_started: bool = _setting(False, "store the state STARTED")
    task_acks_late: bool = _setting(False, "acknowledge after running instead of before")
    task_acks_on_failure_or_timeout: bool = _setting(True, "default of the next two")
    task_acks_on_failure: bool | None = _setting(None, "acknowledge a failed late-ack task; False quarantines it")
    task_acks_on_timeout: bool | None = _setting(None, "the same after a time limit")
    task_reject_on_worker_lost: bool = _setting(True, "redeliver a late-ack task whose executor died")
    task_delivery_limit: int = _setting(3, "executors a message may kill before it is quarantined", minimum=1)
    task_time_limit: float | None = _setting(None, "seconds until the executor is killed")
    task_soft_time_limit: float | None = _setting(None, "seconds until SoftTimeLimitExceeded is raised in the task")
    task_default_rate_limit: str | float | None = _setting(None, "such as '10/m', for tasks that have none")
    task_annotations: Any = _setting(None, "changes to task attributes by name; '*' is every task")
    task_always_eager: bool = _setting(False, "run calls locally and at once")
    task_eager_propagates: bool = _setting(False, "raise errors of eager calls")
    task_store_eager_result: bool = _setting(False, "write eager results to the backend")

    # Beat
    beat_schedule: Mapping[str, Any] = _setting(
        {}, "periodic tasks by name: task, schedule, args, kwargs, options, relative (docs/periodic-tasks.md)"
    )
    beat_scheduler: str = _setting("kernel.beat:PersistentScheduler", "class of the scheduler, as module:Class")
    beat_schedule_filename: str | None = _setting(
        None, "file with the times of last runs; None is '<namespace>beat-schedule'"
    )
    beat_max_loop_interval: float = _setting(
        0.0, "longest sleep of beat; 0 is the scheduler's own, 300 for the built-in one"
    )
    beat_sync_every: int | None = _setting(
        None, "tasks sent between two writes of that file; 0 is every three minutes only, None is before every sleep"
    )
    beat_cron_starting_deadline: float | None = _setting(
        None, "how late a run of a crontab that was missed may be made up; None is any time"
    )

    beat_enable_remote_control: bool = _setting(False, "beat answers 'inspect ping' as <namespace>beat@<host>")
    beat_remote_control_max_tick_age: float | None = _setting(
        None, "seconds after which a beat that stands still is silent; 0 is never, None is twice its longest sleep"
    )

    # Worker
    worker_pool: str = _setting("prefork", "prefork, threads, solo or async")
    worker_concurrency: int | str | None = _setting(
        None, "executors; None or 'auto' is the number of usable CPUs", choices=("auto",), minimum=1
    )
    worker_pool_start_method: str = _setting("fork", "fork or spawn", choices=("fork", "spawn"))
    worker_proc_alive_timeout: float = _setting(30.0, "seconds a child may take to get ready")
    worker_max_tasks_per_child: int | None = _setting(None, "tasks after which a child is replaced", minimum=1)
    worker_max_memory_per_child: int | None = _setting(None, "resident KiB after which a child is replaced", minimum=1)
    worker_lost_wait: float = _setting(10.0, "seconds the children of a dead node may finish their task")
    worker_handout_max: int = _setting(
        128, "most short tasks handed to an executor at once; 1 turns batching off", minimum=1
    )
    worker_handout_time: float = _setting(0.02, "run time in seconds that one hand-out may add up to")
    worker_disable_rate_limits: bool = _setting(False, "no rate limits at all")
    worker_send_task_events: bool = _setting(False, "publish task events (-E)")
    worker_soft_shutdown_timeout: float = _setting(0.0, "seconds between a warm and a cold shutdown")
    worker_enable_soft_shutdown_on_idle: bool = _setting(False, "wait for it also when nothing runs")
    worker_hijack_root_logger: bool = _setting(False, "replace the root logger's handlers")
    worker_log_color: bool | None = _setting(None, "colours; None is on a terminal")
    worker_log_format: str = _setting("[%(asctime)s: %(levelname)s/%(processName)s] %(message)s", "of the worker's log")
    worker_log_datefmt: str | None = _setting(None, "time format of that log")
    worker_task_log_format: str = _setting(
        "[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s", "of task loggers"
    )
    worker_task_log_datefmt: str | None = _setting(None, "time format of that log")
    worker_redirect_stdouts: bool = _setting(True, "what tasks print goes to the log")
    worker_redirect_stdouts_level: str = _setting(
        "WARNING", "at this level", choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    )

    # Remote control
    worker_enable_remote_control: bool = _setting(True, "workers listen to remote control")
    control_exchange: str | None = _setting(
        None, "first part of the names of its exchanges, before '.pidbox'; None is the namespace"
    )
    control_queue_ttl: float | None = _setting(300.0, "seconds a message waits in a control queue")
    control_queue_expires: float | None = _setting(10.0, "seconds an unused control queue lives")
    control_queue_exclusive: bool = _setting(
        True, "a control queue belongs to the connection that made it; beside Celery on Redis it must"
    )
    control_queue_durable: bool = _setting(
        False, "a control queue survives a restart of the broker; not together with control_queue_exclusive"
    )
    worker_state_db: str | None = _setting(None, "file for the ids of revoked tasks (--statedb); %n is the node's name")
    worker_revokes_max: int = _setting(50_000, "most ids of revoked tasks a worker keeps", minimum=1)
    worker_revoke_expires: float = _setting(10_800.0, "seconds it keeps one")

    # Events
    event_serializer: str = _setting("json", "serializer of events")
    event_exchange: str | None = _setting(None, "exchange of events; None is '<namespace>ev'")
    event_queue_prefix: str | None = _setting(None, "first part of the names of event queues; None is '<namespace>ev'")
    event_queue_ttl: float | None = _setting(5.0, "seconds an event waits for a monitor that is slow; None is for ever")
    event_queue_expires: float | None = _setting(60.0, "seconds the queue of a monitor that died is kept")
