"""Hints to the broker: given once, quickly, and given up without harm.

What a hint says is also a row, so a broker that is slow, full or gone costs no more than the time
until the next sweep. After a failure nobody tries for a while: a web request must not wait for
one time-out after the other.
"""

import time
from typing import Any, Final

import structlog
from kombu.exceptions import OperationalError

from stalkerr.celery import app

PAUSE: Final = 30.0  # seconds
EXPIRES: Final = 120.0  # a hint older than this has been given again

_log = structlog.get_logger(__name__)
_silent_until = 0.0


def hint(task: str, queue: str, **arguments: Any) -> bool:
    """Tell a worker that there is something to do; False if nobody could be told."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return False
    try:
        app.send_task(
            task, kwargs=arguments, queue=queue, expires=EXPIRES, retry=False, ignore_result=True
        )
    except (OperationalError, OSError) as error:
        _silent_until = time.monotonic() + PAUSE
        _log.warning("broker_unreachable", task=task, error=str(error), silent_s=PAUSE)
        return False
    return True
