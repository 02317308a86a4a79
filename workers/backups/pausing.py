"""Workers take nothing new while a database is swapped under them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from kombu.exceptions import OperationalError

from stalkerr.celery import app

PATIENCE: Final = 60.0  # seconds for what runs; what runs longer meets the swap, and is tried again
ANSWER: Final = 1.0  # seconds for workers to answer
STEP: Final = 0.5

_log = structlog.get_logger(__name__)


@contextmanager
def paused() -> Iterator[int]:
    """Within, no worker takes a task; how many workers there are. Afterwards each goes on as before."""
    queues = _queues()
    try:
        for worker, names in queues.items():
            for name in names:
                app.control.cancel_consumer(name, destination=[worker])
        _wait_for_rest(list(queues))
        yield len(queues)
    finally:
        for worker, names in queues.items():
            for name in names:
                _resume(worker, name)


def _queues() -> dict[str, list[str]]:
    """Which worker takes from which queues."""
    try:
        found: dict[str, list[dict[str, Any]]] = _ask().active_queues() or {}
    except (OperationalError, OSError) as error:
        _log.warning("workers_not_paused", error=str(error))
        return {}
    return {worker: [queue["name"] for queue in queues] for worker, queues in found.items()}


def _wait_for_rest(workers: list[str]) -> None:
    end = time.monotonic() + PATIENCE
    while workers and time.monotonic() < end:
        if not any((_ask(workers).active() or {}).values()):
            return
        time.sleep(STEP)


def _resume(worker: str, queue: str) -> None:
    try:
        app.control.add_consumer(queue, destination=[worker])
    except (OperationalError, OSError) as error:
        _log.warning("worker_not_resumed", worker=worker, error=str(error))


def _ask(workers: list[str] | None = None) -> Any:
    return app.control.inspect(destination=workers, timeout=ANSWER)
