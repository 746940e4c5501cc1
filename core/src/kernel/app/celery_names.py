"""Setting names of Celery that this version does not act on, and the upper-case names of old (features.md part 3).

Data only: what to tell somebody who brings a Celery configuration along. A name that becomes a setting of
``kernel.model.config`` leaves this module; a test says so.
"""

from collections.abc import Iterable, Mapping

_GROUPS: Mapping[str, str] = {
    "Options of a result backend stand in its URL, or in result_backend_transport_options.": """
        arangodb_backend_settings azureblockblob_base_path azureblockblob_connection_timeout
        azureblockblob_container_name azureblockblob_read_timeout azureblockblob_retry_increment_base
        azureblockblob_retry_initial_backoff_sec azureblockblob_retry_max_attempts cache_backend_options
        cassandra_auth_kwargs cassandra_auth_provider cassandra_bundle_path cassandra_entry_ttl cassandra_keyspace
        cassandra_options cassandra_port cassandra_read_consistency cassandra_secure_bundle_path cassandra_servers
        cassandra_table cassandra_write_consistency cosmosdbsql_collection_name cosmosdbsql_consistency_level
        cosmosdbsql_database_name cosmosdbsql_max_retry_attempts cosmosdbsql_max_retry_wait_time
        couchbase_backend_settings database_create_tables_at_setup database_engine_callback database_engine_options
        database_short_lived_sessions database_table_names database_table_schemas elasticsearch_max_retries
        elasticsearch_retry_on_timeout elasticsearch_save_meta_as_text elasticsearch_timeout gcs_base_path gcs_bucket
        gcs_project gcs_ttl mongodb_backend_settings redis_backend_credential_provider
        redis_backend_health_check_interval redis_backend_use_ssl redis_client_name redis_db redis_host
        redis_max_connections redis_password redis_port redis_retry_on_timeout redis_socket_connect_timeout
        redis_socket_keepalive redis_socket_timeout redis_username result_backend_thread_safe s3_access_key_id
        s3_base_path s3_bucket s3_endpoint_url s3_region s3_secret_access_key""",
    "Name the backend in result_backend, as a URL.": "cache_backend database_url override_backends",
    "Write it into broker_url.": "broker_host broker_password broker_port broker_transport broker_user broker_vhost",
    "Options of a broker stand in its URL, or in broker_transport_options.": """
        broker_heartbeat_checkrate broker_failover_strategy broker_channel_error_retry""",
    "Write a URL with TLS, such as amqps:// or rediss://; files of certificates are options of the broker.": """
        broker_use_ssl""",
    "One broker_url serves both directions.": "broker_read_url broker_write_url",
    "Declare the queue in task_queues with the type it needs among its arguments.": """
        task_create_missing_queue_type task_create_missing_queue_exchange_type""",
    "A consumer bounds what it holds by itself, whatever its queues are: remove it.": "worker_detect_quorum_queues",
    "Start the worker again: it gives back what has not begun, and nothing is lost.": "worker_pool_restarts",
    "The queue of a monitor is its own and goes with it: remove it.": "event_queue_durable event_queue_exclusive",
    "It is an option of the command, or of the service manager: --logfile, --pidfile, --uid, --gid, --umask.": """
        beat_gid beat_logfile beat_pidfile beat_uid beat_umask
        events_gid events_logfile events_pidfile events_uid events_umask
        worker_gid worker_logfile worker_pidfile worker_uid worker_umask""",
    "The interpreter that starts a program runs it: start it with the one that is wanted.": """
        beat_executable events_executable worker_executable""",
    "The kernel reserves only what free slots take; worker_handout_max bounds how many go out at once.": """
        worker_prefetch_multiplier worker_disable_prefetch worker_enable_prefetch_count_reduction
        worker_eta_task_limit""",
    "Parts of a worker are plugins, not classes named by a setting: remove it.": """
        worker_agent worker_autoscaler worker_consumer worker_timer worker_timer_precision worker_pool_putlocks""",
    "Results are read from the backend, and are not queues: remove it.": """
        result_exchange result_exchange_type result_cache_max""",
    "A result always carries the worker's traceback as text: remove it.": "task_remote_tracebacks",
    "A lost executor's message is delivered again: see task_reject_on_worker_lost and task_delivery_limit.": """
        task_retry_on_worker_lost worker_deduplicate_successful_tasks
        worker_cancel_long_running_tasks_on_connection_loss""",
    "Start the worker with -Q and a queue of its own.": "worker_direct",
}

CELERY_ONLY: Mapping[str, str] = {name: advice for advice, names in _GROUPS.items() for name in names.split()}
"""Settings of Celery without an effect here: name → what to do instead."""

_IRREGULAR: Mapping[str, str] = {
    "CELERY_TASK_RESULT_EXPIRES": "result_expires",
    "CELERY_MESSAGE_COMPRESSION": "task_compression",
    "CELERY_EAGER_PROPAGATES_EXCEPTIONS": "task_eager_propagates",
    "CELERY_SEND_TASK_SENT_EVENT": "task_send_sent_event",
    "CELERY_SEND_EVENTS": "worker_send_task_events",
    "CELERY_MAX_CACHED_RESULTS": "result_cache_max",
    "CELERY_RESULT_DBURI": "result_backend",
    "CELERY_RESULT_ENGINE_OPTIONS": "database_engine_options",
    "CELERY_RESULT_DB_SHORT_LIVED_SESSIONS": "database_short_lived_sessions",
    "CELERY_RESULT_DB_TABLE_NAMES": "database_table_names",
    "CELERYD_TASK_TIME_LIMIT": "task_time_limit",
    "CELERYD_TASK_SOFT_TIME_LIMIT": "task_soft_time_limit",
    "CELERYD_WORKER_LOST_WAIT": "worker_lost_wait",
    "CELERY_WORKER_DIRECT": "worker_direct",
}
_PREFIXES = ("CELERYBEAT_", "CELERYD_", "CELERY_", "")
_FAMILIES = ("", "task_", "worker_", "beat_")


def name_of_today(name: str, known: Iterable[str]) -> str | None:
    """The lower-case name of an upper-case setting of old, such as ``CELERYD_CONCURRENCY``; None when it is none.

    Mostly the prefix was dropped and a family's name put before the rest; ``known`` are the names to choose from.
    """
    if not name.isupper():
        return None
    if name in _IRREGULAR:
        return _IRREGULAR[name]
    prefix = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
    rest = name.removeprefix(prefix).lower()
    families = ("worker_", "", "task_") if prefix == "CELERYD_" else _FAMILIES
    names = {*known, *CELERY_ONLY}
    # A bare upper-case word is a constant of somebody's module; only whole settings, such as BROKER_URL, count there.
    candidates = [family + rest for family in (families if prefix else ("",))]
    return next((candidate for candidate in candidates if candidate in names), None)
