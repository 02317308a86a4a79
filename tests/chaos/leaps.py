"""Hours in seconds: the clock of all processes moved over every wait, and over nothing else."""

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from notifications.destinations import CREDIT_EVERY
from notifications.models import Delivery, Message
from stalkerr import clock, sql
from tests.sinks import wait_until

# What comes due within so long of each other is waited for together.
TOGETHER = dt.timedelta(minutes=1)
PATIENCE = 300.0  # real seconds for anything


@contextmanager
def own_clock() -> Iterator[None]:
    """Whatever happens to the clock inside, it shows the same again afterwards."""
    before = _shift()
    try:
        yield
    finally:
        clock.shift(before - _shift())


def _shift() -> dt.timedelta:
    ((shift,),) = sql.rows(f"SELECT shift FROM {settings.CLOCK_OFFSET_TABLE}")  # noqa: S608 (a setting)
    return shift  # type: ignore[no-any-return]


def leap_until(end: dt.datetime, messages: int, *, together: dt.timedelta = TOGETHER) -> None:
    """Until then by the clock, with every try in between that comes due."""
    _wait_for_promises(messages)
    while (now := clock.now()) < end:
        _leap(at_most=end - now, together=together)


def leap_until_done(messages: int) -> float:
    """Until all messages have an end; how many seconds that really took."""
    begun = time.monotonic()
    _wait_for_promises(messages)
    ended = Message.objects.filter(state__in=[Message.State.SENT, Message.State.FAILED])
    while ended.count() < messages:
        assert time.monotonic() < begun + PATIENCE, f"{ended.count()} of {messages} have an end"
        _leap(at_most=dt.timedelta(days=1))
    return time.monotonic() - begun


def _wait_for_promises(messages: int) -> None:
    wait_until(lambda: Delivery.objects.count() == messages, within=PATIENCE, every=0.1)


def _leap(*, at_most: dt.timedelta, together: dt.timedelta = TOGETHER) -> None:
    """Once nothing is on the wire and nothing can be claimed, move the clock to when it can.

    A clock moved with something on the wire would end its lease.
    """
    wait_until(lambda: _wait() > dt.timedelta(), within=PATIENCE, every=0.1)
    clock.shift(min(at_most, _wait() + together))


def _wait() -> dt.timedelta:
    """How long nothing can be sent; none where something can, or is on the wire."""
    ((wait,),) = sql.rows(
        """
        SELECT min(w.at) - %s FROM (
            SELECT lease_expires_at - interval '1 day' AS at FROM messages WHERE state = 'sending'
            UNION ALL
            SELECT greatest(m.next_attempt_at, t.open_until,  -- and once a retry has its credit
                            t.credited_at + greatest(0, 1 - t.retry_credit) * %s) FROM messages m
            JOIN destinations t ON t.id = m.destination_id WHERE m.state = 'due'
            UNION ALL
            SELECT greatest(d.due_at, t.open_until) FROM deliveries d
            JOIN channels c ON c.id = d.channel_id JOIN destinations t ON t.id = c.destination_id
            WHERE d.state = 'pending'
        ) w
        """,
        [clock.now(), CREDIT_EVERY],
    )
    return dt.timedelta(days=1) if wait is None else wait
