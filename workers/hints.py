"""Hints to the broker: given once, quickly, and given up without harm.

What a hint says is also a row, so a broker that is slow, full or gone costs no more than the time
until the next sweep. After a failure nobody tries for a while: a web request must not wait for
one time-out after the other.
"""

import time
from functools import cache
from typing import Any, Final

import structlog
from django.conf import settings
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from stalkerr.celery import app
from workers.witness import headers

PAUSE: Final = 30.0  # seconds
# A hint older than this is not worth the reading. Celery judges by the clock of whoever reads it, and a
# machine's may be off: a worker an hour ahead would throw away whatever expires sooner.
EXPIRES: Final = 2 * 3600.0
WAITING: Final = 30  # seconds for which one waiting hint stands for all that say the same

_log = structlog.get_logger(__name__)
_silent_until = 0.0


def hint(task: str, queue: str, **arguments: Any) -> bool:
    """Tell a worker that there is something to do; False if nobody could be told."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return False
    try:
        app.send_task(
            task,
            kwargs=arguments,
            queue=queue,
            expires=EXPIRES,
            retry=False,
            ignore_result=True,
            headers=headers(),
        )
    except (OperationalError, OSError) as error:
        _silent_until = time.monotonic() + PAUSE
        _log.warning("broker_unreachable", task=task, error=str(error), silent_s=PAUSE)
        return False
    return True


def hint_once(task: str, queue: str, **arguments: Any) -> bool:
    """As `hint`, unless one that says the same is waiting; its task calls `taken` as it begins."""
    if time.monotonic() < _silent_until:
        return False
    try:
        is_first = _redis().set(_key(task, arguments), 1, nx=True, ex=WAITING)
    except (RedisError, OSError):
        is_first = True
    if not is_first:
        return True
    is_given = hint(task, queue, **arguments)
    if not is_given:
        taken(task, **arguments)
    return is_given


def taken(task: str, **arguments: Any) -> None:
    """A task begins, before it reads any row: what comes from here on is worth another hint."""
    try:
        _redis().delete(_key(task, arguments))
    except (RedisError, OSError) as error:
        _log.warning("hint_kept", task=task, error=str(error))


def _key(task: str, arguments: dict[str, Any]) -> str:
    return f"stalkerr:hint:{task}:{sorted(arguments.items())}"


@cache
def _redis() -> "Redis":
    patience = min(0.5, settings.BROKER_TIMEOUT)
    return Redis.from_url(
        settings.BUCKETS_URL, socket_timeout=patience, socket_connect_timeout=patience
    )
