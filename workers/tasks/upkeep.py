"""The tick, and what keeps the ledger small."""

import datetime as dt
import socket
import threading

import structlog
from celery import shared_task
from celery.signals import worker_process_init
from django.db import Error, connection

from accounts.answers import forget_answers
from accounts.refreshing import forget_expired
from accounts.services import notify
from catalog import revisions
from stalkerr import clock
from workers import schedule
from workers.hints import hint
from workers.jobs import job
from workers.ledger import slots

KEEP_RUNS = dt.timedelta(days=7)
KEEP_EXPIRED = dt.timedelta(days=1)  # longer than an access token lives
MOST_SKEW = dt.timedelta(seconds=30)

_log = structlog.get_logger(__name__)


@shared_task(name="workers.tick")
def tick() -> None:
    """Write the slots that are due, hint at what is unfinished, say again how new all is."""
    now = clock.now()
    slots.open_slots(slots=schedule.due_slots(now))
    for name, slot in slots.take_unpublished(now=now):
        hint(name, schedule.find(name).queue, slot=slot.isoformat())
    revisions.publish()


@worker_process_init.connect
def look_at_clock(**_: object) -> None:
    """As a worker begins: leases do not go by this machine's clock, but hints expire by it.

    Aside: who begins has four seconds, and a database that is away takes longer.
    """
    threading.Thread(target=_compare_clocks, daemon=True).start()


def _compare_clocks() -> None:
    try:
        _say_skew(clock.skew(), clock.now())
    except Error as error:  # the tasks will meet it, too
        _log.warning("clock_not_compared", error=type(error).__name__)
    finally:
        connection.close()


def _say_skew(skew: dt.timedelta, now: dt.datetime) -> None:
    if abs(skew) <= MOST_SKEW:
        return
    host, way = socket.gethostname(), "ahead" if skew > dt.timedelta() else "behind"
    seconds = int(abs(skew).total_seconds())
    _log.warning("clock_skewed", host=host, seconds=seconds, way=way)
    notify(
        subject=f"The clock of {host} is wrong",
        text=f"It is {seconds} seconds {way} of the database's. Workers there may take hints for expired"
        " and do nothing: have it set by NTP.",
        dedupe_key=f"skew:{host}:{way}:{now.date()}"[:200],
        now=now,
    )


@job("workers.prune")
def prune(now: dt.datetime) -> int:
    """Forget finished slots and runs of long ago, dead tokens, and answers nobody asks for again."""
    forgotten = forget_expired(before=now - KEEP_EXPIRED) + forget_answers(now=now)
    return forgotten + slots.prune(before=now - KEEP_RUNS)
