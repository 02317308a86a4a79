"""What waits in the broker, whichever it is."""

from typing import Any

from celery.exceptions import CeleryError
from kombu.exceptions import OperationalError

from stalkerr.celery import app
from stalkerr.celeryconfig import QUEUES

PATIENCE = 0.5  # seconds
UNREACHABLE = (OperationalError, CeleryError, OSError)


def depths() -> dict[str, int]:
    """Messages that wait, by queue. Raises one of UNREACHABLE."""
    with app.connection_for_read(connect_timeout=PATIENCE) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        return {queue: _depth(broker, queue) for queue in QUEUES}


def _depth(broker: Any, queue: str) -> int:
    """A queue that nobody declared, or that is empty (to Redis the same), holds nothing."""
    with broker.channel() as channel:
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except broker.channel_errors:
            return 0
