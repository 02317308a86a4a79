"""Celery's settings, each with the reason for it."""

from typing import Any

from django.conf import settings
from kombu import Queue

from stalkerr.broker import DEAD, DELIVERIES

broker_url = settings.BROKER_URL
_is_redis = broker_url.startswith("redis")

# JSON only, in and out: a broker is not trusted with code.
task_serializer = result_serializer = "json"
accept_content = result_accept_content = ["json"]
task_ignore_result = True  # what came of a task is in PostgreSQL; results would cost 50 %
# A hint is given back when its worker dies, but one that kills its worker is not tried for ever:
# attempts are counted in PostgreSQL.
task_acks_late = True
task_reject_on_worker_lost = False
worker_prefetch_multiplier = 1  # what is reserved is what runs
# `tell`'s; others say their own, all below their lease (workers/checks.py)
task_time_limit, task_soft_time_limit = 45, 40
task_publish_retry = False  # a hint that can't be given is found by the next tick
worker_soft_shutdown_timeout = 25
worker_enable_soft_shutdown_on_idle = True
worker_max_tasks_per_child = 2000
worker_max_memory_per_child = 400_000  # KiB
# A broker that goes away for a moment must not end a child with its sends in flight.
worker_cancel_long_running_tasks_on_connection_loss = False
worker_eta_task_limit = 10  # nothing waits in a worker's memory; "due" is a column
worker_hijack_root_logger = False
worker_send_task_events = True  # for Flower
event_queue_ttl = 5
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
enable_utc, timezone = True, "UTC"

# What no task may last, whatever its lease: RabbitMQ takes a message back after 30 minutes, and
# shuts the channel on who holds it.
LONGEST_TASK = 25 * 60  # seconds
LONGEST_JOB = (
    2 * 3600
)  # of one that gives its message back first: its slot in the ledger is kept for it
worker_consumer = "stalkerr.broker:Reader"

# Queues by how long their work takes, so that a slow kind never stands before a quick one.
QUEUES = ("tick", "scrape", "tell", "backup", "insights")
task_default_queue = "tick"
_arguments: dict[str, Any] = (
    {}
    if _is_redis
    else {
        "x-queue-type": "quorum",
        # A message whose worker dies comes again at once: one that kills it, so often at most.
        "x-delivery-limit": DELIVERIES,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": DEAD,
    }
)
task_queues = [Queue(name, queue_arguments=_arguments) for name in QUEUES]
broker_transport_options: dict[str, Any] = (
    {
        # A worker that vanished gives its hints back after this; longer than any task. By then
        # they have expired, and a sweep has given others.
        "visibility_timeout": 2 * LONGEST_TASK,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 2,
        "socket_timeout": settings.BROKER_TIMEOUT,
        "socket_connect_timeout": min(3.0, settings.BROKER_TIMEOUT),
        "socket_keepalive": True,
        # A connection that is dead and does not say so is found within two of these.
        "health_check_interval": 10,
        "global_keyprefix": "stalkerr:",
    }
    if _is_redis
    else {"confirm_publish": False, "connect_timeout": settings.BROKER_TIMEOUT}
)

# Beat only ticks; what is due is decided in PostgreSQL, so any number of beats may run.
beat_schedule = {
    "tick": {
        "task": "workers.tick",
        "schedule": settings.TICK_INTERVAL.total_seconds(),
        "options": {
            "queue": "tick",
            "expires": 2 * 3600.0,  # as workers/hints.py says it of hints
            # Beat has one connection for life, and only who tries again opens it anew.
            "retry": True,
            "retry_policy": {"max_retries": 2, "interval_start": 0, "interval_step": 0.5},
        },
    }
}
