"""Its configuration."""

import os

from kombu import Exchange, Queue

broker_url = os.environ["PROJ_BROKER"]
result_backend = os.environ["PROJ_BACKEND"]
include = ["proj.tasks", "proj.more_tasks", "proj.signals"]

accept_content = ["json", "pickle", "yaml", "msgpack"]
result_accept_content = ["json", "pickle"]
enable_utc = True
timezone = "UTC"
result_expires = 3600
result_extended = True

task_queues = (
    Queue("celery"),
    Queue("hipri"),
    Queue("by.name"),
    Queue("routed"),
    Queue("news.all", Exchange("news", "topic"), routing_key="news.#"),
)
task_routes = {
    "proj.more_tasks.routed": {"queue": "routed"},
    "proj.more_tasks.short_form": "by.name",
}
task_annotations = {"proj.more_tasks.limited": {"rate_limit": "10/m"}}
task_publish_retry_policy = {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 1}
broker_transport_options = {"visibility_timeout": 3600}
broker_connection_retry_on_startup = True
worker_prefetch_multiplier = 1
worker_send_task_events = True
task_send_sent_event = True
