"""The tick, and what keeps the ledger small."""

import datetime as dt
import platform

import structlog
from celery import shared_task

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
    """Write the slots that are due, hint at what is unfinished, say again how new all is.

    Whichever machine this runs on has its clock compared: leases do not go by it, but hints expire by it.
    """
    now = clock.now()
    slots.open_slots(slots=schedule.due_slots(now))
    for name, slot in slots.take_unpublished(now=now):
        hint(name, schedule.find(name).queue, slot=slot.isoformat())
    revisions.publish()
    _say_skew(clock.skew(), now)


def _say_skew(skew: dt.timedelta, now: dt.datetime) -> None:
    if abs(skew) <= MOST_SKEW:
        return
    host, way = platform.node(), "ahead" if skew > dt.timedelta() else "behind"
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
