"""Transactions that stand still, and threads that wait for them."""

import threading
from collections.abc import Callable

from django.db import connection, transaction

from tests.sinks import wait_until


class Paused:
    """A transaction in a thread of its own: its work is done, but not committed until `finish()`."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._done, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._done.wait(10), "the work did not come to its end"

    def _run(self) -> None:
        try:
            with transaction.atomic():
                self._work()
                self._done.set()
                self._go.wait(30)
        finally:
            connection.close()

    def finish(self) -> None:
        """Commit."""
        self._go.set()
        self._thread.join()


def start_and_see_it_wait(work: Callable[[], object], others: int = 1) -> threading.Thread:
    """Start `work` in a thread; returns it once so many, says PostgreSQL, wait for a lock."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: waiting() >= others)
    return thread


def waiting() -> int:
    """How many wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN "
            "(SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
        )
        return int(cursor.fetchone()[0])
