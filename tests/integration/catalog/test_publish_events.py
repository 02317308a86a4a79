"""The public order of news is the order in which it became visible."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from catalog.models import ReleaseEvent
from catalog.services import publish_events
from stalkerr import clock
from tests.factories import make_audiobook
from tests.sinks import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class Paused:
    """A transaction in a thread of its own: done but not committed until `finish()`."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._done, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._done.wait(10)

    def _run(self) -> None:
        try:
            with transaction.atomic():
                self._work()
                self._done.set()
                self._go.wait(10)
        finally:
            connection.close()

    def finish(self) -> None:
        self._go.set()
        self._thread.join()


def test_numbers_given_side_by_side_are_given_in_turn() -> None:
    """Proves the guard publish lock: without it the second publisher, who sees an older event
    come to light, gives a number that the first has given but not yet committed."""
    late = Paused(lambda: make_audiobook(now=clock.now(), title="Older, seen later"))
    make_audiobook(now=clock.now(), title="Newer, seen first")
    first = Paused(publish_events)
    late.finish()
    second = threading.Thread(target=_publish_and_leave)
    second.start()
    wait_until(_somebody_waits_for_a_lock)
    first.finish()
    second.join()
    order = ReleaseEvent.objects.order_by("published_seq").values_list(
        "published_seq", "audiobook__title"
    )
    assert list(order) == [(1, "Newer, seen first"), (2, "Older, seen later")]


def _publish_and_leave() -> None:
    publish_events()
    connection.close()


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(cursor.fetchone()[0])
