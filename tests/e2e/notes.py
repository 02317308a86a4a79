"""Tasks for a worker of the tests: each writes down that it began, then does what it is named for."""

import os
import signal
import threading
from pathlib import Path

from celery import shared_task


@shared_task(name="tests.note")
def note(*, path: str) -> None:
    """Begin, and end."""
    _begin(path)


@shared_task(name="tests.kill_child")
def kill_child(*, path: str) -> None:
    """As the kernel does to who takes all memory."""
    _begin(path)
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task(name="tests.kill_worker")
def kill_worker(*, path: str) -> None:
    """The child, and the process that reads the broker."""
    _begin(path)
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task(name="tests.take_ten_minutes", time_limit=700, soft_time_limit=650)
def take_ten_minutes(*, path: str) -> None:
    """As long as a backup."""
    _begin(path)
    threading.Event().wait(600)


def _begin(path: str) -> None:
    with Path(path).open("a") as file:
        file.write("begun\n")
